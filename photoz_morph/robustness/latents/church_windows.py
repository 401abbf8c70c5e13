"""Church windows: the classes on the plane through an image, the attacked one and the noisy one.

`church_window` is that of the latent space, exact, for the head is linear: the classes are polygons, and their borders
straight. `pixel_church_window` is that of the images themselves, from any classifier, sampled; its borders are curved.
Both are drawn by `morph/report/figures/latents.py`.
"""

from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from photoz_morph.metrics.classification import predicted_class

EXTENT, STEP = 1.1, 0.01  # of the published windows, 221 points a side (Ciprijanovic et al. 2021, and its code)
PIXEL_STEP = 0.02  # our choice: 12,321 images
BATCH_SIZE = 64


@dataclass(frozen=True)
class ChurchWindow:
    """Classes on a plane.

    Attributes
    ----------
    coordinates : ndarray, shape (m,)
        Of the grid, along both axes.
    logits : ndarray, shape (m, m, n_classes)
        [row, column] is at y = coordinates[row], x = coordinates[column].
    borders : tuple of Border
        The straight borders inside the window; none where they are curved.
    attacked, noisy : tuple of (float, float)
        Where these images lie; the base is at (0, 0).
    lengths : tuple of (float, float)
        Of the steps to the attacked and to the noisy image, in the units of the space.
    angle : float
        Between the two steps [deg].
    given : tuple of (int, int, int)
        Class given to the base, the attacked and the noisy image themselves.
    orthonormal : bool
        Whether both axes are at right angles and in the units of the space, or the two steps themselves are.
    """

    coordinates: np.ndarray
    logits: np.ndarray
    borders: tuple
    attacked: tuple
    noisy: tuple
    lengths: tuple
    angle: float
    given: tuple
    orthonormal: bool

    @property
    def classes(self):
        """Class given at each point, shape (m, m)."""
        return predicted_class(self.logits)


@dataclass(frozen=True)
class Border:
    """Line on which two classes are equally likely and no other is likelier.

    Attributes
    ----------
    classes : tuple of (int, int)
    ends : ndarray, shape (2, 2)
        x, y of both ends.
    """

    classes: tuple
    ends: np.ndarray


def church_window(base, attacked, noisy, kernel, bias, extent=EXTENT, step=STEP, orthonormal=False):
    """Church window of a galaxy in latent space, exact.

    Parameters
    ----------
    base, attacked, noisy : ndarray, shape (n_latent,)
        Latents of the image, the image with one pixel changed, and the image with the noise of Y1.
    kernel : ndarray, shape (n_latent, n_classes)
    bias : ndarray, shape (n_classes,)
        Of the head.
    extent : float
        Half the side of the window. As published, x = 1 is the attacked image and y = 1 the noisy one, whatever the
        lengths of the steps and the angle between them. If orthonormal, in units of the longer step.
    step : float
        Between points, in the same units.
    orthonormal : bool
        x along the step to the attacked image, y at right angles to it, both in latent units: the true shape.

    Returns
    -------
    ChurchWindow

    Raises
    ------
    ValueError
        If a latent or its logits are not finite, a step has no length, or an orthonormal window has steps along one
        line.

    Notes
    -----
    Ciprijanovic et al. (2021), Fig. 2, after Warde-Farley & Goodfellow (2016). There every point goes through the
    output layer; here logits(x, y) = L_0 + x a W + y n W in one product.
    """
    base, attacked, noisy, kernel = (np.asarray(part, float) for part in (base, attacked, noisy, kernel))
    axes, plane = _axes(base, attacked, noisy, orthonormal)
    coordinates = _coordinates(extent, step, plane)
    bias = np.asarray(bias, float)
    plane["given"] = _given(np.stack([base, attacked, noisy]) @ kernel + bias)
    origin, slopes = base @ kernel + bias, axes @ kernel
    logits = origin + coordinates[:, None] * slopes[0] + coordinates[:, None, None] * slopes[1]
    half = extent * _unit(plane)
    return ChurchWindow(coordinates, logits, _borders(origin, slopes, half), **plane)


def pixel_church_window(
    classify, image, attacked, noisy, extent=EXTENT, step=PIXEL_STEP, orthonormal=False, batch_size=BATCH_SIZE,
    progress=False,
):  # fmt: skip
    """Church window of a galaxy in the space of its images, with one query per point.

    Parameters
    ----------
    classify : callable
        Images of shape (n, height, width, n_bands), float32 [nJy], to logits (n, n_classes).
    image, attacked, noisy : ndarray, shape (height, width, n_bands)
        The image, the one with a pixel changed, and the one with the noise of Y1 [nJy].
    extent, step : float
        As for `church_window`; smaller steps need more queries.
    orthonormal : bool
        Lengths are then in nJy.
    batch_size : int
    progress : bool

    Returns
    -------
    ChurchWindow
        Without borders, which are curved.

    Raises
    ------
    ValueError
        As `church_window`.

    Notes
    -----
    The church window of Warde-Farley & Goodfellow (2016): x and y are added to the image.
    """
    image, attacked, noisy = (np.asarray(part, float) for part in (image, attacked, noisy))
    axes, plane = _axes(image.ravel(), attacked.ravel(), noisy.ravel(), orthonormal)
    axes = axes.reshape(2, *image.shape)
    plane["given"] = _given(classify(np.stack([image, attacked, noisy]).astype(np.float32)))
    coordinates = _coordinates(extent, step, plane)
    y, x = (part.ravel() for part in np.meshgrid(coordinates, coordinates, indexing="ij"))
    logits = []
    with tqdm(total=len(x), desc="church window", unit=" images", disable=not progress) as bar:
        for start in range(0, len(x), batch_size):
            part = slice(start, start + batch_size)
            weights = np.stack([x[part], y[part]], axis=1)
            logits.append(np.asarray(classify((image + np.tensordot(weights, axes, axes=1)).astype(np.float32))))
            bar.update(len(logits[-1]))
    logits = np.concatenate(logits).reshape(len(coordinates), len(coordinates), -1)
    return ChurchWindow(coordinates, logits, (), **plane)


def common_triplet(attacks):
    """Row, in each table, of a typical galaxy that was flipped in every run.

    Parameters
    ----------
    attacks : list of Table
        See `attack_tables`: obj_id, copy, flipped, attacked_class, margin_before.

    Returns
    -------
    list of int, or None
        None where no galaxy was flipped in all.

    Notes
    -----
    Our choice: of the galaxies that all runs give the same new class, or of all where there are none such, the one
    whose margins before the attack are nearest to the medians, in sorted rank. Nothing is picked by eye.
    """
    rows = [{key: row for row, key in enumerate(_keys(table)) if table["flipped"][row]} for table in attacks]
    common = sorted(set.intersection(*(set(part) for part in rows)))
    if not common:
        return None
    found = np.array([[part[key] for part in rows] for key in common])
    given = np.stack([np.asarray(table["attacked_class"])[found[:, i]] for i, table in enumerate(attacks)], axis=1)
    same = (given == given[:, :1]).all(axis=1)
    found = found[same] if same.any() else found
    margin = np.stack([np.asarray(table["margin_before"])[found[:, i]] for i, table in enumerate(attacks)], axis=1)
    rank = margin.argsort(axis=0).argsort(axis=0) / max(len(found) - 1, 1)
    return found[np.abs(rank - 0.5).max(axis=1).argmin()].tolist()


def _keys(table):
    """obj_id and copy of each row."""
    return list(zip(np.asarray(table["obj_id"]).tolist(), np.asarray(table["copy"]).tolist()))


def _axes(base, attacked, noisy, orthonormal):
    """Both axes of the plane, shape (2, n), and where the two images lie on it."""
    steps = np.stack([attacked - base, noisy - base])
    lengths = np.linalg.norm(steps, axis=1)
    for name, length in zip(("attacked", "noisy"), lengths):
        if not np.isfinite(length) or length == 0:
            raise ValueError(f"the {name} image lies {length:g} from the base: no church window; was it flipped?")
    cosine = np.clip(steps[0] @ steps[1] / lengths.prod(), -1, 1)
    plane = {"lengths": tuple(lengths.tolist()), "angle": float(np.degrees(np.arccos(cosine)))}
    if not orthonormal:
        return steps, plane | {"attacked": (1.0, 0.0), "noisy": (0.0, 1.0), "orthonormal": False}
    first = steps[0] / lengths[0]
    rest = steps[1] - (steps[1] @ first) * first
    height = np.linalg.norm(rest)
    if height < 1e-6 * lengths[1]:  # latents are float32
        raise ValueError("the attacked and the noisy image lie on one line with the base: no orthonormal church window")
    places = {"attacked": (float(lengths[0]), 0.0), "noisy": (float(steps[1] @ first), float(height))}
    return np.stack([first, rest / height]), plane | places | {"orthonormal": True}


def _given(logits):
    """Classes of the three images; raises a ValueError if one has none."""
    given = predicted_class(logits)
    for name, number in zip(("base", "attacked", "noisy"), given):
        if number < 0:
            raise ValueError(f"the logits of the {name} image are not finite: no church window; check the network")
    return tuple(given.tolist())


def _unit(plane):
    """Unit of extent and step."""
    return max(plane["lengths"]) if plane["orthonormal"] else 1.0


def _coordinates(extent, step, plane):
    """Points of the grid along an axis; 0 is one of them exactly, and 1 where a step leads there."""
    half = int(np.floor(extent / step + 1e-9))
    return np.arange(-half, half + 1) * step * _unit(plane)


def _borders(origin, slopes, half):
    """Borders of classes with logits origin + (x, y) @ slopes, inside a square of that half side."""
    borders = []
    for p in range(len(origin)):
        for q in range(p):
            normal = slopes[:, p] - slopes[:, q]
            if not normal.any():
                continue
            point = -(origin[p] - origin[q]) * normal / (normal @ normal)
            along = np.array([-normal[1], normal[0]]) / np.linalg.norm(normal)
            # Each condition is offset + slope t >= 0 at point + t along: in the square, and p above all others.
            conditions = [(half - sign * at, -sign * by) for at, by in zip(point, along) for sign in (1, -1)]
            for r in set(range(len(origin))) - {p, q}:
                gap, slope = origin[p] - origin[r], slopes[:, p] - slopes[:, r]
                conditions.append((gap + point @ slope, along @ slope))
            ends = _clip(conditions)
            if ends:
                borders.append(Border((q, p), np.array([point + t * along for t in ends])))
    return tuple(borders)


def _clip(conditions):
    """Both ends of the t with offset + slope t >= 0 for every (offset, slope), or None where there is none."""
    low, high = -np.inf, np.inf
    for offset, slope in conditions:
        if slope > 0:
            low = max(low, -offset / slope)
        elif slope < 0:
            high = min(high, -offset / slope)
        elif offset < 0:
            return None
    return (low, high) if low < high else None
