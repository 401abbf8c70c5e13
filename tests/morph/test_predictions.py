import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from photoz_morph.morph.predictions import (
    class_names,
    morph_predictions_table,
    read_morph_predictions,
    row_keys,
    write_morph_predictions,
)

CLASSES = ("spiral", "elliptical", "merger")


def catalogue(n=12):
    rng = np.random.default_rng(0)
    return Table(
        {
            "obj_id": np.int64(1237648720693755918) + np.arange(n)[::-1] * 3,  # needs all 64 bits; not sorted
            "group_id": np.arange(n, dtype=np.int64) // 3,
            "label": np.where(np.arange(n) == 4, -1, np.arange(n) % 3),
            "label_g": np.arange(n) % 3,
            "intended_type": np.full(n, -1),
            "gini": rng.uniform(0.4, 0.6, n).astype(np.float32),
            "m20": np.where(np.arange(n) == 4, np.nan, -1.7).astype(np.float32),
            "subhalo_id": np.arange(n),
        }
    )


def arrays(n=12, n_seeds=2, n_classes=3, n_latent=5):
    rng = np.random.default_rng(1)
    probabilities = {domain: rng.dirichlet(np.ones(n_classes), (n, n_seeds)) for domain in ("Y10", "Y1")}
    return probabilities, {domain: rng.normal(size=(n, n_latent)) for domain in ("Y10", "Y1")}


def predictions(columns=None, probabilities=None, **changes):
    good_probabilities, latents = arrays()
    arguments = {"adaptation": "mmd", "config": "morph_mmd.yaml", "meta": {"run_directory": "runs/a"}} | changes
    origin = arguments.pop("origin", "simulated")
    return morph_predictions_table(
        catalogue() if columns is None else columns,
        probabilities or good_probabilities, latents, "lsst", origin, "resnet18", CLASSES, **arguments,
    )  # fmt: skip


def test_what_comes_back_equals_what_went_in(tmp_path):
    table = predictions()
    write_morph_predictions(table, tmp_path / "p.fits")
    back = read_morph_predictions(tmp_path / "p.fits")
    assert back.meta == table.meta and back.colnames == table.colnames and class_names(back) == CLASSES
    for name in table.colnames:
        assert back[name].dtype == table[name].dtype and back[name].description == table[name].description
        np.testing.assert_array_equal(np.asarray(back[name]), np.asarray(table[name]), err_msg=name)
    assert not list(tmp_path.glob("*.part"))


def test_header_tells_where_the_predictions_come_from(tmp_path):
    write_morph_predictions(predictions(), tmp_path / "p.fits")
    header = fits.getheader(tmp_path / "p.fits", "PREDICTIONS")
    assert (header["SURVEY"], header["ORIGIN"], header["MODEL"]) == ("lsst", "simulated", "resnet18")
    assert (header["N_SEEDS"], header["CLASSES"], header["ADAPTATN"]) == (2, "spiral,elliptical,merger", "mmd")
    columns = fits.getdata(tmp_path / "p.fits", "PREDICTIONS").dtype
    assert columns["probability_y1"].shape == (2, 3) and columns["latent_y10"].shape == (5,)


def test_rows_that_are_no_probability_are_refused_with_the_galaxy():
    probabilities, _ = arrays()
    probabilities["Y1"][2, 1] = [0.5, 0.4, 0.0]
    obj_id = catalogue()["obj_id"][2]
    with pytest.raises(ValueError, match=rf"probability of Y1: 1 galaxies .* obj_id {obj_id} \(sums 1, 0.9\)"):
        predictions(probabilities=probabilities)
    probabilities["Y1"][2, 1] = np.nan
    with pytest.raises(ValueError, match="does not sum to one"):
        predictions(probabilities=probabilities)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.remove_column("group_id"), "lack column group_id"),
        (lambda table: table["label"].__setitem__(0, 3), "label must be -1 or a class below 3, got 3"),
        (lambda table: table["obj_id"].__setitem__(0, table["obj_id"][1]), "occurs 2 times"),
        (lambda table: table.remove_row(0), "probability of Y10 has 12 rows, the catalogue 11"),
    ],
)
def test_catalogues_that_do_not_fit_are_refused(change, message):
    columns = catalogue()
    change(columns)
    with pytest.raises(ValueError, match=message):
        predictions(columns)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"origin": "sky"}, "origin is 'sky', not one of simulated, tng"), ({"adaptation": "ddc"}, "one of none, mmd")],
)
def test_unknown_origin_and_adaptation_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        predictions(**changes)


def test_classes_of_the_header_and_of_the_arrays_must_be_as_many():
    probabilities, latents = arrays(n_classes=2)
    with pytest.raises(ValueError, match=r"shape \(12, 2, 2\); its rows, n_seeds and classes need \(12, 2, 3\)"):
        morph_predictions_table(catalogue(), probabilities, latents, "lsst", "tng", "resnet18", CLASSES)


def test_damaged_files_are_refused_in_one_line(tmp_path):
    path = tmp_path / "p.fits"
    write_morph_predictions(predictions(), path)
    content = bytearray(path.read_bytes())
    (tmp_path / "short.fits").write_bytes(content[: len(content) // 2])
    content[-2000] ^= 1  # a bit of the last rows
    (tmp_path / "flipped.fits").write_bytes(content)
    (tmp_path / "text.fits").write_text("spiral")
    for name in ("short", "flipped", "text"):
        with pytest.raises(ValueError, match=rf"^\S+{name}.fits: [^\n]+; predict again$"):
            read_morph_predictions(tmp_path / f"{name}.fits")


def test_missing_and_foreign_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="`morph predict` writes it"):
        read_morph_predictions(tmp_path / "none.fits")
    fits.BinTableHDU(catalogue(), name="PREDICTIONS").writeto(tmp_path / "catalogue.fits")
    with pytest.raises(ValueError, match="catalogue.fits: not morph predictions, the header lacks survey, origin"):
        read_morph_predictions(tmp_path / "catalogue.fits")
    with pytest.raises(ValueError, match=r"written as .fits, not '.csv'"):
        write_morph_predictions(predictions(), tmp_path / "p.csv")


def test_copies_of_a_galaxy_are_distinguished_by_their_number(tmp_path):
    columns = catalogue()
    columns["obj_id"][1] = columns["obj_id"][0]
    columns["copy"] = [0, 1, *[0] * 10]
    write_morph_predictions(predictions(columns), tmp_path / "p.fits")
    obj_id = columns["obj_id"][0]
    assert row_keys(read_morph_predictions(tmp_path / "p.fits"))[:2] == [(obj_id, 0), (obj_id, 1)]


def test_astropy_writes_a_table_again_without_a_warning(tmp_path):
    meta = {"defence": "none", "noise_augmentation": 0.5, "pixel_augmentation": 0.0}
    write_morph_predictions(predictions(meta=meta), tmp_path / "p.fits")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Table.read(tmp_path / "p.fits").write(tmp_path / "again.fits")
    back = read_morph_predictions(tmp_path / "p.fits").meta
    assert {key: back[key] for key in meta} == meta and back["adaptation"] == "mmd"
