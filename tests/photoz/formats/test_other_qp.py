import builtins
import tempfile
from functools import lru_cache
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoz_morph.photoz.formats.other_qp import QpFile, is_qp
from photoz_morph.redshift_grid import RedshiftGrid

qp = pytest.importorskip("qp")

N = 6
MEAN, SIGMA = np.linspace(0.2, 0.7, N), np.linspace(0.01, 0.05, N)
NODES, EDGES = np.linspace(0, 1.2, 241), np.linspace(0, 1.2, 241)
NORMAL = qp.stats.norm.create_ensemble(data={"loc": MEAN[:, None], "scale": SIGMA[:, None]})
LEVELS = np.linspace(0.001, 0.999, 199)
MAKERS = {
    "norm": lambda: NORMAL,
    "interp": lambda: qp.interp.create_ensemble(xvals=NODES, yvals=NORMAL.pdf(NODES)),
    "hist": lambda: qp.hist.create_ensemble(bins=EDGES, pdfs=np.diff(NORMAL.cdf(EDGES), axis=1)),
    "quant": lambda: qp.quant.create_ensemble(quants=LEVELS, locs=NORMAL.ppf(LEVELS)),
    "mixmod": lambda: qp.mixmod.create_ensemble(weights=np.ones((N, 1)), means=MEAN[:, None], stds=SIGMA[:, None]),
    "interp_irregular": lambda: qp.interp_irregular.create_ensemble(
        xvals=np.tile(NODES, (N, 1)), yvals=NORMAL.pdf(NODES)
    ),
}


def written(folder, kind="interp", n=N):
    ensemble = MAKERS[kind]()
    ensemble.set_ancil({"object_id": np.arange(100, 100 + n), "zmode": MEAN})
    ensemble.write_to(str(folder / f"{kind}.hdf5"))
    return folder / f"{kind}.hdf5"


@lru_cache
def bytes_of(kind):
    with tempfile.TemporaryDirectory() as folder:
        return written(Path(folder), kind).read_bytes()


def test_a_type_without_quantiles_needs_a_grid(tmp_path):
    path = tmp_path / "spline.hdf5"
    qp.convert(MAKERS["interp"](), "spline", xvals=NODES, method="xy").write_to(str(path))
    with pytest.raises(ValueError, match="spline.hdf5: cannot be read .* give the grid, such as --grid bins=0,3,300"):
        QpFile(path)
    file = QpFile(path, RedshiftGrid(0.0, 1.2, 400))
    np.testing.assert_allclose(file.grid.expectation(next(file.parts())[1]), MEAN, atol=1e-3)


@pytest.mark.parametrize("kind", MAKERS)
def test_mean_and_quantiles_are_those_of_the_ensemble(tmp_path, kind):
    path = written(tmp_path, kind)
    file = QpFile(path)
    assert is_qp(path) and file.kind == kind and file.n_rows == N
    (_, pdf, _, inside), = list(file.parts())  # fmt: skip
    np.testing.assert_allclose(file.grid.expectation(pdf), MEAN, atol=3e-4)
    np.testing.assert_allclose(file.grid.quantile(pdf, 0.84), MEAN + 0.99446 * SIGMA, atol=1e-3)  # linear in a bin
    assert inside.min() > 0.99
    assert list(file.columns["object_id"]) == list(range(100, 106))


def test_parts_are_the_rows_of_the_whole(tmp_path):
    for kind in ("norm", "hist", "interp_irregular"):
        file = QpFile(written(tmp_path, kind))
        whole = next(file.parts())[1]
        starts, parts = zip(*((start, pdf) for start, pdf, _, _ in file.parts(4)))
        assert starts == (0, 4)
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_without_qp_other_types_say_what_they_need(tmp_path, monkeypatch):
    paths = {kind: written(tmp_path, kind) for kind in ("norm", "hist")}
    real = builtins.__import__

    def without_qp(name, *args, **kwargs):
        if name == "qp":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_qp)
    assert QpFile(paths["hist"]).n_rows == N
    with pytest.raises(ValueError, match="of type norm needs the package qp"):
        QpFile(paths["norm"])


def test_a_row_without_densities_has_no_pdf(tmp_path):
    path = written(tmp_path)
    with h5py.File(path, "a") as file:
        file["data/yvals"][2] = np.nan
    pdf = next(QpFile(path).parts())[1]
    assert np.isnan(pdf[2]).all() and np.isfinite(pdf[[0, 1, 3]]).all()


def test_contradicting_shapes_are_refused(tmp_path):
    path = written(tmp_path)
    with h5py.File(path, "a") as file:
        del file["meta/xvals"]
        file["meta/xvals"] = NODES[None, :-1]
    with pytest.raises(ValueError, match="interp.hdf5: cannot be read as a qp ensemble: data/yvals has shape"):
        QpFile(path)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.data(), st.sampled_from(["interp", "hist"]))
def test_a_damaged_ensemble_is_one_line(tmp_path_factory, data, kind):
    path = tmp_path_factory.mktemp("damaged") / f"{kind}.hdf5"
    content = bytearray(bytes_of(kind))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        if is_qp(path):
            list(QpFile(path).parts())
    except ValueError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
