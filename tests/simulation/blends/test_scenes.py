import numpy as np
import pytest
from scipy import stats

from photoz_morph.catalogs.folds import SPLITS
from photoz_morph.shards.blends import MERGER, STAR
from photoz_morph.simulation.blends.scenes import BlendSettings, simulate_field

SCENES, PAIRS = BlendSettings(seed=3), BlendSettings(kind="pairs", seed=3)


@pytest.fixture(scope="module")
def fields(parents):
    return [simulate_field(SCENES, index, parents) for index in range(12)]


def noiseless(field):
    expected = np.zeros(field.image.shape)
    for image in field.source_images:
        expected[image.where] += image.pixels
    return expected


def test_an_image_is_the_sum_of_its_sources_and_the_noise(fields):
    deviates = np.concatenate([
        ((field.image - noiseless(field)) / np.sqrt(SCENES.camera.variance(noiseless(field)))).ravel()
        for field in fields
    ])  # fmt: skip
    assert deviates.mean() == pytest.approx(0, abs=4 / np.sqrt(len(deviates)))
    assert deviates.var() == pytest.approx(1, abs=4 * np.sqrt(2 / len(deviates)))


def test_flux_of_a_source_within_the_field_is_in_its_image(fields):
    for field in fields:
        columns = field.columns
        inside = (np.abs(columns["x"] - 63.5) < 30) & (np.abs(columns["y"] - 63.5) < 30) & (columns["mags"][:, 2] < 24)
        # What is cut off is below 3 % of the noise of a pixel; the wings of a bright source reach out of the field.
        ratio = columns["flux_in_image"][inside] / columns["flux"][inside]
        assert ((ratio > 0.95) & (ratio < 1.002)).all()


def test_magnitudes_are_those_of_the_fluxes_in_njy(fields):
    columns = fields[0].columns
    np.testing.assert_allclose(columns["flux"], 10 ** (0.4 * (31.4 - columns["mags"])), rtol=1e-5)


def test_sources_of_different_splits_share_no_parent(fields, parents):
    used = {split: set() for split in SPLITS}
    more = [simulate_field(PAIRS, index, parents) for index in range(60)]
    for field in [*fields, *more]:
        used[field.split] |= set(field.columns["parent"].tolist()) - {-1}
    assert all(used.values())
    assert not used["train"] & used["validation"] and not used["train"] & used["test"]
    assert not used["validation"] & used["test"]


def test_columns_are_the_truth_of_the_maps(fields):
    for field in fields:
        columns, n = field.columns, len(field.source_images)
        assert all(len(values) == n for values in columns.values())
        np.testing.assert_array_equal(np.bincount(field.instances.ravel(), minlength=n + 1)[1:], columns["n_visible"])
        assert (np.isnan(columns["redshift"]) == (columns["kind"] == STAR)).all()
        assert ((columns["blendedness"] >= -1e-6) & (columns["blendedness"] < 1)).all()
        assert (np.diff(columns["mags"][:, 1]) >= 0).all()


def test_the_same_index_gives_the_same_image_and_another_another(parents, fields):
    again, other = simulate_field(SCENES, 3, parents), simulate_field(SCENES, 4, parents)
    np.testing.assert_array_equal(again.image, fields[3].image)
    assert not np.array_equal(again.image, other.image)


def test_one_year_has_the_sources_of_ten_and_more_noise(parents, fields):
    shallow = simulate_field(BlendSettings(seed=3, years=1), 2, parents)
    deep = fields[2].columns
    assert set(shallow.columns["x"]) <= set(deep["x"])
    common = np.isin(deep["x"], shallow.columns["x"])
    np.testing.assert_array_equal(shallow.columns["mags"], deep["mags"][common])
    assert (shallow.columns["snr"] < deep["snr"][common]).all()
    assert shallow.columns["is_target"].sum() < deep["is_target"].sum()


def test_a_field_is_full_of_sources_and_many_are_blended(fields):
    targets = [field.columns["is_target"] for field in fields]
    assert 12 < np.mean([target.sum() for target in targets]) < 30
    blendedness = np.concatenate([field.columns["blendedness"][target] for field, target in zip(fields, targets)])
    assert 0.3 < np.mean(blendedness > 0.01) < 0.7 and np.mean(blendedness > 0.1) > 0.1


def test_pairs_are_two_isolated_galaxies_with_their_images(parents):
    for index in range(10):
        field = simulate_field(PAIRS, index, parents)
        assert field.image.shape == (48, 48, 3) and len(field.source_images) == 2
        assert not set(field.columns["kind"]) & {STAR, MERGER}
        middle = np.argmin(np.hypot(field.columns["x"] - 23.5, field.columns["y"] - 23.5))
        assert abs(field.columns["x"][middle] - 23.5) < 3


def test_sdss_has_its_own_pixels_depth_and_unit(parents):
    settings = BlendSettings(survey="sdss", seed=3)
    fields = [simulate_field(settings, index, parents) for index in range(6)]
    sky = np.concatenate([field.image[field.instances == 0] for field in fields])
    np.testing.assert_allclose(1.4826 * stats.median_abs_deviation(sky), [0.021, 0.033, 0.055], rtol=0.05)
    assert settings.camera.unit == "nanomaggy" and settings.faintest == 22.5
    columns = fields[0].columns
    np.testing.assert_allclose(columns["flux"], 10 ** (0.4 * (22.5 - columns["mags"])), rtol=1e-5)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"kind": "triples"}, "kind is 'triples'; choose one of scenes, pairs"),
        ({"survey": "des"}, "survey is 'des'; choose one of lsst, sdss"),
        ({"size": 16}, "size is 16; give 32 to 250 pixels"),
        ({"faintest": 17}, "faintest is 17; give a magnitude above 18"),
        ({"years": 0}, "years is 0; give a number above 0"),
    ],
)
def test_settings_out_of_range_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        BlendSettings(**changes)
