"""The predictions, the export and the report of the tiny run, and a toy run with its report, once a session."""

import json
import shutil
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from photoz_morph.cli.photoz import main
from photoz_morph.photoz.export import export
from photoz_morph.photoz.predict import predict_run


@pytest.fixture(scope="session")
def predictions(run_dir):
    return predict_run(run_dir, progress=False)


@pytest.fixture(scope="session")
def exported(run_dir, made_once):
    """The SavedModel of fold 0."""
    return made_once("export", lambda folder: export(run_dir, folder / "model", fold=0)) / "model"


@pytest.fixture(scope="session")
def plain(tmp_path_factory):
    """A toy run with its report, and the page's text; its figures are blank."""
    from tests.support.reports import blank_png, photoz_predictions, photoz_run, report_text

    run = photoz_run(tmp_path_factory.mktemp("plain") / "my run", photoz_predictions(n_flagged=20))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("photoz_morph.report.page.draw_and_save", lambda draw, stem: blank_png())
        return run, report_text(run)


@pytest.fixture(scope="session")
def reported(run_dir, made_once):
    """A copy of the tiny run after `photoz report`, and the exit code and output of the command."""

    def make(folder):
        run = shutil.copytree(run_dir, folder / "run")
        result = CliRunner().invoke(main, ["report", str(run)])
        (folder / "result.json").write_text(json.dumps({"exit_code": result.exit_code, "output": result.output}))

    folder = made_once("report", make)
    return folder / "run", SimpleNamespace(**json.loads((folder / "result.json").read_text()))


@pytest.fixture(scope="session")
def calibrated_run(run_dir, made_once, tmp_path_factory):
    """A copy of the tiny run after `photoz calibrate`."""
    from photoz_morph.photoz.calibration.of_run import calibrate_run

    def make(folder):
        calibrate_run(shutil.copytree(run_dir, folder / "run"), progress=False)

    return shutil.copytree(made_once("calibration", make) / "run", tmp_path_factory.mktemp("calibrated") / "run")


@pytest.fixture(scope="session")
def target_dir(made_once):
    """A dataset of 150 other galaxies of the kind of `data_dir`, with half the light and without redshifts."""
    import numpy as np

    from photoz_morph.shards.stacks import shard_path, write_shard
    from photoz_morph.surveys import SDSS
    from tests.support.samples import colour_stacks
    from tfds_builders.sdss_ugriz import build

    def make(folder):
        images, table = colour_stacks(150, first_id=300)
        table["z_spec"] = np.nan
        (folder / "stacks").mkdir()
        write_shard(shard_path(folder / "stacks", 0), 0.5 * images, table, SDSS, "simulated")
        build(folder / "stacks", folder / "data", progress=False, unlabelled=True)

    return made_once("target", make) / "data"
