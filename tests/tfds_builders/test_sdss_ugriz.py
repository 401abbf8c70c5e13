import dataclasses
import functools

import h5py
import numpy as np
import pytest

from photoz_morph.beam.build import BeamBuild
from photoz_morph.beam.options import beam_settings
from photoz_morph.catalogs.per_band import PER_BAND, PER_GALAXY
from photoz_morph.datasets import reading
from photoz_morph.photoz import dataset
from photoz_morph.shards.stacks import shard_path, write_shard
from photoz_morph.simulation.sdss.sample import simulate_galaxy, simulate_sample
from photoz_morph.surveys import SDSS
from tests.support.samples import colour_stacks
from tests.support.surveys import THREE_BANDS
from tfds_builders.sdss_ugriz import build


def write(folder, origin="stacked", change=lambda table: None, index=0):
    images, table = colour_stacks(40, first_id=40 * index)
    change(table)
    write_shard(shard_path(folder, index), images, table, SDSS, origin)


def test_rows_that_cannot_be_learned_from_are_counted_and_left_out(tmp_path):
    def change(table):
        table["flag"][:2] = 1
        table["z_spec"][1:6] = np.nan
        table["ebv"][6] = np.nan

    write(tmp_path, change=change)
    counts = build(tmp_path, tmp_path / "data", progress=False)
    assert counts == {"galaxies": 33, "flagged": 2, "without z_spec": 4, "without E(B-V)": 1}
    builder = reading.open_dataset(tmp_path / "data")
    assert sum(dataset.split_sizes(builder)) == 33
    assert builder.info.metadata["origin"] == "stacked"


def test_columns_the_stacks_lack_are_nan(tmp_path):
    write(tmp_path)
    build(tmp_path, tmp_path / "data", progress=False)
    columns = reading.read_columns(reading.open_dataset(tmp_path / "data"), "fold_0")
    assert np.isnan(columns["psf_fwhm"]).all() and np.isfinite(columns["mags"]).all()


def test_all_that_the_simulation_knows_of_its_galaxies_is_in_the_dataset(tmp_path):
    simulate_sample(tmp_path, 12, seed=5, n_processes=1, progress=False)
    build(tmp_path, tmp_path / "data", progress=False)
    columns = reading.read_columns(reading.open_dataset(tmp_path / "data"), "fold_0+fold_1+fold_2+fold_3+fold_4")
    for place, obj_id in enumerate(columns["obj_id"]):
        row = simulate_galaxy(5, int(obj_id) % 10**10)[1]
        for name in PER_BAND + PER_GALAXY:
            np.testing.assert_allclose(columns[name][place], row[name], rtol=1e-6, err_msg=name)


def test_the_galaxies_of_a_group_are_stored_side_by_side_and_groups_at_random(tmp_path):
    images, table = colour_stacks(60)
    table["group_id"] = table["obj_id"] % 20
    write_shard(shard_path(tmp_path, 0), images, table, SDSS, "stacked")
    build(tmp_path, tmp_path / "data", progress=False)
    builder = reading.open_dataset(tmp_path / "data")
    order = [reading.read_columns(builder, f"fold_{fold}")["group_id"] for fold in range(5)]
    for group_id in order:
        assert np.sum(np.diff(group_id) != 0) == len(np.unique(group_id)) - 1
    groups = np.concatenate([group_id[::3] for group_id in order])
    assert sorted(groups) == list(range(20)) and abs(np.corrcoef(groups, np.arange(20))[0, 1]) < 0.6


def test_the_content_hash_is_of_the_galaxies_and_of_nothing_else(tmp_path):
    images, table = colour_stacks(40)

    def hash_of(name, images=images, table=table, sizes=(40,)):
        folder, start = tmp_path / name, 0
        for index, size in enumerate(sizes):
            rows = slice(start, start + size)
            folder.mkdir(exist_ok=True)
            write_shard(shard_path(folder, index), images[rows], table[rows], SDSS, "stacked")
            start += size
        build(folder, folder / "data", progress=False)
        return reading.content_hash(reading.open_dataset(folder / "data"))

    first = hash_of("first")
    assert len(first) == 32 and hash_of("again") == first and hash_of("shards", sizes=(13, 27)) == first
    redshifts = table.copy()
    redshifts["z_spec"][7] += 1e-9
    others = [hash_of("brighter", images=3 * images), hash_of("moved", table=redshifts)]
    assert len({first, *others}) == 3


def test_columns_of_one_band_each_become_the_vectors_of_the_dataset(tmp_path):
    values = np.arange(40) / 10 + 1

    def change(table):
        table.remove_column("mags")
        for number, band in enumerate(SDSS.bands):
            table[f"modelMag_{band}"], table[f"modelMagErr_{band}"] = 15 + values + number, values / 100
            table[f"SNR_{band}"] = values * 10 + number
        table["psf_fwhm_r"] = values

    write(tmp_path, change=change)
    build(tmp_path, tmp_path / "data", progress=False)
    columns = reading.read_columns(reading.open_dataset(tmp_path / "data"), "fold_0+fold_1+fold_2+fold_3+fold_4")
    order = np.argsort(columns["obj_id"])
    found = {name: columns[name][order] for name in ("mags", "mag_errs", "snr", "psf_fwhm")}
    np.testing.assert_allclose(found["mags"], (15 + values)[:, None] + np.arange(5), rtol=1e-6)
    np.testing.assert_allclose(found["mag_errs"], np.repeat(values[:, None] / 100, 5, axis=1), rtol=1e-6)
    np.testing.assert_allclose(found["snr"], (values * 10)[:, None] + np.arange(5), rtol=1e-6)
    np.testing.assert_allclose(found["psf_fwhm"][:, 2], values, rtol=1e-6)
    assert np.isnan(found["psf_fwhm"][:, [0, 1, 3, 4]]).all()


@pytest.mark.parametrize("name", ["snr", "PSF_FWHM"])
def test_a_scalar_under_the_name_of_a_vector_is_refused_in_one_line(tmp_path, name):
    def change(table):
        table[name] = 1.5

    write(tmp_path, change=change)
    with pytest.raises(ValueError, match=f"stacks-00000.fits: column {name} has one value per galaxy.*rename") as error:
        build(tmp_path, tmp_path / "data", progress=False)
    assert len(str(error.value)) < 400 and not (tmp_path / "data").exists()


def test_a_dataset_is_replaced_only_on_request(tmp_path):
    write(tmp_path)
    build(tmp_path, tmp_path / "data", progress=False)
    with pytest.raises(ValueError, match="the dataset exists; use it, or replace it with --overwrite"):
        build(tmp_path, tmp_path / "data", progress=False)
    write(tmp_path, index=1)
    assert build(tmp_path, tmp_path / "data", overwrite=True, progress=False)["galaxies"] == 80


def test_broken_folders_are_refused_before_anything_is_written(tmp_path):
    def twice(table):
        table["obj_id"][3] = table["obj_id"][4]

    def nothing(table):
        table["z_spec"][:] = np.nan

    (tmp_path / "twice").mkdir()
    write(tmp_path / "twice", change=twice)
    with pytest.raises(ValueError, match="obj_id 4 occurs twice"):
        build(tmp_path / "twice", tmp_path / "data", progress=False)
    (tmp_path / "nothing").mkdir()
    write(tmp_path / "nothing", change=nothing)
    with pytest.raises(ValueError, match="none of 40 rows is usable"):
        build(tmp_path / "nothing", tmp_path / "data", progress=False)
    (tmp_path / "mixed").mkdir()
    write(tmp_path / "mixed", index=0)
    write(tmp_path / "mixed", origin="simulated", index=1)
    with pytest.raises(ValueError, match="ORIGIN is simulated, in stacks-00000.fits it is stacked"):
        build(tmp_path / "mixed", tmp_path / "data", progress=False)
    assert not (tmp_path / "data").exists()


def write_tiny(folder, n_galaxies=40, survey=THREE_BANDS, index=0):
    images, table = colour_stacks(n_galaxies, first_id=n_galaxies * index)
    table.remove_columns(["mags", "n_frames"])
    for band in survey.bands:
        table[f"mag_{band}"] = 20.0 + index
    write_shard(shard_path(folder, index), images[:, 20:44, 20:44, 1:4], table, survey, "stacked")
    return images[:, 20:44, 20:44, 1:4], table


def test_the_dataset_of_another_survey_has_its_name_bands_stamps_and_description(tmp_path):
    images, table = write_tiny(tmp_path)
    counts = build(tmp_path, tmp_path / "data", progress=False)
    assert counts["galaxies"] == 40 and (tmp_path / "data" / "tiny_VRB" / "1.0.0").is_dir()
    builder = dataset.open_dataset(tmp_path / "data", THREE_BANDS)
    assert reading.survey_of(builder) == THREE_BANDS
    columns = reading.read_columns(builder, "fold_0+fold_1+fold_2+fold_3+fold_4")
    assert columns["mags"].shape == (40, 3) and np.all(columns["mags"] == 20)
    batch = next(dataset.image_batches(builder, "fold_0", 5).as_numpy_iterator())
    row = list(table["obj_id"]).index(reading.read_columns(builder, "fold_0")["obj_id"][0])
    np.testing.assert_array_equal(batch["image"][0], images[row])


def test_the_dataset_of_sdss_describes_no_survey_as_before(tmp_path):
    write(tmp_path)
    build(tmp_path, tmp_path / "data", progress=False)
    builder = reading.open_dataset(tmp_path / "data")
    assert "survey" not in builder.info.metadata
    assert builder.info.metadata["bands"] == "u,g,r,i,z"
    assert reading.survey_of(builder) == SDSS


def test_stacks_of_two_surveys_are_not_mixed(tmp_path):
    write_tiny(tmp_path)
    write_tiny(tmp_path, survey=dataclasses.replace(THREE_BANDS, zero_point=26.0), index=1)
    with pytest.raises(ValueError, match="00001.fits: stacks of another survey .*zero_point 26.0 instead of 27.0"):
        build(tmp_path, tmp_path / "data", progress=False)


def test_a_dataset_that_the_config_does_not_describe_is_refused_with_what_differs(tmp_path):
    write_tiny(tmp_path)
    build(tmp_path, tmp_path / "data", progress=False)
    with pytest.raises(ValueError, match="built from other stacks .* describes as tiny .pixel_scale 0.6 instead of"):
        dataset.open_dataset(tmp_path / "data", dataclasses.replace(THREE_BANDS, pixel_scale=0.5))
    with pytest.raises(FileNotFoundError, match="no prepared dataset found of sdss_ugriz, but of tiny_VRB; make one"):
        dataset.open_dataset(tmp_path / "data", SDSS)


def write_hdf5(path, images, table):
    with h5py.File(path, "w") as file:
        file["image"] = np.moveaxis(images, -1, 1)
        for name in table.colnames:
            if name != "flag_reason":
                file[name] = np.asarray(table[name])
        file.attrs["origin"] = "stacked"
    return path


def content(folder):
    return reading.content_hash(reading.open_dataset(folder))


def test_other_formats_of_the_same_galaxies_give_the_dataset_of_their_shards(tmp_path):
    (tmp_path / "stacks").mkdir()
    images, table = colour_stacks(40)
    table["flag"][3] = 1
    write_shard(shard_path(tmp_path / "stacks", 0), images, table, SDSS, "stacked")
    counts = build(tmp_path / "stacks", tmp_path / "data", progress=False)
    path = write_hdf5(tmp_path / "a.hdf5", images, table)
    assert build(path, tmp_path / "hdf5", progress=False, survey="sdss") == counts
    assert content(tmp_path / "hdf5") == content(tmp_path / "data")
    # A dataset holds E(B-V) in single precision, so that the hash of one built from it differs.
    assert build(tmp_path / "data", tmp_path / "again", progress=False) == counts | {"flagged": 0}
    first, *others = (reading.open_dataset(tmp_path / name) for name in ("data", "hdf5", "again"))
    assert first.info.metadata == others[0].info.metadata
    for other in others:
        for fold in range(5):
            columns, read = (reading.read_columns(builder, f"fold_{fold}") for builder in (first, other))
            for name, values in columns.items():
                np.testing.assert_array_equal(read[name], values)


@pytest.mark.parametrize("with_beam", [False, True])
def test_galaxies_whose_pixels_are_bad_are_left_out_and_counted(tmp_path, with_beam):
    pipeline = None
    if with_beam:
        pipeline = functools.partial(BeamBuild, beam_settings("DirectRunner"))
    images, table = colour_stacks(40)
    images[5, 1, 2, 3] = np.nan
    path = write_hdf5(tmp_path / "a.hdf5", images, table)
    counts = build(path, tmp_path / "data", progress=False, survey="sdss", pipeline=pipeline)
    assert counts == {"galaxies": 39, "flagged": 1, "without z_spec": 0, "without E(B-V)": 0}
    builder = reading.open_dataset(tmp_path / "data")
    ids = np.concatenate([reading.read_columns(builder, f"fold_{fold}")["obj_id"] for fold in range(5)])
    assert sorted(ids) == [number for number in range(40) if number != 5]


def test_only_chosen_galaxies_are_taken(tmp_path):
    write(tmp_path)
    chosen = np.arange(39, 9, -1)
    counts = build(tmp_path, tmp_path / "data", progress=False, only=np.append(chosen, 1000))
    assert counts["galaxies"] == 30 and counts["not selected"] == 10
    builder = reading.open_dataset(tmp_path / "data")
    ids = np.concatenate([reading.read_columns(builder, f"fold_{fold}")["obj_id"] for fold in range(5)])
    assert sorted(ids) == list(range(10, 40))
    with pytest.raises(ValueError, match="none of 40 rows is usable .*'not selected': 40"):
        build(tmp_path, tmp_path / "none", progress=False, only=[-1])
