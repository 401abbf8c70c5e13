"""Gini-M20 labels against the TNG100 catalogue, closed forms and statmorph."""


import numpy as np
import pytest
from scipy import ndimage

from photoz_morph.mocks.labels import (  # fmt: skip
    CLASS_NAMES,
    boundary_distance,
    bulge_statistic,
    classify,
    gini_coefficient,
    gini_m20,
    merger_statistic,
    second_moment_of_brightest,
)
from tests.support import galaxies
from tests.support.paths import DATA

# Gini and M20 of the images of support/galaxies.py by statmorph 0.7.2, with `statmorph_gini_m20` below.
STATMORPH = {
    ("spiral", 0): (0.5922, -2.2559), ("spiral", 1): (0.5422, -1.9983), ("spiral", 2): (0.5834, -2.4261),
    ("spiral", 3): (0.5079, -1.8406), ("spiral", 4): (0.5891, -2.4402), ("spiral", 5): (0.4887, -1.9389),
    ("spiral", 6): (0.5590, -1.2392), ("elliptical", 0): (0.6054, -2.2325), ("elliptical", 1): (0.5551, -2.0608),
    ("elliptical", 2): (0.5853, -2.0080), ("elliptical", 3): (0.5795, -2.1474), ("elliptical", 4): (0.5360, -1.9201),
    ("elliptical", 5): (0.5993, -2.2679), ("merger", 0): (0.5803, -1.4750), ("merger", 1): (0.6087, -1.5411),
    ("merger", 2): (0.6178, -1.2225), ("merger", 3): (0.5508, -1.2535), ("merger", 4): (0.5850, -1.5791),
    ("merger", 5): (0.5400, -1.2189), ("merger", 7): (0.5373, -0.9999),
}
DETECTION = 3.75e-6  # of the total flux: 1.5 sigma of a ten-year i image per pixel, for a galaxy of i = 16.5


@pytest.fixture(scope="module")
def tng():
    with np.load(DATA / "tng100_gini_m20.npz") as columns:
        return dict(columns)


@pytest.fixture(scope="module")
def measured():
    """Our values for the images of STATMORPH, and statmorph's: shape (n, 2) each."""
    ours = [gini_m20(getattr(galaxies, kind)(seed)) for kind, seed in STATMORPH]
    assert all(ok for _, _, ok in ours)
    return np.array(ours)[:, :2], np.array(list(STATMORPH.values()))


def statmorph_gini_m20(image):
    """Gini and M20 by statmorph, for the piece of the image above the detection threshold that holds its peak."""
    statmorph = pytest.importorskip("statmorph", reason="statmorph, the reference of G and M20, is not installed")

    class OnlyWhatIsAsked(statmorph.SourceMorphology):
        def _calculate_morphology(self):
            """Skip the Sersic fit and other quantities, all of which are computed when first read."""

    pieces, _ = ndimage.label(image > DETECTION)
    label = pieces[np.unravel_index(np.argmax(ndimage.gaussian_filter(image, 5)), image.shape)]
    weightmap = np.full(image.shape, DETECTION / 1.5)
    source = OnlyWhatIsAsked(image, pieces, label, weightmap=weightmap, n_sigma_outlier=0)
    return source.gini, source.m20


def test_all_tng_galaxies_give_the_published_class_counts(tng):
    # 14,312 / 8,151 / 2,542 (Ciprijanovic et al. 2021: 12,710 mergers in five copies): a comparison with -99 is false,
    # so failed measurements were spirals there.
    bare = np.where(classify(tng["gini"], tng["m20"]) < 0, 0, classify(tng["gini"], tng["m20"]))
    assert np.bincount(bare).tolist() == [14312, 8151, 2542]
    of_snapshot = [np.bincount(bare[tng["snapshot"] == snapshot]).tolist() for snapshot in (95, 99)]
    assert of_snapshot == [[7245, 4156, 1069], [7067, 3995, 1473]]


def test_failed_measurements_have_no_class(tng):
    label = classify(tng["gini"], tng["m20"])
    assert np.bincount(label + 1).tolist() == [224, 14088, 8151, 2542]
    np.testing.assert_array_equal(label == -1, tng["gini"] == -99)
    assert classify([np.nan, 0.5, 0.5, np.inf], [-1.7, np.nan, -99.0, -1.7]).tolist() == [-1] * 4


def test_g_and_i_labels_agree_for_four_galaxies_in_five(tng):
    bare = {}
    for band in ("", "_g"):
        label = classify(tng["gini" + band], tng["m20" + band])
        bare[band] = np.where(label < 0, 0, label)
    same = bare[""] == bare["_g"]
    assert np.mean(same) == pytest.approx(0.811, abs=5e-4)
    good = (tng["flag"] == 0) & (tng["flag_g"] == 0)
    assert good.sum() == 19148 and np.mean(same[good]) == pytest.approx(0.850, abs=5e-4)
    assert np.sum(same & (bare[""] == CLASS_NAMES.index("merger"))) == 1840
    assert np.mean(same[bare[""] == CLASS_NAMES.index("elliptical")]) == pytest.approx(0.64, abs=5e-3)
    assert np.sum(tng["flag"] != 0) == 2974


def test_one_galaxy_in_six_is_within_0_01_of_a_cut(tng):
    assert np.mean(boundary_distance(tng["gini"], tng["m20"]) < 0.01) == pytest.approx(0.156, abs=5e-4)


@pytest.mark.parametrize(
    "gini, m20, label",
    [(0.50, -1.70, "spiral"), (0.58, -2.00, "elliptical"), (0.60, -1.00, "merger"), (0.70, -2.5, "merger")],
)
def test_classes_by_hand(gini, m20, label):
    assert CLASS_NAMES[classify(gini, m20)] == label


def test_statistics_are_those_of_rodriguez_gomez():
    rng = np.random.default_rng(1)
    gini, m20 = rng.uniform(0.3, 0.8, 100), rng.uniform(-3, -0.5, 100)
    # The published coefficients have three digits.
    np.testing.assert_allclose(merger_statistic(gini, m20), 0.139 * m20 + 0.990 * gini - 0.327, atol=2e-3)
    np.testing.assert_allclose(bulge_statistic(gini, m20), -0.693 * m20 + 4.95 * gini - 3.96, atol=2e-3)


def test_boundary_distance_is_perpendicular():
    # Steps of 0.03 at right angles from points of the two cuts; one lies on the spiral side.
    normal = np.array([1, 0.14]) / np.hypot(1, 0.14)
    gini, m20 = np.array([-0.14 * -1.0 + 0.33, -1.0]) + 0.03 * normal
    assert boundary_distance(gini, m20) == pytest.approx(0.03)
    normal = np.array([1, -0.14]) / np.hypot(1, 0.14)
    gini, m20 = np.array([0.14 * -2.5 + 0.80, -2.5]) - 0.03 * normal
    assert boundary_distance(gini, m20) == pytest.approx(0.03)


def test_gini_of_known_distributions():
    assert gini_coefficient(np.ones(50)) == pytest.approx(0)
    assert gini_coefficient(np.eye(1, 50)[0]) == pytest.approx(1)
    # Uniform values on [0, 1] have 1/3, exponential ones 1/2.
    quantiles = (np.arange(100_000) + 0.5) / 100_000
    assert gini_coefficient(quantiles) == pytest.approx(1 / 3, abs=1e-4)
    assert gini_coefficient(-np.log(quantiles)) == pytest.approx(1 / 2, abs=1e-4)
    assert np.isnan(gini_coefficient(np.zeros(5))) and np.isnan(gini_coefficient(np.ones(1)))


def test_m20_of_a_gaussian():
    # The brightest 20 % are inside r2 = -2 ln 0.8 (sigma = 1): their share of the second moment is, by integration,
    # 1 - 0.8 (1 - ln 0.8), which is 0.0215.
    y, x = np.indices((401, 401)) - 200
    image = np.exp(-(x**2 + y**2) / (2 * 30**2))
    assert second_moment_of_brightest(image) == pytest.approx(np.log10(1 - 0.8 * (1 - np.log(0.8))), abs=0.01)
    assert np.isnan(second_moment_of_brightest(np.zeros((5, 5))))


def test_statmorph_agrees(measured):
    ours, statmorph = measured
    gini, m20 = np.median(np.abs(ours - statmorph), axis=0)
    assert gini <= 0.015 and m20 <= 0.015


def test_label_is_that_of_statmorph(measured):
    ours, statmorph = measured
    assert np.mean(classify(*ours.T) == classify(*statmorph.T)) >= 0.9
    assert set(classify(*ours.T)) == {0, 1, 2}


@pytest.mark.filterwarnings("ignore:Image is not background-subtracted")
@pytest.mark.parametrize("kind, seed", [("elliptical", 4), ("merger", 3)])
def test_stored_values_are_those_of_the_statmorph_installed(kind, seed):
    image = getattr(galaxies, kind)(seed)
    live = statmorph_gini_m20(image[150:350, 150:350])  # the whole image takes it half a minute
    np.testing.assert_allclose(live, STATMORPH[kind, seed], atol=0.003)


@pytest.mark.parametrize("kind", ["spiral", "elliptical", "merger"])
def test_flux_scale_flips_and_turns_change_nothing(kind):
    image = getattr(galaxies, kind)(3)
    expected = gini_m20(image)[:2]
    np.testing.assert_allclose(gini_m20(1e6 * image)[:2], expected, rtol=1e-6)
    # Blocks of binned pixels and ties between centres do not turn with the image.
    for turned in (image[::-1], image[:, ::-1], image.T):
        np.testing.assert_allclose(gini_m20(turned)[:2], expected, atol=0.005)


def test_faint_distant_companion_does_not_count():
    image = galaxies.elliptical(1)
    companion = galaxies.sersic((60, 440), 5, 1.0, 0.9, 0.0, 0.05)
    np.testing.assert_allclose(gini_m20(image + companion)[:2], gini_m20(image)[:2], atol=0.005)


def test_image_of_another_size_and_dtype():
    image = galaxies.elliptical(4)
    np.testing.assert_allclose(gini_m20(image[70:430, 40:460].astype(np.float32))[:2], gini_m20(image)[:2], atol=0.003)


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan, np.inf])
def test_image_without_a_galaxy_is_not_measured(value):
    gini, m20, ok = gini_m20(np.full((500, 500), value))
    assert not ok and np.isnan(gini) and np.isnan(m20)


def test_galaxy_that_fills_the_image_is_not_measured():
    disk = galaxies.sersic((250, 250), 60, 1.0, 0.8, 0.3, 1.0)  # Petrosian radius about 120 pixels
    assert gini_m20(disk)[2] and not gini_m20(disk[200:300, 200:300])[2]


def test_single_bright_pixel_is_not_measured():
    image = np.zeros((500, 500))
    image[200, 300] = 1.0
    assert not gini_m20(image)[2]


def test_cube_is_refused():
    with pytest.raises(ValueError, match=r"image has shape \(500, 500, 3\); give one band"):
        gini_m20(np.ones((500, 500, 3)))
