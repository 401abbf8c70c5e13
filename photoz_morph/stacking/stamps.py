"""Stamps of many galaxies from the frames that overlap them, each frame opened once.

Two engines make a stamp of the frames: `swarp`, the program, from small cuts, and `lanczos`, its rules in NumPy. Either
goes through the frames of a band in order, takes from each what the stamps need, and combines the layers of a stamp
when its last frame is through.
"""

from dataclasses import dataclass

import numpy as np

from photoz_morph.stacking.frame_index import overlapping_frames
from photoz_morph.stacking.frames import CUT_MARGIN, cut_frame
from photoz_morph.stacking.lanczos import combine_layers, oversampling, resample
from photoz_morph.stacking.pixels import FramePixels
from photoz_morph.stacking.swarp import coadd

ENGINES = ("lanczos", "swarp")
HELD_LAYERS_BYTES = 2**27  # of the stamps that wait for their last frame


@dataclass(frozen=True)
class StackSettings:
    """How stamps are made: survey, engine, combination, and the path and version of SWarp ("" for its own engine)."""

    survey: object
    engine: str = "lanczos"
    combine: str = "median"
    swarp: str = "SWarp"
    swarp_version: str = ""


@dataclass(frozen=True)
class Stamps:
    """Stamps of n galaxies.

    Attributes
    ----------
    images : ndarray, shape (n, size, size, n_bands), float32
        [unit of the survey], NaN where there is a reason against them.
    weights : ndarray, shape (n, n_bands), float32
        Inverse variance of the central pixel.
    n_frames : ndarray of int32, shape (n, n_bands)
    reasons : list of str
        Why a stamp is not good, or "".
    spoilers : list of list of str
        Paths of the frames that are damaged or blank there.
    """

    images: np.ndarray
    weights: np.ndarray
    n_frames: np.ndarray
    reasons: list
    spoilers: list


def stack_galaxy(index, ra, dec, survey, combine="median", swarp="SWarp", engine="swarp"):
    """Stacks of one galaxy in all bands.

    Parameters
    ----------
    index : FrameIndex
    ra, dec : float
        Position [deg].
    survey : Survey
    combine : {"median", "average"}
    swarp : str
        Name or path of the program.
    engine : {"swarp", "lanczos"}

    Returns
    -------
    images : ndarray, shape (size, size, n_bands), float32
        [unit of the survey], 0 where the weight is 0.
    weights : ndarray, shape (size, size, n_bands), float32
        Inverse variance [unit of the survey ** -2], 0 where no frame has a good pixel.
    n_frames : ndarray of int, shape (n_bands,)
        Number of frames used.
    """
    frames = overlapping_frames(index, ra, dec, survey.stamp_size * survey.pixel_scale)
    bands = [
        stack_band(frames[frames["band"] == band], ra, dec, survey, combine, swarp, engine) for band in survey.bands
    ]
    images, weights, n_frames = zip(*bands)
    return np.stack(images, axis=-1), np.stack(weights, axis=-1), np.array(n_frames)


def stack_band(frames, ra, dec, survey, combine="median", swarp="SWarp", engine="swarp"):
    """Stack of one galaxy in one band from all given frames.

    Parameters
    ----------
    frames : FrameIndex
        Frames of one band that overlap the stamp.
    ra, dec, survey, combine, swarp, engine
        As for `stack_galaxy`.

    Returns
    -------
    image, weight : ndarray, shape (size, size), float32
        As from `stack_galaxy`.
    n_frames : int
        Number of frames used.

    Raises
    ------
    ValueError
        If a frame is damaged.
    RuntimeError
        If SWarp fails.
    """
    size = survey.stamp_size
    if len(frames) == 0:
        return np.zeros((size, size), np.float32), np.zeros((size, size), np.float32), 0
    settings, pixels = StackSettings(survey, engine, combine, swarp), FramePixels(survey, 0)
    n_sub = oversampling(frames[0], survey)
    layers = [_layer(frame, *pixels(frame), ra, dec, n_sub, settings) for frame in frames]
    return *_combined(layers, frames[0], ra, dec, settings), len(frames)


def stack_targets(frames, starts, rows, ra, dec, settings, pixels, bar):
    """Stamps around some positions in all bands.

    Parameters
    ----------
    frames : FrameIndex
    starts, rows : ndarray of int
        From `FrameIndex.overlaps`: the frames of position i are `rows[starts[i]:starts[i + 1]]`.
    ra, dec : ndarray, shape (n,)
        Positions [deg].
    settings : StackSettings
    pixels : FramePixels
    bar : tqdm
        Counts stamps of one band.

    Returns
    -------
    Stamps

    Raises
    ------
    RuntimeError
        If SWarp fails.
    """
    survey, n = settings.survey, len(ra)
    stamps = Stamps(
        np.zeros((n, *survey.image_shape), np.float32), np.zeros((n, survey.n_bands), np.float32),
        np.zeros((n, survey.n_bands), np.int32), [[] for _ in range(n)], [[] for _ in range(n)],
    )  # fmt: skip
    targets = np.repeat(np.arange(n), np.diff(starts))
    bands = frames["band"][rows]
    for b, band in enumerate(survey.bands):
        of_band = bands == band
        pairs = np.stack([targets[of_band], rows[of_band]], axis=1)
        stamps.n_frames[:, b] = np.bincount(pairs[:, 0], minlength=n)
        for i in np.flatnonzero(stamps.n_frames[:, b] == 0):
            stamps.reasons[i].append(f"no frame of band {band} covers it")
            bar.update()
        for group in _groups(pairs, held_layers(settings)):
            _stack_group(frames, group, b, ra, dec, settings, pixels, stamps, bar)
    for i, reasons in enumerate(stamps.reasons):
        stamps.reasons[i] = "; ".join(reasons)
        if reasons:
            stamps.images[i] = np.nan
    return stamps


def held_layers(settings):
    """Number of layers of single frames that are held: of the size of a stamp, or for SWarp of a cut around it."""
    side = settings.survey.stamp_size
    if settings.engine == "swarp":
        side = np.sqrt(2) * side + 2 * CUT_MARGIN  # if frames have the pixels of stamps
    return max(int(HELD_LAYERS_BYTES / (4 * side**2)), 1)


def _groups(pairs, most):
    """Pairs of a target and a frame in groups of whole targets that have so many frames at most, or of one target."""
    if not len(pairs):
        return
    targets, first, number = np.unique(pairs[:, 0], return_index=True, return_counts=True)
    first_frame = pairs[first, 1]
    ordered = np.argsort(first_frame, kind="stable")  # neighbours on a frame together
    group = (np.cumsum(number[ordered]) - 1) // most
    group_of = np.zeros(pairs[:, 0].max() + 1, np.int64)
    group_of[targets[ordered]] = group
    for one in range(group[-1] + 1):
        yield pairs[group_of[pairs[:, 0]] == one]


def _stack_group(frames, pairs, b, ra, dec, settings, pixels, stamps, bar):
    """Stack some targets in band number b, given as (target, frame), frame after frame."""
    targets, first, number = np.unique(pairs[:, 0], return_index=True, return_counts=True)
    left, layers, spoilt, first_of = dict(zip(targets, number)), {}, {}, dict(zip(targets, pairs[first, 1]))
    n_sub = {}
    for row in np.unique(pairs[:, 1]):
        frame, damage = frames[row], ""
        n_sub[row] = oversampling(frame, settings.survey)
        try:
            image, noise = pixels(frame)
        except ValueError as error:
            damage = str(error)
        for i in pairs[pairs[:, 1] == row, 0]:
            reason = damage or pixels.why_blank(frame, image, ra[i], dec[i])
            if reason:
                spoilt.setdefault(i, []).append(pixels.spoils(frame, reason))
                stamps.spoilers[i].append(frame["path"])
            elif i not in spoilt:
                layer = _layer(frame, image, noise, ra[i], dec[i], n_sub[first_of[i]], settings)
                layers.setdefault(i, []).append(layer)
            left[i] -= 1
            if left[i] == 0:
                if i in spoilt:
                    layers.pop(i, None)
                    stamps.reasons[i] += spoilt[i]
                else:
                    made = _combined(layers.pop(i), frames[first_of[i]], ra[i], dec[i], settings)
                    _finish(stamps, i, b, *made, settings.survey)
                bar.update()


def _layer(frame, image, noise, ra, dec, n_sub, settings):
    """What a stamp needs of a frame: a cut for SWarp, or the layer on its pixels."""
    survey = settings.survey
    if settings.engine == "swarp":
        return cut_frame(frame, image, ra, dec, survey.stamp_size * survey.pixel_scale)
    return resample(frame, image, noise, ra, dec, survey, n_sub)


def _combined(layers, first, ra, dec, settings):
    """Image and weight of a stamp."""
    if settings.engine == "lanczos":
        return combine_layers(layers, settings.combine, settings.survey)
    try:
        return coadd(layers, ra, dec, settings.survey, settings.combine, settings.swarp)
    except RuntimeError as error:
        raise RuntimeError(
            f"band {first['band']} at ra={ra:.6f}, dec={dec:.6f}, {len(layers)} frames, the first is {first['path']}: "
            f"{error}"
        ) from error


def _finish(stamps, i, b, image, weight, survey):
    """Put a stamp of one band in its place, with what is wrong with it."""
    center, band = survey.stamp_size // 2, survey.bands[b]
    stamps.images[i, :, :, b] = image
    stamps.weights[i, b] = weight[center, center]
    brightest = 10 ** (0.4 * survey.zero_point)  # all of a star of magnitude 0 in one pixel
    if weight.min() > 0 and np.abs(image).max() <= brightest:
        return
    is_finite = np.isfinite(image)
    n_empty = np.count_nonzero((weight <= 0) | ~is_finite)
    n_absurd = np.count_nonzero(is_finite & (np.abs(image) > brightest))
    if n_empty:
        stamps.reasons[i].append(f"{n_empty} of {weight.size} pixels of band {band} have no data")
    elif n_absurd:
        stamps.reasons[i].append(f"{n_absurd} pixels of band {band} outshine any star; download its frames again")
