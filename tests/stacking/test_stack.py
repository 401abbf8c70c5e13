"""A catalogue and a folder of frames to shards: no row lost, no shard made twice, no silent failure."""

import bz2
import shutil
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from photoz_morph.catalogs.galaxies import read_galaxy_catalog
from photoz_morph.shards.stacks import find_shards, read_shard
from photoz_morph.stacking import stack
from photoz_morph.stacking.frame_index import index_frames
from photoz_morph.stacking.stack import iter_stacks, stack_catalog
from photoz_morph.surveys import SDSS, survey_from_dict
from tests.support.frames import PROGRAM, frame_header, synthetic_survey_folder, write_frame
from tests.support.paths import DATA
from tests.support.surveys import DESCRIPTION, THREE_BANDS

both_engines = pytest.mark.parametrize(
    "engine",
    ["lanczos", pytest.param("swarp", marks=[
        pytest.mark.swarp, pytest.mark.skipif(PROGRAM is None, reason="SWarp is not installed")])],
)  # fmt: skip


@pytest.fixture
def frames_of_two_galaxies(tmp_path):
    """Frames of two places; of the second only half in band g, none in band z."""
    folder = tmp_path / "frames"
    folder.mkdir()
    synthetic_survey_folder(folder, 20.0, 5.0, (2, 1, 1, 1, 3))
    for band in "uri":
        write_frame(folder, noise(), frame_header(40.0, -8.0), band, run=9)
    write_frame(folder, noise(), frame_header(40.0, -8.0, offset=(70.0, 0.0)), "g", run=9)
    return folder


def noise(shape=(150, 150)):
    return np.random.default_rng(9).normal(size=shape)


@pytest.fixture
def catalog():
    table = Table({"obj_id": [12, 11, 10], "ra": [20.0, 40.0, 20.0005], "dec": [5.0, -8.0, 5.0005]})
    table["z_spec"] = [0.1, np.nan, 0.2]
    table["ebv"] = [0.05, np.nan, np.nan]
    table["petro_r"] = np.float32([17.1, 16.2, 15.3])
    table["name"] = ["a ", "bb", ""]
    return table


@both_engines
def test_every_row_is_kept_in_order_and_uncovered_ones_say_why(tmp_path, frames_of_two_galaxies, catalog, engine):
    summary = stack_catalog(catalog, frames_of_two_galaxies, tmp_path / "out", engine=engine, progress=False)
    assert (summary.n_good, summary.n_flagged) == (2, 1)
    images, table, header = read_shard(summary.paths[0])
    assert table["obj_id"].tolist() == [12, 11, 10]
    assert table["flag"].tolist() == [0, 1, 0]
    assert np.isnan(images[1]).all() and np.isfinite(images[[0, 2]]).all()
    reason = table["flag_reason"][1]
    assert "of 4096 pixels of band g have no data" in reason and "no frame of band z covers it" in reason
    assert table["n_frames"].tolist() == [[2, 1, 1, 1, 3], [1, 1, 1, 1, 0], [2, 1, 1, 1, 3]]
    np.testing.assert_allclose(table["petro_r"], catalog["petro_r"])
    np.testing.assert_array_equal(table["z_spec"], catalog["z_spec"])
    assert [source.strip() for source in table["ebv_source"]] == [
        "catalogue",
        "SFD98 at 0.9 deg",
        "SFD98 at 0.9 deg",
    ]
    assert table["ebv"][0] == 0.05 and np.isfinite(table["ebv"]).all()
    assert (header["ORIGIN"], header["COMBINE"], header["RESAMPLE"]) == ("stacked", "MEDIAN", "LANCZOS3")
    # Unit noise: weight 1 for one frame, 2 for two; 2.4 for the median of three.
    np.testing.assert_allclose(table["weight"][0], [2, 1, 1, 1, 2.4], rtol=0.15)


def test_stacks_in_memory_are_those_on_disk(tmp_path, frames_of_two_galaxies, catalog, monkeypatch):
    monkeypatch.setattr(stack, "SHARD_SIZE", 2)
    summary = stack_catalog(catalog, frames_of_two_galaxies, tmp_path / "out", progress=False)
    memory = list(iter_stacks(catalog, frames_of_two_galaxies, progress=False))
    assert len(memory) == len(summary.paths) == 2
    for path, (images, table) in zip(summary.paths, memory):
        written, rows, _ = read_shard(path)
        np.testing.assert_array_equal(written, images)
        assert rows["obj_id"].tolist() == table["obj_id"].tolist()


@both_engines
def test_interrupted_run_resumes_and_keeps_finished_shards(
    tmp_path, frames_of_two_galaxies, catalog, monkeypatch, engine
):
    monkeypatch.setattr(stack, "SHARD_SIZE", 1)
    out = tmp_path / "out"

    def interrupt(path, *arguments):
        if path.name == "stacks-00002.fits":
            raise KeyboardInterrupt
        return write_shard(path, *arguments)

    write_shard = stack.write_shard
    monkeypatch.setattr(stack, "write_shard", interrupt)
    with pytest.raises(KeyboardInterrupt):
        stack_catalog(catalog, frames_of_two_galaxies, out, engine=engine, progress=False)
    finished = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert sorted(path.name for path in finished) == ["stacks-00000.fits", "stacks-00001.fits"]
    monkeypatch.setattr(stack, "write_shard", write_shard)
    summary = stack_catalog(catalog, frames_of_two_galaxies, out, engine=engine, progress=False)
    assert (summary.n_kept_shards, summary.n_good, summary.n_flagged) == (2, 2, 1)
    assert all(path.stat().st_mtime_ns == time for path, time in finished.items())
    # The missing frames of the flagged galaxy arrive: its shard alone is made anew.
    write_frame(frames_of_two_galaxies, noise(), frame_header(40.0, -8.0), "z", run=9)
    write_frame(frames_of_two_galaxies, noise(), frame_header(40.0, -8.0), "g", run=8)
    summary = stack_catalog(catalog, frames_of_two_galaxies, out, engine=engine, progress=False)
    assert (summary.n_kept_shards, summary.n_good, summary.n_flagged) == (2, 3, 0)
    assert any("stacks-00001.fits: made again" in message for message in summary.messages)


def test_shards_of_another_run_are_not_overwritten(tmp_path, frames_of_two_galaxies, catalog):
    out = tmp_path / "out"
    stack_catalog(catalog, frames_of_two_galaxies, out, progress=False)
    with pytest.raises(
        ValueError, match="stacks-00000.fits: COMBINE is MEDIAN, this run has AVERAGE; give another"
    ):
        stack_catalog(catalog, frames_of_two_galaxies, out, combine="average", progress=False)
    changed = catalog.copy()
    changed["petro_r"][0] = 18
    with pytest.raises(ValueError, match="holds other galaxies, its petro_r is not the catalogue's"):
        stack_catalog(changed, frames_of_two_galaxies, out, progress=False)
    shutil.copy(out / "stacks-00000.fits", out / "stacks-00001.fits")
    with pytest.raises(ValueError, match="stacks-00001.fits: exists, but this catalogue fills 1 shards only"):
        stack_catalog(catalog, frames_of_two_galaxies, out, progress=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pixel_scale": 0.4}, "survey has pixel_scale 0.6 instead of 0.4"),
        ({"frames": DESCRIPTION["frames"] | {"exposure_keyword": "EXPTIME"}}, "survey has `frames` other than it has"),
    ],
    ids=["scale", "frames"],
)  # fmt: skip
def test_shards_of_a_survey_that_was_described_otherwise_are_not_continued(tmp_path, change, message):
    (tmp_path / "frames").mkdir()
    for band in THREE_BANDS.bands:
        header = fits.Header({**frame_header(20.0, 5.0), "FILTER": band, "MAGZERO": 25.0, "EXPTIME": 54.0})
        header.remove("BUNIT")
        fits.writeto(tmp_path / "frames" / f"tiny_{band}_1.fits", noise().astype(np.float32), header)
    galaxy = Table({"obj_id": [1], "ra": [20.0], "dec": [5.0]})
    where = tmp_path / "frames", tmp_path / "out"
    assert stack_catalog(galaxy, *where, THREE_BANDS, progress=False).n_good == 1
    with pytest.raises(ValueError, match=f"stacks-00000.fits: {message}.*; give another output folder"):
        stack_catalog(galaxy, *where, survey_from_dict(DESCRIPTION | change), progress=False)
    frames = DESCRIPTION["frames"] | {"file_name": [DESCRIPTION["frames"]["file_name"], "more_{band}_{field}.fits"]}
    again = stack_catalog(galaxy, *where, survey_from_dict(DESCRIPTION | {"frames": frames}), progress=False)
    assert again.n_kept_shards == 1


def test_shards_are_kept_when_the_folder_of_their_frames_was_moved(tmp_path):
    """Names of such frames have no parts that tell them apart, so that in an index the path does."""
    survey = survey_from_dict(DESCRIPTION | {"frames": DESCRIPTION["frames"] | {"file_name": "*_{band}.fits"}})
    (tmp_path / "frames").mkdir()
    for band in survey.bands:
        header = fits.Header({**frame_header(20.0, 5.0), "FILTER": band, "MAGZERO": 25.0})
        header.remove("BUNIT")
        fits.writeto(tmp_path / "frames" / f"coadd_{band}.fits", noise().astype(np.float32), header)
    galaxy = Table({"obj_id": [1], "ra": [20.0], "dec": [5.0]})
    stack_catalog(galaxy, tmp_path / "frames", tmp_path / "out", survey, progress=False)
    (tmp_path / "frames").rename(tmp_path / "moved")
    assert stack_catalog(galaxy, tmp_path / "moved", tmp_path / "out", survey, progress=False).n_kept_shards == 1


def test_shards_of_version_01_are_continued_by_swarp_alone(tmp_path, frames_of_two_galaxies, catalog):
    """They were all made by the program, and say neither ENGINE nor NSHARDS."""
    path, = stack_catalog(catalog, frames_of_two_galaxies, tmp_path / "out", progress=False).paths
    with fits.open(path, mode="update") as hdus:
        for keyword in ("ENGINE", "NSHARDS", "CODE"):
            hdus[0].header.remove(keyword)
    assert find_shards(tmp_path / "out") == [path]
    with pytest.raises(ValueError, match="ENGINE is swarp, this run has lanczos; continue with --engine swarp, or"):
        stack_catalog(catalog, frames_of_two_galaxies, tmp_path / "out", progress=False)


@both_engines
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_bad_pixel_flags_the_galaxy_unless_another_frame_covers_it(tmp_path, value, engine):
    synthetic_survey_folder(tmp_path, 20.0, 5.0, (1, 1, 1, 1, 2))
    for band in "gz":
        path = tmp_path / f"frame-{band}-000001-3-0001.fits"
        image, header = fits.getdata(path, header=True)
        image[75, 75] = value
        fits.writeto(path, image, header, overwrite=True)
    galaxy = Table({"obj_id": [1], "ra": [20.0], "dec": [5.0]})
    summary = stack_catalog(galaxy, tmp_path, tmp_path / "out", engine=engine, progress=False)
    _, table, _ = read_shard(summary.paths[0])
    assert "pixels of band g have no data" in table["flag_reason"][0]
    if np.isnan(value):
        assert "band z" not in table["flag_reason"][0]
    assert any("frame-g-000001-3-0001.fits: 1 pixels are not finite" in message for message in summary.messages)


@both_engines
@pytest.mark.parametrize(("value", "is_absurd"), [(1e12, True), (-1e12, True), (1e6, False)])
def test_a_pixel_that_outshines_any_star_flags_the_galaxy_and_a_bright_star_does_not(
    tmp_path, value, is_absurd, engine
):
    """A flipped exponent bit makes 1e12 nanomaggies; 1e6 are a star of magnitude 7.5."""
    synthetic_survey_folder(tmp_path, 20.0, 5.0, (1, 1, 1, 1, 1))
    path = tmp_path / "frame-g-000001-3-0001.fits"
    image, header = fits.getdata(path, header=True)
    image[75, 75] = value
    fits.writeto(path, image, header, overwrite=True)
    galaxy = Table({"obj_id": [1], "ra": [20.0], "dec": [5.0]})
    summary = stack_catalog(galaxy, tmp_path, tmp_path / "out", engine=engine, progress=False)
    images, table, _ = read_shard(summary.paths[0])
    assert table["flag"][0] == is_absurd and np.isnan(images).all() == is_absurd
    assert ("pixels of band g outshine any star; download its frames again" in table["flag_reason"][0]) == is_absurd


def test_catalogue_that_no_frame_covers_is_all_flagged_and_remarked(tmp_path):
    galaxy = Table({"obj_id": [1, 2], "ra": [100.0, 300.0], "dec": [5.0, 80.0]})
    summary = stack_catalog(galaxy, DATA / "frames", tmp_path, progress=False)
    assert (summary.n_good, summary.n_flagged) == (0, 2)
    assert "are the frames in" in summary.messages[-1]


def test_unknown_combination_is_refused(tmp_path):
    with pytest.raises(ValueError, match="combine is 'mean'; it must be one of median, average"):
        stack_catalog(Table(), tmp_path, tmp_path, combine="mean")


def test_column_that_the_stacks_write_is_refused(tmp_path):
    galaxy = Table({"obj_id": [1], "ra": [1.0], "dec": [5.0], "flag": [0]})
    with pytest.raises(ValueError, match="column flag has the name of a column of the stacks; rename it"):
        stack_catalog(galaxy, tmp_path, tmp_path)


def test_columns_that_fits_cannot_hold_as_they_are_do_not_stop_the_stacks(tmp_path):
    galaxies = read_galaxy_catalog(DATA / "galaxies.csv")
    galaxies["profile"] = ["Sérsic", "disk"]
    galaxies["observed"] = np.array(["2004-03-17", "NaT"], "datetime64[D]")
    galaxies["record"] = np.array([{"a": 1}, {}], object)
    with pytest.warns(UserWarning, match="catalogue: column record holds lists of different lengths and is left out"):
        summary = stack_catalog(galaxies, DATA / "frames", tmp_path, progress=False)
    _, table, _ = read_shard(summary.paths[0])
    assert list(table["profile"]) == [r"S\xe9rsic", "disk"] and list(table["observed"]) == ["2004-03-17", ""]
    assert "record" not in table.colnames


@pytest.mark.parametrize(
    "column, message",
    [
        ({"snr": [30.0]}, "catalogue: column snr has one value per galaxy, where snr has one in each of the bands "
                          "u g r i z; give snr_u ... snr_z, or rename it"),
        ({"PSF_FWHM": [1.2]}, "column PSF_FWHM has one value per galaxy, where psf_fwhm has .*give psf_fwhm_u"),
        ({"mags": [[17.0, 18.0]]}, r"column mags has values of shape \(2,\) per galaxy, where mags has one in each"),
        ({"r_e": [[1.0, 2.0]]}, r"column r_e has values of shape \(2,\) per galaxy, where r_e is one number"),
        ({"psf_fwhm_r": ["good"]}, "psf_fwhm_r in row 1 is 'good', which is no number"),
    ],
)  # fmt: skip
def test_columns_that_would_break_the_dataset_are_refused_before_stacking(tmp_path, column, message):
    galaxy = Table({"obj_id": [1], "ra": [1.0], "dec": [5.0]} | column)
    with pytest.raises(ValueError, match=message):
        stack_catalog(galaxy, tmp_path / "no_frames", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_masked_values_of_carried_columns_do_not_stop_a_resumed_run(tmp_path):
    galaxies = read_galaxy_catalog(DATA / "galaxies.csv")
    galaxies["plate"] = MaskedColumn([266, 1], mask=[False, True])
    galaxies["petro_r"] = MaskedColumn([14.3, 1], mask=[False, True])
    stack_catalog(galaxies, DATA / "frames", tmp_path, progress=False)
    summary = stack_catalog(galaxies, DATA / "frames", tmp_path, progress=False)
    assert (summary.n_kept_shards, summary.n_good) == (1, 2)
    _, table, _ = read_shard(summary.paths[0])
    assert table["plate"][0] == 266 and np.isnan(table["petro_r"][1])


def frame_damaged(how, path):
    """Damage one frame: its pixels or its file. Returns the file."""
    image, header = fits.getdata(path, header=True)
    packed = path.with_name(f"{path.name}.bz2")
    if how == "broken inside":
        packed.write_bytes(bz2.compress(path.read_bytes()))
        content = bytearray(packed.read_bytes())
        content[len(content) // 2] ^= 0xFF
        packed.write_bytes(content)
    elif how == "cut short":
        path.write_bytes(path.read_bytes()[:60_000])
        return path
    elif how == "unpacked cut short":
        packed.write_bytes(bz2.compress(path.read_bytes()[:60_000]))
    else:
        image[:] = {"NaN": np.nan, "zeros": 0.0, "constant": 7.5}[how]
        fits.writeto(path, image, header, overwrite=True)
        return path
    path.unlink()
    return packed


@both_engines
@pytest.mark.parametrize("how", ["broken inside", "cut short", "unpacked cut short", "NaN", "zeros", "constant"])
def test_a_damaged_frame_flags_its_galaxies_and_a_better_one_brings_them_back(tmp_path, how, engine):
    frames, out = tmp_path / "frames", tmp_path / "out"
    frames.mkdir()
    synthetic_survey_folder(frames, 20.0, 5.0, (1, 1, 1, 1, 1))
    for band in "ugriz":
        write_frame(frames, noise(), frame_header(40.0, -8.0), band, run=9)
    good = frames / "frame-g-000009-3-0001.fits"
    content = good.read_bytes()
    bad = frame_damaged(how, good)
    galaxies = Table({"obj_id": [1, 2], "ra": [20.0, 40.0], "dec": [5.0, -8.0]})
    summary = stack_catalog(galaxies, frames, out, engine=engine, progress=False)
    images, table, header = read_shard(summary.paths[0])
    assert table["flag"].tolist() == [0, 1] and np.isfinite(images[0]).all() and np.isnan(images[1]).all()
    reason = {"zeros": "blank (0 where there should be noise)", "constant": "blank (7.5 where there should be noise)"}
    assert table["flag_reason"][1].startswith(f"{bad.name}: {reason.get(how, 'truncated or damaged frame (')}")
    about = [message for message in summary.messages if bad.name in message]
    assert len(about) == 1 and about[0].endswith(
        "; download it again, or remove it, and run the same command again: 1 galaxies are flagged"
    )
    again = stack_catalog(galaxies, frames, out, engine=engine, progress=False)
    assert again.n_kept_shards == 1 and [message for message in again.messages if bad.name in message]
    if bad == good:
        good.write_bytes(content)
    else:
        bad.write_bytes(bz2.compress(content))
    mended = stack_catalog(galaxies, frames, out, engine=engine, progress=False)
    assert (mended.n_kept_shards, mended.n_good) == (0, 2)
    assert any(f"made again, because {bad.name} could not be used before" in message for message in mended.messages)


@both_engines
def test_a_frame_that_is_dead_in_one_part_flags_the_galaxies_there_only(tmp_path, engine):
    synthetic_survey_folder(tmp_path, 20.0, 5.0, (1, 1, 1, 1, 1), shape=(150, 600))
    path = tmp_path / "frame-i-000001-3-0001.fits"
    image, header = fits.getdata(path, header=True)
    image[:, 150:350] = 0
    fits.writeto(path, image, header, overwrite=True)
    ra, dec = WCS(header).all_pix2world([60.0, 250.0, 520.0], [75.0, 75.0, 75.0], 0)
    galaxies = Table({"obj_id": [1, 2, 3], "ra": ra, "dec": dec})
    with pytest.warns(UserWarning, match="frame-i-000001-3-0001.fits: blank .*: 1 galaxies are flagged"):
        (images, table), = iter_stacks(galaxies, tmp_path, engine=engine, progress=False)
    assert table["flag"].tolist() == [0, 1, 0]
    assert table["flag_reason"][1] == "frame-i-000001-3-0001.fits: blank (0 where there should be noise)"


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.data())
def test_bytes_that_changed_in_a_frame_flag_galaxies_or_are_named_in_one_line(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("frames")
    synthetic_survey_folder(folder, 20.0, 5.0, (1, 1, 1, 1, 2), shape=(100, 100))
    path = data.draw(st.sampled_from(sorted(folder.iterdir())))
    content = bytearray(path.read_bytes())
    # Most of a file are pixels; the header is where readers go wrong.
    positions = st.one_of(st.integers(0, 2879), st.integers(0, len(content) - 1))
    for position in data.draw(st.lists(positions, min_size=1, max_size=4)):
        content[position] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.sampled_from([len(content), len(content), 2880, 20_000, 0]))]
    path.write_bytes(content)
    galaxy = Table({"obj_id": [1], "ra": [20.0], "dec": [5.0], "ebv": [0.1]})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            index = index_frames([folder], SDSS, keep_bad=True)
            ((images, table),) = iter_stacks(galaxy, index, progress=False)
    except (ValueError, OSError) as error:
        assert "\n" not in str(error) and path.name in str(error)
    else:
        assert np.isfinite(images).all() if table["flag"][0] == 0 else table["flag_reason"][0]
