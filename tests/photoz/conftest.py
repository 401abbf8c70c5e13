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


@pytest.fixture(scope="session")
def target_dir(tmp_path_factory):
    """A dataset of 150 other galaxies of the kind of `data_dir`, with half the light and without redshifts."""
    import numpy as np

    from photoz_morph.shards.stacks import shard_path, write_shard
    from photoz_morph.surveys import SDSS
    from tests.support.samples import colour_stacks
    from tfds_builders.sdss_ugriz import build

    stacks, folder = (tmp_path_factory.mktemp(name) for name in ("target_stacks", "target"))
    images, table = colour_stacks(150, first_id=300)
    table["z_spec"] = np.nan
    write_shard(shard_path(stacks, 0), 0.5 * images, table, SDSS, "simulated")
    build(stacks, folder, progress=False, unlabelled=True)
    return folder
