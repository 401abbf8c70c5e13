import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limited
from hypothesis import strategies as st

from photoz_morph.photoz.calibration.calibrator import fit_calibrator
from photoz_morph.photoz.calibration.files import (
    FoldCalibration,
    calibration_file,
    read_calibration,
    run_calibrations,
    write_calibration,
)
from photoz_morph.photoz.calibration.quality import fit_latent_limit, fit_quality_limits
from photoz_morph.redshift_grid import RedshiftGrid
from tests.support.miscalibrated import GRID, planted


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A calibration, the run folder it was written to, and the files that stand for its networks."""
    run = tmp_path_factory.mktemp("run")
    members = [run / f"fold_0/member_{index}/model.keras" for index in (0, 1)]
    for index, path in enumerate(members):
        path.parent.mkdir(parents=True)
        path.write_text(f"network {index}")
    z_spec, pdf = planted(200, "shifted by z")
    calibrator, report, cross_fitted = fit_calibrator(np.stack([pdf, pdf]), z_spec, GRID)
    latents = np.random.default_rng(1).normal(size=(2, 200, 6))
    limits = fit_quality_limits(pdf, *fit_latent_limit(latents, latents), GRID)
    calibration = FoldCalibration(calibrator, limits, np.arange(180.0), cross_fitted, z_spec, report)
    write_calibration(calibration_file(run, 0), calibration, GRID, members)
    return calibration, run, members


def test_a_calibration_comes_back_as_it_was(written):
    calibration, run, members = written
    found = read_calibration(run, 0, members, GRID)
    assert found.calibrator == calibration.calibrator and found.calibrator.pit_map.kind == "local"
    np.testing.assert_array_equal(found.training_counts, calibration.training_counts)
    np.testing.assert_allclose(found.cross_fitted, calibration.cross_fitted, atol=1e-7)
    np.testing.assert_array_equal(found.z_spec, calibration.z_spec)
    latents = np.random.default_rng(2).normal(size=(2, 50, 6))
    expected = calibration.quality.ood_score(latents)
    np.testing.assert_allclose(found.quality.ood_score(latents), expected, rtol=1e-5)
    assert {**found.facts, "calib_id": None} == {**calibration.facts, "calib_id": None}


def test_the_identifier_is_that_of_the_content(written):
    calibration, run, members = written
    path = calibration_file(run, 0)
    first = json.loads(path.read_text())["calib_id"]
    assert write_calibration(path, calibration, GRID, members) == first
    assert run_calibrations(run, {0: members}, GRID)[0].facts["calib_id"] == first


def test_a_grid_other_than_the_runs_is_refused(written):
    _, run, members = written
    with pytest.raises(ValueError, match="is of redshift bins .*'n_bins': 180.* the run has .*'n_bins': 90"):
        read_calibration(run, 0, members, RedshiftGrid(n_bins=90))


def test_a_run_without_any_calibration_has_none(tmp_path):
    assert run_calibrations(tmp_path, {0: [], 1: []}, GRID) == {}


def damaged(content, draw):
    """Content of the JSON file with one of its values replaced, at any depth."""
    while True:
        if isinstance(content, dict) and content:
            key = draw(st.sampled_from(sorted(content)))
        elif isinstance(content, list) and content:
            key = draw(st.integers(0, len(content) - 1))
        else:
            return
        if draw(st.booleans()) or not isinstance(content[key], (dict, list)):
            content[key] = draw(st.sampled_from([None, "x", -1, [], {}, [[1]], 1e400, "mean"]))
            return
        content = content[key]


@limited(max_examples=50)
@given(st.data())
def test_a_damaged_file_is_refused_in_one_line(written, data):
    _, run, members = written
    path = calibration_file(run, 0)
    text = path.read_text()
    content = json.loads(text)
    facts = content.pop("facts")  # a record that nothing is computed from
    damaged(content, data.draw)
    cut = data.draw(st.sampled_from([None, 3, len(text) // 2]))
    try:
        path.write_text((json.dumps({**content, "facts": facts}))[:cut])
        with pytest.raises(ValueError) as error:
            read_calibration(run, 0, members, GRID)
        message = str(error.value)
        assert str(path) in message and "\n" not in message
        assert message.endswith(f"run `photoz calibrate {run}` again, or give --uncalibrated")
    finally:
        path.write_text(text)


def test_arrays_that_are_missing_or_of_another_calibration_are_refused(written):
    _, run, members = written
    path = calibration_file(run, 0).with_suffix(".npz")
    content = path.read_bytes()
    try:
        path.write_bytes(content[:-10])
        with pytest.raises(ValueError, match=r"does not fit \(calibration.npz is another file\)"):
            read_calibration(run, 0, members, GRID)
        path.unlink()
        with pytest.raises(ValueError, match="does not fit .*No such file"):
            read_calibration(run, 0, members, GRID)
    finally:
        path.write_bytes(content)
