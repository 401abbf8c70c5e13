"""Images with the sources that are there and those that were found: boxes, maps of sources and of classes."""

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import hsv_to_rgb, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from photoz_morph.blend.report.style import CLASS_COLOURS, FALSE, FOUND, MISSED, OTHER
from photoz_morph.metrics.segmentation import class_map, match_segments, overlap_counts
from photoz_morph.report.images import BAND_SCALES, asinh_colours
from photoz_morph.report.style import legend_below

# Our choices: the stretch turns from linear to logarithmic at so many sigma of the reddest band, and is white at ...
SOFTENING_SIGMA, WHITE_SIGMA = 2.0, 300.0
LARGE, DPI = 400, 150  # pixels of an image that is shown once, and of an inch of a saved figure
GOLDEN = 0.618034  # steps of hue that never come near each other again
UNMATCHED = (0.45, 0.45, 0.45)  # of found pieces without a partner


def composite(image, sigma, bands):
    """Colours of an image, in i, r, g where it has these bands, else in its last, middle and first.

    Parameters
    ----------
    image : ndarray, shape (height, width, n_bands)
        Sky subtracted.
    sigma : ndarray, shape (n_bands,) or (height, width, n_bands)
        Noise.
    bands : tuple of str

    Returns
    -------
    ndarray, shape (height, width, 3), float32
        Between 0 and 1; a single band is grey.
    """
    image, n_bands = np.asarray(image, float), len(bands)
    known = all(band in bands for band in BAND_SCALES)
    chosen = [bands.index(band) for band in BAND_SCALES] if known else [n_bands - 1, n_bands // 2, 0]
    sigma = np.asarray(sigma, float)
    sigma = np.array([_typical(sigma[..., column]) for column in chosen])
    # Bands of unknown colours are as bright as each other where they have the same noise.
    scales = np.array(list(BAND_SCALES.values())) if known else sigma[0] / sigma
    return asinh_colours(image[..., chosen] * scales, SOFTENING_SIGMA * sigma[0], WHITE_SIGMA * sigma[0])


def _typical(sigma):
    """Median of the finite noise of a band."""
    return np.median(sigma[np.isfinite(sigma)])


def truth_overlay(example, title):
    """An image with its true and its found boxes, segmentations and class maps, the truth above.

    Parameters
    ----------
    example : dict
        `scene`, a Scene with its truth; `found`, the table of detections; `segmentation`, their map; `matched`, shape
        (n,), row of the truth that each detection was matched with, -1 for none; `threshold`, the score below which
        detections do not count.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    scene, found, segmentation = example["scene"], example["found"], example["segmentation"]
    truth, matched = scene.truth, np.asarray(example["matched"])
    counts = np.asarray(found["score"], float) >= example["threshold"]
    target, colours = np.asarray(truth["is_target"], bool), source_colours(len(truth))
    is_found = np.isin(np.arange(len(truth)), matched[counts])
    figure = Figure(figsize=(10.2, 7.6), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.04)
    panels = figure.subplots(2, 3)
    picture = composite(scene.image, scene.sigma, scene.bands)
    marks = [np.where(target, np.where(is_found, FOUND, MISSED), OTHER),
             np.where(matched[counts] < 0, FALSE, np.where(target[matched[counts]], FOUND, OTHER))]  # fmt: skip
    for axes, boxes, of_boxes in zip(panels[:, 0], (truth["box"], found["box"][counts]), marks):
        _show(axes, picture)
        _draw_boxes(axes, boxes, of_boxes)
    partner = _partners(scene.instances, segmentation, len(truth), len(found))
    of_found = np.where(partner[:, None] < 0, UNMATCHED, np.concatenate([colours, [UNMATCHED]])[partner])
    for axes, numbers, of_sources in zip(panels[:, 1], (scene.instances, segmentation), (colours, of_found)):
        _show(axes, np.concatenate([[(0.0, 0.0, 0.0)], of_sources.reshape(-1, 3)])[numbers])
    of_classes = np.array([to_rgb(colour) for colour in CLASS_COLOURS.values()])
    of_classes[0] = 0  # black, as the sky of the other panels
    for axes, numbers, kinds in zip(panels[:, 2], (scene.instances, segmentation), (truth["kind"], found["kind"])):
        _show(axes, of_classes[class_map(numbers, kinds)])
    for axes, text in zip(panels[0], ("image and boxes", "segmentation", "classes")):
        axes.set_title(text, fontsize=11)
    for axes, text in zip(panels[:, 0], ("truth", "found")):
        axes.set_ylabel(text, fontsize=12)
    handles = [Line2D([], [], color=colour, linewidth=2, label=label) for colour, label in (
        (FOUND, "target found"), (MISSED, "target missed"), (OTHER, "no target"), (FALSE, "matches no source"))]
    handles += [Patch(facecolor=colour, label=name) for name, colour in list(CLASS_COLOURS.items())[1:]]
    legend_below(figure, handles, len(handles))
    figure.suptitle(title)
    return figure


def found_overlay(scene, found, segmentation, title):
    """An image of unknown truth with the outlines of its found sources; true positions where they are told.

    A small image is shown without them, too; of a large one each pixel is one of the picture.

    Parameters
    ----------
    scene : Scene
        Sky subtracted.
    found : Table
        With `y` and `x` [pixel], and `label` where some have a text of their own.
    segmentation : ndarray of int, shape (height, width)
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    height, width = scene.image.shape[:2]
    is_large = max(height, width) > LARGE
    picture = composite(scene.image, scene.sigma, scene.bands)
    if is_large:
        outlined = picture.copy()
        outlined[outlines(segmentation)] = to_rgb(FOUND)
        figure = Figure(figsize=(max(width, LARGE) / DPI + 0.2, height / DPI + 0.9), layout="constrained")
        panels, pictures = [figure.subplots()], [outlined]
    else:
        figure = Figure(figsize=(12.4, 6.2 * height / width + 0.9), layout="constrained")
        panels, pictures = list(figure.subplots(1, 2)), [picture, picture]
    for axes, shown in zip(panels, pictures):
        _show(axes, shown)
    size = 4 if is_large else 40
    if not is_large:
        panels[-1].scatter(found["x"], found["y"], s=size, marker="+", color=FOUND, linewidths=0.8)
        panels[-1].add_collection(LineCollection(pixel_borders(segmentation), colors=FOUND, linewidths=1))
    handles = [Line2D([], [], color=FOUND, label=f"{len(found)} found sources")]
    if scene.truth is not None:
        panels[0].scatter(scene.truth["x"], scene.truth["y"], s=6 * size, marker="o", facecolors="none",
                          edgecolors="#FFFFFF", linewidths=1)  # fmt: skip
        handles.append(Line2D([], [], color="none", marker="o", markerfacecolor="none", markeredgecolor="#666666",
                              label=f"{len(scene.truth)} known positions"))  # fmt: skip
    if "label" in found.colnames:
        for row in found[found["label"] != ""]:
            panels[-1].text(row["x"] + 6, row["y"] + 6, row["label"], color="white", fontsize=6)
    legend_below(figure, handles, len(handles))
    figure.suptitle(title)
    return figure


def source_colours(n):
    """Bright colours of n sources, neighbours in the list far apart; shape (n, 3)."""
    number = np.arange(n)
    saturation, value = 0.45 + 0.4 * (number % 3 != 1), 1 - 0.18 * (number % 2)
    return hsv_to_rgb(np.stack([(number * GOLDEN) % 1, saturation, value], axis=1))


def outlines(segmentation):
    """Pixels of sources that touch a pixel of no source or of another, shape (height, width)."""
    padded = np.pad(segmentation, 1, mode="edge")
    edge = np.zeros(segmentation.shape, bool)
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        edge |= np.roll(padded, step, axis)[1:-1, 1:-1] != segmentation
    return edge & (segmentation > 0)


def pixel_borders(segmentation):
    """Lines between pixels of different sources, or of one and none; shape (n, 2, 2): both ends, each x and y."""
    row, column = np.nonzero(segmentation[1:] != segmentation[:-1])
    across = np.stack([np.stack([column + side, row + 0.5], axis=-1) for side in (-0.5, 0.5)], axis=1)
    row, column = np.nonzero(segmentation[:, 1:] != segmentation[:, :-1])
    upright = np.stack([np.stack([column + 0.5, row + side], axis=-1) for side in (-0.5, 0.5)], axis=1)
    return np.concatenate([across, upright]).reshape(-1, 2, 2)


def _partners(instances, segmentation, n_truth, n_found):
    """True source that each found one overlaps best, one for each; -1 for none; shape (n_found,)."""
    partner = np.full(n_found, -1)
    of_truth, _ = match_segments(overlap_counts(instances, segmentation))
    rows = np.flatnonzero(of_truth > 0)
    partner[of_truth[rows] - 1] = rows
    return partner


def _show(axes, picture, interpolation="nearest"):
    """A picture without ticks."""
    axes.imshow(picture, origin="lower", interpolation=interpolation)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _draw_boxes(axes, boxes, colours):
    """Boxes of pixel edges in their colours."""
    for (y0, x0, y1, x1), colour in zip(np.asarray(boxes, float), colours):
        axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=colour, linewidth=1.1))
