"""Which galaxies of many are explained: those at the head of several rankings, one of each in turn."""


def pick(rankings, n):
    """Take the first of each ranking, then the second of each, and so on, without those that are taken.

    Parameters
    ----------
    rankings : dict of str to sequence of int
        Rows of the galaxies, by the reason for which a ranking would take them.
    n : int

    Returns
    -------
    dict of int to str
        Row to reason, in the order of the rankings; fewer than n where there are no more.
    """
    queues = {reason: [int(row) for row in rows] for reason, rows in rankings.items()}
    taken = {}
    while len(taken) < n and any(queues.values()):
        for reason, queue in queues.items():
            while queue and queue[0] in taken:
                queue.pop(0)
            if queue and len(taken) < n:
                taken[queue.pop(0)] = reason
    order = list(rankings)
    return dict(sorted(taken.items(), key=lambda item: order.index(item[1])))
