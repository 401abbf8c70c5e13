import numpy as np
import pytest

from photoz_morph.mocks.observe import observe
from photoz_morph.morph.robustness.perturbation_scores import (
    clean_scores,
    corruption_error,
    mean_scores,
    read_perturbations,
    severity_scores,
    write_perturbations,
)
from photoz_morph.robustness.perturbations.registry import (
    PERTURBATIONS,
    ObservingContext,
    observing_context,
    perturb,
    perturbation_examples,
)
from photoz_morph.surveys import LSST

SAMPLE, SUM = ObservingContext(LSST), ObservingContext(LSST, binning="sum")
# Electrons per nJy in ten years, by hand: visits x 30 s x 10^(-0.4 (31.4 - zero point)).
ELECTRONS_PER_NJY = np.array([80 * 30 * 0.05546, 184 * 30 * 0.04786, 184 * 30 * 0.03565])
IDS = np.array([7, 11, 5, 123456789012, 40, 2])


def sky_stamps(n=6, context=SAMPLE, seed=0):
    """Stamps of nothing but sky noise."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, 100, 100, 3)) * context.sky_sigma).astype(np.float32)


def blobs(n=6, sigma=4.0, flux=1e8):
    """Round Gaussians in the middle, so bright that the sky does not matter; flux in nJy of each band."""
    rows, columns = np.indices((100, 100)) - 49.5
    profile = np.exp(-0.5 * (rows**2 + columns**2) / sigma**2) / (2 * np.pi * sigma**2)
    return np.broadcast_to(flux * profile[..., None], (n, 100, 100, 3)).astype(np.float32)


def added_electrons(before, after, context):
    """Electrons of the whole exposure that were added, shape (n,), from the numbers above."""
    weight = 25 if context.binning == "sample" else 1
    return ((after.astype(float) - before) * ELECTRONS_PER_NJY / weight).sum(axis=(1, 2, 3))


def test_electrons_and_sky_of_a_stamp_are_those_of_the_mocks():
    np.testing.assert_allclose(25 / SAMPLE.njy_per_electron, ELECTRONS_PER_NJY, rtol=1e-3)
    assert SAMPLE.pixel_arcsec == pytest.approx(1.0) and SUM.n_pixels == 25
    for context in (SAMPLE, SUM):
        stamp = observe(np.zeros((500, 500, 3)), LSST, [10], np.random.default_rng(1), context.binning)[10]
        np.testing.assert_allclose(stamp.std(axis=(0, 1)), context.sky_sigma, rtol=0.03)  # 10,000 pixels: 0.7 %


def test_stamps_without_a_binning_have_no_electrons():
    assert observing_context({"path": "d", "mocks": {"binning": "sum", "fieldkpc": 100.0}}, "lsst") == SUM
    with pytest.raises(ValueError, match="released: does not say binning and fieldkpc .* `morph mock`"):
        observing_context({"path": "released", "mocks": {}}, "lsst")


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_without_severity_images_stay_as_they_are(name):
    images = sky_stamps() + blobs(flux=1e5)
    kept = perturb(name, images, IDS, PERTURBATIONS[name].none, SAMPLE)
    np.testing.assert_array_equal(kept, images)
    assert kept is not images and PERTURBATIONS[name].none not in PERTURBATIONS[name].severities


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_a_galaxy_depends_on_no_other_galaxy_but_on_the_seed(name):
    images = sky_stamps() + blobs(flux=1e5)
    before, severity = images.copy(), PERTURBATIONS[name].severities[2]
    together = perturb(name, images, IDS, severity, SAMPLE, seed=3)
    alone = perturb(name, images[4:5], IDS[4:5], severity, SAMPLE, seed=3)
    np.testing.assert_allclose(alone[0], together[4], atol=1e-3)  # nJy; matrix products may add in another order
    np.testing.assert_array_equal(images, before)
    assert together.dtype == np.float32 and np.isfinite(together).all()
    assert (together != images).any(axis=(1, 2, 3)).all()
    if name != "jpeg":  # the only kind without chance
        assert np.abs(perturb(name, images, IDS, severity, SAMPLE, seed=4) - together).max() > 1


@pytest.mark.parametrize("context", [SAMPLE, SUM], ids=["sample", "sum"])
def test_hot_pixel_adds_its_electrons_to_one_pixel_of_one_band_at_every_severity(context):
    images = sky_stamps(context=context)
    changed = []
    for severity in (1e4, 1e5):
        hot = perturb("hot_pixel", images, IDS, severity, context)
        changed.append(np.argwhere(hot != images))
        assert len(changed[-1]) == len(images) and len(set(changed[-1][:, 0])) == len(images)
        np.testing.assert_allclose(added_electrons(images, hot, context), severity, rtol=2e-3)
    np.testing.assert_array_equal(*changed)
    assert len(set(changed[0][:, 3])) > 1  # not always the same band


def test_dead_pixel_loses_light_and_sky_but_not_the_subtracted_sky():
    images = blobs(flux=1e6)
    dead = perturb("dead_pixel", images, IDS, 1, SAMPLE)
    galaxy, row, column, band = np.nonzero(dead != images)
    assert len(galaxy) == len(images)
    # Without an electron the pixel is minus the sky: 24,114, 127,057 and 183,653 e- in ten years.
    sky = -25 * np.array([24114, 127057, 183653]) / ELECTRONS_PER_NJY
    np.testing.assert_allclose(dead[galaxy, row, column, band], sky[band], rtol=2e-3)
    half = perturb("dead_pixel", images, IDS, 0.5, SAMPLE)
    np.testing.assert_allclose(half, (images + dead) / 2, rtol=1e-5, atol=1e-2)
    # Of 25 summed pixels a dead one takes a 25th of the light and its own sky.
    summed = perturb("dead_pixel", images, IDS, 1, SUM)
    lost = (images - summed)[galaxy, row, column, band]
    np.testing.assert_allclose(lost, images[galaxy, row, column, band] / 25 - sky[band] / 25, rtol=2e-3)


def test_cosmic_ray_keeps_its_electrons_and_its_length():
    images, ids = np.zeros((60, 100, 100, 3), np.float32), np.arange(60)
    hit = perturb("cosmic_ray", images, ids, 1e5, SUM)
    touched = (hit > 0).any(axis=3)
    inside = ~(touched[:, [0, -1]].any(axis=(1, 2)) | touched[:, :, [0, -1]].any(axis=(1, 2)))
    assert inside.sum() > 20
    np.testing.assert_allclose(added_electrons(images, hit, SUM)[inside], 1e5, rtol=2e-3)
    assert ((hit > 0).any(axis=(1, 2)).sum(axis=1) == 1).all()  # a visit has one band
    # 100,000 e- / (80 e- / um) = 1,250 um; sqrt(1250^2 - 100^2) um are 124.6 camera pixels, 24.9 of the stamp.
    for track in touched[inside]:
        rows, columns = np.nonzero(track)
        length = np.hypot(np.ptp(rows), np.ptp(columns))
        assert abs(length - 24.9) < 2  # both ends fall anywhere in their pixels


def test_vertical_muon_hits_one_camera_pixel():
    hit = perturb("cosmic_ray", np.zeros((6, 100, 100, 3), np.float32), IDS, 8000, SUM)
    assert (np.count_nonzero(hit, axis=(1, 2, 3)) == 1).all()


def test_sampled_stamps_see_one_row_in_five_of_a_trail_and_summed_ones_all():
    images = np.zeros((6, 100, 100, 3), np.float32)
    for context in (SAMPLE, SUM):
        trail = perturb("saturation_bleed", images, IDS, 1.05e6, context)  # 10 full wells and a half
        assert (np.count_nonzero(trail.any(axis=(1, 3)), axis=1) == 1).all()  # one column
        if context is SUM:
            np.testing.assert_allclose(added_electrons(images, trail, SUM), 1.05e6, rtol=2e-3)
            assert (np.count_nonzero(trail, axis=(1, 2, 3)) == 3).all()
        else:
            np.testing.assert_allclose(added_electrons(images, trail, SAMPLE), 2e5, rtol=2e-3)
        ends = trail[:, [0, -1]].any(axis=(2, 3))
        assert (ends.sum(axis=1) == 1).all() and ends.any(axis=0).all()  # from one edge, either of them


def test_trail_longer_than_the_stamp_leaves_it():
    images = np.zeros((6, 100, 100, 3), np.float32)
    trail = perturb("saturation_bleed", images, IDS, 1e9, SUM)
    np.testing.assert_allclose(added_electrons(images, trail, SUM), 500 * 1e5, rtol=2e-3)


def test_bad_column_fills_one_column_with_the_same():
    images = np.zeros((6, 100, 100, 3), np.float32)
    for context, pixels in ((SAMPLE, 1), (SUM, 5)):
        bad = perturb("bad_column", images, IDS, 1000, context)
        assert (np.count_nonzero(bad, axis=(1, 2, 3)) == 100).all()
        np.testing.assert_allclose(added_electrons(images, bad, context), 100 * pixels * 1000, rtol=2e-3)
        assert all(len(np.unique(image[image > 0])) == 1 for image in bad)


@pytest.mark.parametrize("bit", [4, 12, 20, 31])
def test_flipped_bit_is_worth_a_power_of_two(bit):
    images = sky_stamps() + blobs(flux=1e5)
    step = SAMPLE.sky_sigma / 4
    change = (perturb("bit_flip", images, IDS, bit, SAMPLE) - images) / step
    flipped = np.abs(change) > 1
    assert (flipped.sum(axis=(1, 2, 3)) == 1).all()
    # A float32 of 2^30 steps has no digits left for the value below, nor for rounding.
    np.testing.assert_allclose(np.abs(change[flipped]), 2 ** (bit - 1), atol=0.6 + 2e-7 * 2**bit)
    assert np.abs(change[~flipped]).max() < 0.51


def test_bit_32_is_the_sign():
    images = blobs(flux=1e8)
    change = (perturb("bit_flip", images, IDS, 32, SAMPLE).astype(float) - images) / (SAMPLE.sky_sigma / 4)
    np.testing.assert_allclose(change.min(axis=(1, 2, 3)), -(2.0**31), rtol=1e-6)


@pytest.mark.parametrize("step", [0.25, 2])
def test_rice_adds_the_noise_of_its_steps(step):
    images = sky_stamps()
    residual = perturb("rice", images, IDS, step, SAMPLE) - images
    # Rounding noise is uniform; cfitsio finds the sky sigma of a band to 3 %.
    np.testing.assert_allclose(residual.std(axis=(0, 1, 2)) / SAMPLE.sky_sigma, step / np.sqrt(12), rtol=0.05)


def test_jpeg_loses_more_at_lower_quality_and_keeps_bands_apart():
    images = sky_stamps() + blobs(flux=1e5) * np.array([3.0, 1.0, 0.3], np.float32)
    losses = []
    for quality in (95, 75, 50, 25, 10):
        restored = perturb("jpeg", images, IDS, quality, SAMPLE)
        loss = ((restored - images) / SAMPLE.sky_sigma)[:, :20]
        losses.append((loss @ [0.114, 0.587, 0.299]).std())  # luminance as JFIF has it, of g, r, i as blue, green, red
        core = restored[:, 45:55, 45:55].mean(axis=(0, 1, 2))
        np.testing.assert_allclose(core / images[:, 45:55, 45:55].mean(axis=(0, 1, 2)), 1, atol=0.3)
    # The sky's luminance noise is sqrt(0.114^2 + 0.587^2 + 0.299^2) = 0.67 sigma: little of it is lost, then all.
    assert losses[0] < 0.15 and losses[-1] > 0.6 and losses == sorted(losses)


def test_background_moves_all_bands_up_or_all_down():
    images = sky_stamps()
    offset = (perturb("background", images, IDS, 0.3, SAMPLE) - images) / SAMPLE.sky_sigma
    np.testing.assert_allclose(np.abs(offset), 0.3, atol=1e-4)
    signs = np.sign(offset).reshape(len(images), -1)
    assert (signs == signs[:, :1]).all() and set(signs[:, 0]) == {-1, 1}


def test_seeing_spreads_light_and_keeps_it():
    images = blobs(sigma=3.0, flux=1e9)
    spread = perturb("psf", images, IDS, 5.0, SAMPLE).astype(float)
    np.testing.assert_allclose(spread.sum(axis=(1, 2)), 1e9, rtol=1e-3)
    rows = np.arange(100) - 49.5
    variance = (spread.sum(axis=2) * rows[:, None] ** 2).sum(axis=1) / spread.sum(axis=(1, 2))
    np.testing.assert_allclose(variance, 3**2 + (5.0 / 2.3548) ** 2, rtol=0.01)  # pixels of one arcsec


def test_seeing_leaves_the_sky_noise_white():
    noise = perturb("psf", sky_stamps(), IDS, 3.0, SAMPLE) / SAMPLE.sky_sigma
    np.testing.assert_allclose(noise.std(axis=(0, 1, 2)), 1, rtol=0.02)
    for axis in (1, 2):
        neighbours = np.mean(noise * np.roll(noise, 1, axis))
        assert abs(neighbours) < 0.015  # 180,000 pairs: 0.0024


@pytest.mark.parametrize("context", [SAMPLE, SUM], ids=["sample", "sum"])
def test_seeing_leaves_the_photon_noise_of_a_galaxy(context):
    # 2000 nJy per camera pixel have 270,000 to 520,000 e- in ten years, more than the sky.
    expected, rng = np.full((500, 500, 3), 2000.0), np.random.default_rng(3)
    plateau = np.stack([observe(expected, LSST, [10], rng, context.binning)[10] for _ in IDS])
    spread = perturb("psf", plateau, IDS, 3.0, context)
    np.testing.assert_allclose(spread.std(axis=(0, 1, 2)), plateau.std(axis=(0, 1, 2)), rtol=0.02)
    np.testing.assert_allclose(spread.mean(axis=(1, 2)), plateau.mean(axis=(1, 2)), rtol=1e-4)


@pytest.mark.parametrize("context", [SAMPLE, SUM], ids=["sample", "sum"])
def test_thinned_ten_years_have_the_noise_of_fewer(context):
    # A bright plateau on half of the frame, so that photon noise of the galaxy counts too: 20 nJy per camera pixel.
    expected = np.zeros((500, 500, 3))
    expected[250:] = 2000 if context is SAMPLE else 20
    rng = np.random.default_rng(2)
    deep = np.stack([observe(expected, LSST, [10], rng, context.binning)[10] for _ in IDS])
    short = np.stack([observe(expected, LSST, [1], rng, context.binning)[1] for _ in IDS])
    thinned = perturb("exposure", deep, IDS, 1, context)
    shallow = ObservingContext(LSST, 1, context.binning)
    for half in (slice(0, 50), slice(50, 100)):
        sigma = thinned[:, half].std(axis=(0, 1, 2))
        np.testing.assert_allclose(sigma, short[:, half].std(axis=(0, 1, 2)), rtol=0.02)  # 30,000 pixels: 0.6 %
        error = sigma / np.sqrt(30000)
        # The thinned image is no more and no less bright than the deep one.
        np.testing.assert_array_less(np.abs((thinned - deep)[:, half].mean(axis=(0, 1, 2))), 5 * error)
    np.testing.assert_allclose(thinned[:, :50].std(axis=(0, 1, 2)), shallow.sky_sigma, rtol=0.02)


def test_exposure_cannot_grow():
    with pytest.raises(ValueError, match="exposure of 12 years cannot be made of 10"):
        perturb("exposure", sky_stamps(1), IDS[:1], 12, SAMPLE)


@pytest.mark.parametrize("arcsec", [0.4, 2.5])
def test_shift_moves_the_galaxy_by_so_much(arcsec):
    images = blobs()
    moved = perturb("shift", images, IDS, arcsec, SAMPLE).astype(float)
    np.testing.assert_allclose(moved.sum(axis=(1, 2)), 1e8, rtol=1e-5)
    pixels = np.arange(100) - 49.5
    y = (moved.sum(axis=2) * pixels[:, None]).sum(axis=1) / moved.sum(axis=(1, 2))
    x = (moved.sum(axis=1) * pixels[:, None]).sum(axis=1) / moved.sum(axis=(1, 2))
    np.testing.assert_allclose(np.hypot(x, y), arcsec, atol=0.04)  # the weights of order 3 miss by up to 0.03 pixel
    assert np.ptp(np.arctan2(y[:, 0], x[:, 0])) > 1  # in several directions


def test_shift_by_whole_pixels_copies_them(monkeypatch):
    images = sky_stamps(1)

    class Right:
        def uniform(self, low, high):
            return 0.0

    monkeypatch.setattr("photoz_morph.robustness.perturbations.image_changes.galaxy_rngs", lambda *arguments: [Right()])
    moved = perturb("shift", images, [1], 3.0, SAMPLE)
    np.testing.assert_allclose(moved[:, :, 3:], images[:, :, :-3], atol=1e-3)
    np.testing.assert_allclose(moved[:, :, :3], images[:, :, 2::-1], atol=1e-3)  # the mirror image


def test_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="no perturbation 'satellite'; there are hot_pixel, dead_pixel"):
        perturb("satellite", sky_stamps(1), IDS[:1], 1, SAMPLE)


def test_examples_show_every_severity():
    examples = perturbation_examples(sky_stamps(1)[0], 5, SAMPLE)
    assert {name: len(images) for name, images in examples.items()} == {
        name: len(kind.severities) for name, kind in PERTURBATIONS.items()
    }


def result(n_right, group_id=(0, 1, 2, 3), seed=0, label=(0, 1, 2, 0), n_right_clean=(2, 2, 2, 2)):
    """Results of two networks on four galaxies under kinds of two severities."""
    kinds = {}
    for name, rows in n_right.items():
        right = [np.stack([np.asarray(row) > network for network in range(2)], axis=1) for row in rows]
        scores = [severity_scores(part, np.ones((4, 2)), part, group_id) for part in right]
        kinds[name] = {"severities": [{"severity": i, **score} for i, score in enumerate(scores)]}
    galaxies = {"obj_id": [1, 2, 3, 4], "copy": [0] * 4, "group_id": list(group_id), "label": list(label)}
    clean = clean_scores(np.stack([np.asarray(n_right_clean) > network for network in range(2)], axis=1), group_id)
    return {"settings": {"networks": ["a", "b"], "seed": seed}, "galaxies": galaxies, "clean": clean, "kinds": kinds,
            "mean": None}  # fmt: skip


def test_scores_by_hand():
    right = np.array([[1, 1], [1, 0], [0, 0], [1, 0]], bool)
    clean = np.array([[1, 1], [1, 1], [0, 1], [1, 0]], bool)
    same = np.array([[1, 1], [1, 0], [1, 0], [1, 0]], bool)
    scores = severity_scores(right, clean, same, np.arange(4))
    assert scores["networks"] == [0.75, 0.25] and scores["n_right"] == [2, 1, 0, 1]
    assert scores["accuracy"]["value"] == 0.5 and scores["fall"]["value"] == 0.25
    assert scores["flip_rate"]["value"] == 3 / 8
    # Of the networks alone: 0.354 / sqrt(2) = 0.25. Galaxies: sd 0.354 (n) / sqrt(4) = 0.177. Together 0.306.
    assert scores["accuracy"]["error"] == pytest.approx(0.306, rel=0.05)


def test_means_give_every_kind_the_same_weight():
    part = result({"a": [[2, 2, 2, 2]], "b": [[2, 2, 0, 0], [0, 0, 0, 0]]})
    means = mean_scores(part)
    assert means["accuracy"] == pytest.approx((1 + 0.25) / 2) == means["relative_accuracy"]
    assert means["kinds"] == ["a", "b"] and means["flip_rate"] == pytest.approx(0.375)


def test_corruption_error_of_hendrycks_and_dietterich():
    # Errors of the run: a 1/8 + 3/8, b 1/2; of the reference: a 1/4 + 3/4, b 1/4. CE 1/2 and 2, mean 1.25.
    run = result({"a": [[2, 2, 2, 1], [2, 1, 1, 1]], "b": [[2, 2, 0, 0]]})
    reference = result({"a": [[2, 2, 1, 1], [1, 1, 0, 0]], "b": [[2, 2, 1, 1]]})
    error = corruption_error(run, reference)
    assert [error["kinds"][name]["value"] for name in "ab"] == pytest.approx([0.5, 2.0])
    assert error["mean"]["value"] == pytest.approx(1.25)
    low, high = error["mean"]["interval"]
    assert low < 1.25 < high
    same = corruption_error(run, run)
    assert same["mean"] == {"value": 1.0, "interval": [1.0, 1.0]}  # paired: no noise of its own
    assert same["fall_difference"] == {"value": 0.0, "interval": [0.0, 0.0]}


def test_a_run_that_is_worse_may_fall_less():
    # Errors of the run: clean 1/2, then 1/2; of the reference: clean 0, then 1/4.
    run = result({"a": [[2, 2, 0, 0], [0, 0, 2, 2]]}, n_right_clean=(2, 0, 2, 0))
    reference = result({"a": [[2, 2, 1, 1], [2, 2, 2, 0]]})
    error = corruption_error(run, reference)
    assert error["mean"]["value"] == pytest.approx(2) and error["falls"] == pytest.approx([0, 0.25])
    assert error["fall_difference"]["value"] == pytest.approx(-0.25)


def test_corruption_error_refuses_what_cannot_be_compared():
    run = result({"a": [[2, 2, 2, 1]]})
    with pytest.raises(ValueError, match="seeds 0 and 1"):
        corruption_error(run, result({"a": [[2, 2, 2, 1]]}, seed=1))
    with pytest.raises(ValueError, match="other galaxies"):
        corruption_error(run, result({"a": [[2, 2, 2, 1]]}, label=(1, 1, 2, 0)))
    with pytest.raises(ValueError, match="share no kind"):
        corruption_error(run, result({"b": [[2, 2, 2, 1]]}))
    with pytest.raises(ValueError, match=r"a: severities are \[0\] and \[0, 1\]"):
        corruption_error(run, result({"a": [[2, 2, 2, 1], [1, 1, 1, 1]]}))
    faultless = corruption_error(run, result({"a": [[2, 2, 2, 2]]}))
    assert faultless["kinds"]["a"] == {"value": None, "interval": None} == faultless["mean"]


def test_scores_come_back_as_written(tmp_path):
    run = result({"a": [[2, 2, 2, 1]]})
    write_perturbations(run, tmp_path / "perturbations.json")
    assert read_perturbations(tmp_path / "perturbations.json") == run
    (tmp_path / "perturbations.json").write_text("[1]")
    with pytest.raises(ValueError, match="perturbations.json: has no settings, .*; run `morph perturb --overwrite`"):
        read_perturbations(tmp_path / "perturbations.json")
    with pytest.raises(FileNotFoundError, match="no such file; run `morph perturb"):
        read_perturbations(tmp_path / "none.json")
