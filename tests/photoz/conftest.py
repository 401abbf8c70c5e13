"""The predictions, the export and the report of the tiny run, and a toy run with its report, once a session."""

import shutil

import pytest
from click.testing import CliRunner

from photoz_morph.cli.photoz import main
from photoz_morph.photoz.export import export
from photoz_morph.photoz.predict import predict_run


@pytest.fixture(scope="session")
def predictions(run_dir):
    return predict_run(run_dir, progress=False)


@pytest.fixture(scope="session")
def exported(run_dir, tmp_path_factory):
    """The SavedModel of fold 0."""
    folder = tmp_path_factory.mktemp("export") / "model"
    export(run_dir, folder, fold=0)
    return folder


@pytest.fixture(scope="session")
def plain(tmp_path_factory):
    """A toy run with its report, and the page's text; its figures are blank."""
    from tests.support.reports import blank_png, photoz_predictions, photoz_run, report_text

    run = photoz_run(tmp_path_factory.mktemp("plain") / "my run", photoz_predictions(n_flagged=20))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("photoz_morph.report.page.draw_and_save", lambda draw, stem: blank_png())
        return run, report_text(run)


@pytest.fixture(scope="session")
def reported(run_dir, tmp_path_factory):
    """A copy of the tiny run after `photoz report`, and what the command printed."""
    run = shutil.copytree(run_dir, tmp_path_factory.mktemp("report") / "run")
    return run, CliRunner().invoke(main, ["report", str(run)])


@pytest.fixture(scope="session")
def calibrated_run(run_dir, tmp_path_factory):
    """A copy of the tiny run after `photoz calibrate`."""
    from photoz_morph.photoz.calibration.of_run import calibrate_run

    run = shutil.copytree(run_dir, tmp_path_factory.mktemp("calibrated") / "run")
    calibrate_run(run, progress=False)
    return run
