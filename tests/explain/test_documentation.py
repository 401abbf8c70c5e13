"""The example of docs/explain.md, and the functions that its tables name."""

import importlib
import re

import numpy as np

from photoz_morph.explain.methods import METHODS
from photoz_morph.models.inception_photoz import inception_photoz
from photoz_morph.redshift_grid import RedshiftGrid
from tests.support.paths import ROOT

TEXT = (ROOT / "docs" / "explain.md").read_text()


def test_the_example_explains_a_photo_z_network_completely():
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len([line for line in example.splitlines() if line and not line.startswith(("import", "from"))]) == 5
    network = inception_photoz(
        n_bins=20, crop=16, conv1_filters=4, conv1_kernel=5, conv1_stride=4, conv1_pool=False, blocks=((4, 4),),
        pool_after=(), dense_units=8, photometric_inputs=True, observing=("psf_fwhm",),
    )  # fmt: skip
    rng = np.random.default_rng(0)
    rows, columns = np.indices((64, 64)) - 31.5
    light = np.exp(-np.hypot(rows, columns) / 3)[None, ..., None] * rng.uniform(0.5, 3, (2, 1, 1, 5))
    image = (light + 0.02 * rng.standard_normal((2, 64, 64, 5))).astype("float32")
    inputs = {"image": image, "ebv": np.array([0.1, 0.3], "float32"), "psf_fwhm": np.full((2, 5), np.nan, "float32")}
    names = {"network": network, "inputs": inputs, "grid": RedshiftGrid(0, 0.4, 20)}
    exec(example, names)
    assert names["maps"]["image"].shape == image.shape and names["reddening"].shape == (2,)
    assert np.abs(names["reddening"]).max() > 0
    np.testing.assert_array_less(np.abs(names["error"]), 0.1 * np.abs(names["change"]) + 1e-3)


def test_every_function_and_method_of_the_tables_exists():
    named = set(re.findall(r"`([a-z_]+)`", "".join(line for line in TEXT.splitlines() if line.startswith("|"))))
    modules = [path for path in (ROOT / "photoz_morph" / "explain").rglob("*.py") if path.stem != "__init__"]
    known = set(METHODS)
    for path in modules:
        known |= set(dir(importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))))
    assert len(named) > 20 and not named - known
