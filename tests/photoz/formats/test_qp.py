import warnings

import h5py
import numpy as np
import pytest
import qp
from qp.metrics.pit import PIT

from photoz_morph.metrics.redshifts.pdf_scores import pit
from photoz_morph.photoz.predictions import predictions_table, read_predictions, write_predictions
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.surveys import SDSS

GRID = RedshiftGrid()  # 180 bins, 181 edges
N, FLAGGED = 60, 7


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Predictions with a galaxy that has no PDF, their file, and what qp reads from it."""
    rng = np.random.default_rng(2)
    z_spec = rng.uniform(0.02, 0.38, N)
    peak, width = z_spec + rng.normal(0, 0.01, N), rng.uniform(0.004, 0.03, N)
    pdf = np.exp(-0.5 * ((GRID.midpoints - peak[:, None]) / width[:, None]) ** 2)
    pdf /= pdf.sum(axis=1, keepdims=True)
    pdf[FLAGGED] = np.nan
    columns = {
        "obj_id": np.int64(1237648720693755918) + np.arange(N)[::-1],
        "z_spec": z_spec,
        "ra": rng.uniform(0, 360, N),
        "ebv": rng.uniform(0, 0.1, N).astype(np.float32),
        "mags": rng.uniform(15, 20, (N, 5)).astype(np.float32),
        "flag_reason": np.where(np.arange(N) == FLAGGED, "no frame in u", ""),
    }
    table = predictions_table(columns, pdf, GRID, SDSS, "simulated")
    path = tmp_path_factory.mktemp("qp") / "p.hdf5"
    write_predictions(table, path)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "There are non-finite values")  # of the galaxy without a PDF
        return table, path, qp.read(str(path))


def test_qp_gives_our_pit_and_quantiles(written):
    table, _, ensemble = written
    good = np.arange(N) != FLAGGED
    z_spec, pdf = np.asarray(table["z_spec"])[good], np.asarray(table["pdf"])[good]
    theirs = ensemble[good]
    np.testing.assert_allclose(theirs.cdf(z_spec[:, None]).ravel(), pit(z_spec, pdf, GRID), atol=1e-6)
    levels = [0.025, 0.16, 0.5, 0.84, 0.975]
    ours = np.stack([GRID.quantile(pdf, level) for level in levels], axis=1)
    np.testing.assert_allclose(theirs.ppf(levels), ours, atol=1e-6)
    np.testing.assert_allclose(PIT(theirs, z_spec).pit_samps, pit(z_spec, pdf, GRID), atol=1e-6)


def test_ancil_has_the_names_of_rail_and_our_own(written):
    table, _, ensemble = written
    ancil, good = ensemble.ancil, np.arange(N) != FLAGGED
    for theirs, ours in {"id": "obj_id", "redshift": "z_spec", "z_median": "z_median", "z_mode": "z_mode",
                         "z_mean": "z_phot", "z_q16": "z_lower", "z_q84": "z_upper"}.items():  # fmt: skip
        np.testing.assert_array_equal(ancil[theirs], np.asarray(table[ours]))
        np.testing.assert_array_equal(ancil[ours], np.asarray(table[ours]))
    np.testing.assert_allclose(ancil["z_mean"][good], ensemble[good].mean().ravel(), atol=1e-6)
    np.testing.assert_allclose(ancil["z_std"][good], ensemble[good].std().ravel(), atol=1e-6)
    np.testing.assert_allclose(ancil["z_q2p5"][good], ensemble[good].ppf([0.025]).ravel(), atol=1e-6)
    np.testing.assert_allclose(ancil["z_97p5"][good], ensemble[good].ppf([0.975]).ravel(), atol=1e-6)
    assert set(ancil["distribution_type"]) == {1}  # posterior
    assert ancil["flag_reason"][FLAGGED] == "no frame in u" and ancil["mags"].shape == (N, 5)


def test_layout_is_the_one_qp_writes(written, tmp_path):
    table, path, ensemble = written
    ensemble.write_to(str(tmp_path / "theirs.hdf5"))
    with h5py.File(path) as ours, h5py.File(tmp_path / "theirs.hdf5") as theirs:
        for name in ("meta/pdf_name", "meta/pdf_version", "meta/bins", "data/pdfs"):
            assert ours[name].shape == theirs[name].shape and ours[name].dtype.kind == theirs[name].dtype.kind, name
        assert ours["meta/bins"].shape == (1, 181) and ours["data/pdfs"].shape == (N, 180)
        assert set(ours["ancil"]) == set(theirs["ancil"]) and list(ours) == list(theirs)


def test_galaxy_without_pdf_keeps_its_row_in_qp(written):
    table, _, ensemble = written
    assert ensemble.npdf == N
    np.testing.assert_array_equal(ensemble.ancil["obj_id"], np.asarray(table["obj_id"]))
    is_nan = np.isnan(ensemble.ppf([0.5])).ravel()
    assert list(np.flatnonzero(is_nan)) == [FLAGGED] == list(np.flatnonzero(ensemble.ancil["flag"]))
    assert np.isnan(ensemble.cdf(np.full((N, 1), 0.1)).ravel()[FLAGGED])


def test_mean_of_rail_is_over_midpoints_whatever_z_phot_is(tmp_path):
    pdf = np.eye(180)[[40, 90]]
    meta = {"zphot_at": "left-edges"}
    write_predictions(predictions_table({"obj_id": [1, 2]}, pdf, GRID, SDSS, "stacked", meta=meta), tmp_path / "p.hdf5")
    ancil = qp.read(str(tmp_path / "p.hdf5")).ancil
    np.testing.assert_allclose(ancil["z_mean"] - ancil["z_phot"], GRID.width / 2)


def test_other_ensembles_are_refused(written, tmp_path):
    _, path, ensemble = written
    good = ensemble[np.arange(N) != FLAGGED]
    good.convert_to(qp.interp_gen, xvals=GRID.midpoints).write_to(str(tmp_path / "interp.hdf5"))
    with pytest.raises(ValueError, match="interp.hdf5: .*ensemble of type 'interp', where photoz-morph"):
        read_predictions(tmp_path / "interp.hdf5")
    good.write_to(str(tmp_path / "theirs.hdf5"))
    with pytest.raises(ValueError, match="theirs.hdf5: .*that photoz-morph did not write"):
        read_predictions(tmp_path / "theirs.hdf5")


def test_missing_group_and_wrong_edges_are_named(written, tmp_path):
    content = written[1].read_bytes()
    for name in ("a.hdf5", "b.hdf5"):
        (tmp_path / name).write_bytes(content)
    with h5py.File(tmp_path / "a.hdf5", "a") as file:
        del file["data"]
    with pytest.raises(ValueError, match="a.hdf5: .*no group data"):
        read_predictions(tmp_path / "a.hdf5")
    with h5py.File(tmp_path / "b.hdf5", "a") as file:
        file["meta/bins"][...] = np.linspace(0, 3, 181)
    with pytest.raises(ValueError, match="b.hdf5: .*181 edges from 0 to 3 are not those of its RedshiftGrid"):
        read_predictions(tmp_path / "b.hdf5")


def test_names_that_rail_uses_and_compact_pdfs_are_refused(written, tmp_path):
    table = written[0].copy()
    with pytest.raises(ValueError, match="p.hdf5: qp reads whole PDFs only; write compact ones as .fits"):
        write_predictions(table, tmp_path / "p.hdf5", max_cdf_error=1e-3)
    table["z_std"] = np.ones(N)
    with pytest.raises(ValueError, match="column z_std has a name that RAIL uses"):
        write_predictions(table, tmp_path / "p.hdf5")
