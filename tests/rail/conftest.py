"""A trained model of RAIL, once a session."""

import pytest

from photoz_morph.rail import NetworkModelHandle
from tests.support.rail import image_table, inform


@pytest.fixture(scope="session")
def model_path(tmp_path_factory):
    """Two networks that were informed and written."""
    folder = tmp_path_factory.mktemp("rail")
    handle = inform(folder, image_table(60), "model")
    assert isinstance(handle, NetworkModelHandle)
    return folder / "model.zip"
