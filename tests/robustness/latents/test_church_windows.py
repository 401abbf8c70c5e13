import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.robustness.latents.church_windows import church_window, common_triplet, pixel_church_window
from tests.support.latents import N_LATENT, toy_head


@pytest.fixture
def triplet():
    """Latents of a base, an attacked and a noisy image with three different classes, and the head."""
    kernel, bias = toy_head(n_classes=4)
    latents = np.random.default_rng(4).normal(size=(400, N_LATENT)) * 2
    classes = (latents @ kernel + bias).argmax(axis=1)
    return [latents[classes == index][0] for index in (0, 1, 2)], kernel, bias


@pytest.mark.parametrize("orthonormal", [False, True])
def test_corners_of_a_church_window_are_the_predictions_of_the_head(triplet, orthonormal):
    latents, kernel, bias = triplet
    window = church_window(*latents, kernel, bias, orthonormal=orthonormal)
    assert window.given == (0, 1, 2)
    for (x, y), given, latent in zip(((0, 0), window.attacked, window.noisy), window.given, latents):
        column, row = (np.abs(window.coordinates - value).argmin() for value in (x, y))
        assert window.classes[row, column] == given
        if not orthonormal:  # the images lie on the grid itself
            assert (window.coordinates[column], window.coordinates[row]) == (x, y)
            assert window.logits[row, column] == pytest.approx(latent @ kernel + bias)


def test_a_published_window_has_its_axes_and_grid(triplet):
    window = church_window(*triplet[0], *triplet[1:])
    assert window.logits.shape == (221, 221, 4) and window.coordinates[[0, -1]] == pytest.approx([-1.1, 1.1])
    (base, attacked, noisy), kernel, bias = triplet
    for column, row in ((0, 0), (30, 170), (220, 100)):
        x, y = window.coordinates[[column, row]]
        point = base + x * (attacked - base) + y * (noisy - base)
        assert window.logits[row, column] == pytest.approx(point @ kernel + bias)


def test_an_orthonormal_window_keeps_lengths(triplet):
    (base, attacked, noisy), kernel, bias = triplet
    window = church_window(base, attacked, noisy, kernel, bias, orthonormal=True)
    assert np.hypot(*window.attacked) == pytest.approx(np.linalg.norm(attacked - base)) == window.lengths[0]
    assert np.hypot(*window.noisy) == pytest.approx(np.linalg.norm(noisy - base)) == window.lengths[1]
    assert np.hypot(*np.subtract(window.attacked, window.noisy)) == pytest.approx(np.linalg.norm(attacked - noisy))
    cosine = np.dot(window.attacked, window.noisy) / np.prod(window.lengths)
    assert np.degrees(np.arccos(cosine)) == pytest.approx(window.angle)
    assert window.coordinates[-1] >= max(window.lengths)


@pytest.mark.parametrize("orthonormal", [False, True])
def test_borders_are_where_two_logits_are_equal_and_no_other_is_larger(triplet, orthonormal):
    (base, attacked, noisy), kernel, bias = triplet
    window = church_window(base, attacked, noisy, kernel, bias, orthonormal=orthonormal)
    assert len(window.borders) >= 2
    origin = base @ kernel + bias
    # Logits are linear on the plane; three grid points give them, not the code under test.
    corner, scale = len(window.coordinates) // 2, window.coordinates[-1]
    slopes = [(window.logits[at] - origin) / scale for at in ((corner, -1), (-1, corner))]
    for border in window.borders:
        for fraction in (0, 0.3, 1):
            x, y = (1 - fraction) * border.ends[0] + fraction * border.ends[1]
            logits = origin + x * slopes[0] + y * slopes[1]
            p, q = border.classes
            assert logits[p] == pytest.approx(logits[q], abs=1e-9)
            assert logits.max() - logits[p] < 1e-9
        assert np.abs(border.ends).max() <= scale * (1 + 1e-12)


def test_every_change_of_class_on_the_grid_is_at_a_border(triplet):
    window = church_window(*triplet[0], *triplet[1:])
    changes = np.argwhere(window.classes[:, 1:] != window.classes[:, :-1])
    assert len(changes) > 100
    for row, column in changes:
        here = window.coordinates[[column, row]] + [0.005, 0]
        pair = {int(window.classes[row, column]), int(window.classes[row, column + 1])}
        gaps = []
        for border in window.borders:
            if set(border.classes) == pair:
                along = border.ends[1] - border.ends[0]
                fraction = np.clip((here - border.ends[0]) @ along / (along @ along), 0, 1)
                gaps.append(np.linalg.norm(border.ends[0] + fraction * along - here))
        # Between two points lies the border of their classes, or a sliver of a third class too thin for the grid.
        assert gaps and min(gaps) < 0.012


def test_a_window_needs_a_flip(triplet):
    (base, attacked, noisy), kernel, bias = triplet
    for wrong in (base, np.full(N_LATENT, np.nan)):
        with pytest.raises(ValueError, match="attacked image .* was it flipped"):
            church_window(base, wrong, noisy, kernel, bias)
    with pytest.raises(ValueError, match="on one line"):
        church_window(base, attacked, 2 * attacked - base, kernel, bias, orthonormal=True)


def test_pixel_window_of_a_linear_classifier_is_its_latent_window():
    rng = np.random.default_rng(5)
    images = rng.normal(size=(3, 4, 4, 3)) * 1000
    kernel, bias = rng.normal(size=(48, 3)), rng.normal(size=3)

    def classify(stamps):
        assert stamps.dtype == np.float32 and len(stamps) <= 10
        return stamps.reshape(len(stamps), -1) @ kernel + bias

    found = pixel_church_window(classify, *images, step=0.1, batch_size=10)
    exact = church_window(*images.reshape(3, -1), kernel, bias, step=0.1)
    assert found.logits.shape == (23, 23, 3)
    assert found.logits == pytest.approx(exact.logits, rel=1e-4, abs=1e-2)  # float32 images of a thousand
    assert (found.given, found.lengths, found.borders) == (exact.given, exact.lengths, ())


def test_pixel_window_shows_a_curved_border():
    # Class 1 beyond 30.5 nJy from nothing, in all pixels together: a circle where axes are at right angles.
    image, attacked, noisy = np.zeros((3, 5, 5, 3))
    attacked[1, 2, 0], noisy[3], noisy[1, 2, 0] = 40.0, 5.0, 10.0
    norm = 30.5  # between the radii of all grid points

    def classify(stamps):
        length = np.linalg.norm(stamps.reshape(len(stamps), -1), axis=1)
        return np.stack([norm - length, length - norm], axis=1)

    window = pixel_church_window(classify, image, attacked, noisy, orthonormal=True, step=0.05)
    y, x = np.meshgrid(window.coordinates, window.coordinates, indexing="ij")
    assert np.array_equal(window.classes == 1, np.hypot(x, y) > norm)
    assert 0 < window.classes.mean() < 1


def test_the_common_triplet_is_typical_and_flipped_in_all():
    def table(flipped, given, margin):
        n = len(flipped)
        return Table({"obj_id": np.arange(n)[::-1], "copy": np.zeros(n, int), "flipped": flipped,
                      "attacked_class": given, "margin_before": margin})  # fmt: skip

    first = table([1, 1, 1, 1, 0], [2, 2, 2, 1, -1], [1.0, 2.0, 9.0, 2.0, 2.0])
    second = table([1, 1, 1, 1, 1], [2, 2, 2, 2, 2], [0.1, 0.5, 0.7, 0.5, 0.5])
    assert common_triplet([first, second[::-1]]) == [1, 3]
    assert common_triplet([first[:1], second[1:]]) is None


def test_logits_of_nan_have_no_church_window(triplet):
    latents, kernel, bias = triplet
    with pytest.raises(ValueError, match="the logits of the base image are not finite: no church window"):
        church_window(*latents, np.full_like(kernel, np.nan), bias)
    images = np.random.default_rng(0).normal(size=(3, 4, 4, 1))
    images[2] = 9
    with pytest.raises(ValueError, match="the logits of the noisy image are not finite"):
        pixel_church_window(lambda stamps: np.where(stamps > 8, np.nan, stamps)[:, 0, :3, 0], *images)


def test_a_point_whose_logits_are_nan_has_no_class(triplet):
    images = np.random.default_rng(0).normal(size=(3, 4, 4, 1))

    def classify(stamps):  # none beyond the attacked image
        along = np.tensordot(stamps - images[0], images[1] - images[0], 3) / ((images[1] - images[0]) ** 2).sum()
        return np.where(along[:, None] > 1.01, np.nan, stamps.reshape(len(stamps), -1)[:, :3])

    window = pixel_church_window(classify, *images, step=0.1)
    without = np.isnan(window.logits).all(axis=-1)
    assert without.any() and (window.classes[without] == -1).all() and (window.classes[~without] >= 0).all()
