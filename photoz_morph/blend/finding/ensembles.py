"""Detections of several networks as one: boxes that overlap are of one source.

Maps can be averaged, boxes cannot: which of the networks' boxes mean the same source has to be found first. Those
that overlap the surest one that is not yet taken, at most one of each network, are a source, whose box is their mean
weighted by score. Its score is the sum of theirs over the number of networks: what one network alone sees has a low one
(weighted boxes fusion; Solovyev et al. 2021, arXiv 1910.13302, Sec. 3, with one box of each network).
"""

import numpy as np

from photoz_morph.metrics.detection import box_overlap


def fused(parts, min_iou=0.5, max_detections=100):
    """Sources of an image by several networks.

    Parameters
    ----------
    parts : list of dict of str to ndarray
        Of each network `boxes` (n, 4), `scores` (n,), and further arrays of detections, such as `probabilities` and
        masks on the pixels of the image, which are averaged like the boxes.
    min_iou : float
        Overlap above which boxes are of one source.
    max_detections : int

    Returns
    -------
    dict of str to ndarray
        The same, from the highest score to the lowest.
    """
    member = np.concatenate([np.full(len(part["scores"]), number) for number, part in enumerate(parts)])
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    overlap = box_overlap(joined["boxes"], joined["boxes"])
    is_free, groups = np.ones(len(member), bool), []
    for first in np.argsort(-joined["scores"], kind="stable"):
        if not is_free[first]:
            continue
        group = [first]
        for number in set(range(len(parts))) - {member[first]}:
            own = np.flatnonzero(is_free & (member == number) & (overlap[first] > min_iou))
            group += [own[overlap[first, own].argmax()]] if len(own) else []
        is_free[group] = False
        groups.append(group)
    scores = np.array([joined["scores"][group].sum() for group in groups]) / len(parts)
    order = np.argsort(-scores, kind="stable")[:max_detections]
    found = {
        name: np.array([np.average(values[groups[k]], axis=0, weights=joined["scores"][groups[k]]) for k in order],
                       values.dtype).reshape(len(order), *values.shape[1:])
        for name, values in joined.items()
    }  # fmt: skip
    return {**found, "scores": scores[order].astype(np.float32)}
