"""The choice among runs without target labels as text; input is what `selection.ranking.rank_runs` returns."""

from photoz_morph.metrics.selection.scores import SCORES
from photoz_morph.report.text import DATA_NAMES, markdown_table, with_interval

TITLES = ("chosen", "regret [points]", "single network", "regret [points]", "rank correlation")


def selection_header(selection):
    """Titles of the columns: score, each run, and what the choice costs."""
    return ["score", *selection["runs"], *TITLES]


def selection_rows(selection):
    """A row for each score, as text; then the oracle, which has the labels, and chance."""
    runs = selection["runs"]
    rows = []
    for score, (title, sign, _) in SCORES.items():
        choice = selection["choices"][score]
        cells = [f"{part['scores'][score]['value']:.3f}" for part in runs.values()]
        correlation = choice["rank_correlation"]
        rows.append([
            title + " (lower is better)" * (sign < 0), *cells, choice["run"], _points(choice["regret"]),
            network_name(choice["network"]), _points(choice["network_regret"]),
            "-" if correlation is None else f"{correlation:+.2f}",
        ])  # fmt: skip
    random, oracle = selection["random"], selection["oracle"]
    blank = [""] * len(runs)
    rows.append(["any, at random", *blank, "", _points(random["regret"]), "", _points(random["network_regret"]), ""])
    cells = [with_interval(part["accuracy"]) for part in runs.values()]
    rows.append(["accuracy in Y1, by its labels", *cells, oracle["run"], "0", network_name(oracle["network"]), "0", ""])
    return rows


def selection_caption(selection):
    """What was scored on which galaxies, and what the intervals are."""
    seeds = {part["n_seeds"] for part in selection["runs"].values()}
    drawn = "validation and test galaxies, by groups" + ", and of the seeds" * (seeds != {1})
    alone = " With one seed the scatter between trainings is unknown and not included." if 1 in seeds else ""
    return (
        f"Choice for Y1 without its labels: each score is the mean over seeds on {selection['n_validation']:,} "
        f"validation galaxies, the accuracy that on {selection['n_test']:,} test galaxies "
        f"({DATA_NAMES[selection['data']]}). Regret is the accuracy of the best run, or single network, minus that of "
        f"the one chosen, with its 95 % interval over resamples of {drawn}, each with a choice and a best run of its "
        "own. Rank correlation is Spearman's, of score and accuracy over all networks, 1 where the score orders them "
        f"as the labels do.{alone}"
    )


def selection_verdicts(selection):
    """Which scores choose the best run, and what the others cost, in one sentence or two."""
    found = {SCORES[score][0]: choice for score, choice in selection["choices"].items()}
    best = [title for title, choice in found.items() if choice["run"] == selection["oracle"]["run"]]
    others = [title for title in found if title not in best]
    names = f"the best run by the labels of Y1, {selection['oracle']['run']}"
    if len(selection["runs"]) == 1:
        return []
    sentences = [f"{_listed(best)} choose{'s' * (len(best) == 1)} {names}." if best else f"No score chooses {names}."]
    if others:
        worst = max(others, key=lambda title: found[title]["regret"]["value"])
        points = _points(found[worst]["regret"])
        sentences.append(f"{_listed(others)} do{'es' * (len(others) == 1)} not; {worst} costs most, {points} points.")
    return sentences


def selection_markdown(selection):
    """The table with its caption and verdict, as Markdown."""
    lines = [
        f"**{selection_caption(selection)}**",
        "",
        *markdown_table(selection_header(selection), selection_rows(selection)),
        "",
        *(f"- {sentence}" for sentence in selection_verdicts(selection)),
    ]
    return "\n".join(lines) + "\n"


def network_name(network):
    """Name of a single network from its run and number."""
    return f"{network[0]}, seed {network[1]}"


def _points(score):
    """A difference of accuracies in percentage points with its interval."""
    low, high = (100 * bound for bound in score["interval"])
    return f"{100 * score['value']:.1f} ({low:.1f} to {high:.1f})"


def _listed(names):
    """Names in a sentence, the first letter a capital."""
    text = ", ".join(names[:-1]) + " and " * (len(names) > 1) + names[-1]
    return text[0].upper() + text[1:]
