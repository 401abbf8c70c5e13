"""The predictions and the export of the tiny run, once a session."""

import pytest

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
