"""The methods on JAX, in another process, against TensorFlow."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from photoz_morph.explain.attribution.grad_cam import grad_cam
from photoz_morph.explain.attribution.integrated_gradients import integrated_gradients
from photoz_morph.explain.faithfulness.curves import removal_curves
from photoz_morph.explain.gradients import Score
from photoz_morph.explain.occlusion.patches import occlusion
from photoz_morph.explain.occlusion.regions import whole_bands
from photoz_morph.explain.occlusion.shapley import exact_shapley
from photoz_morph.explain.targets import class_probability
from tests.support.explain import galaxies, two_inputs
from tests.support.paths import ROOT


def explained(network):
    """Lists of numbers by method, also after the weights have changed."""
    inputs, start = galaxies(3), galaxies(3, seed=9)
    score = Score(network, class_probability(np.arange(3) % 4), batch_size=64)
    values, gradient = score.value_and_gradient(inputs)
    found = {
        "values": values, **gradient,
        "integrated": integrated_gradients(score, inputs, start, 4)["image"],
        "grad_cam": grad_cam(score, inputs, "maps", signed=True),
        "occlusion": occlusion(score, inputs, start, 3, 2, bands=[[0], [1, 2]]),
        "shapley": exact_shapley(score, inputs, start, whole_bands((6, 6, 3), ("ebv",))),
        "curves": removal_curves(score, inputs, gradient, start, n_steps=63).values,
    }  # fmt: skip
    network.set_weights([2 * weights for weights in network.get_weights()])
    found["after"] = score(inputs)
    return {name: np.asarray(values, float).ravel().tolist() for name, values in found.items()}


def of_arrays():
    """What a function of NumPy arrays is answered."""
    score = Score(lambda images: np.asarray(images)[:, 0, 0], lambda output, galaxies: output[:, 0])
    try:
        score.value_and_gradient(galaxies()["image"])
    except ValueError as error:
        return str(error)


def test_jax_gives_what_tensorflow_gives(tmp_path):
    pytest.importorskip("jax")
    network = two_inputs()
    np.savez(tmp_path / "weights.npz", *network.get_weights())
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    command = [sys.executable, "-m", "tests.explain.test_jax", str(tmp_path / "weights.npz")]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert found.pop("backend") == "jax" and "no gradient with respect to the inputs" in found.pop("of_arrays")
    expected = explained(network)
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=2e-5, err_msg=name)


if __name__ == "__main__":
    twin = two_inputs()
    with np.load(sys.argv[1]) as stored:
        twin.set_weights([stored[f"arr_{index}"] for index in range(len(stored.files))])
    print(json.dumps({"backend": keras.backend.backend(), "of_arrays": of_arrays(), **explained(twin)}))
