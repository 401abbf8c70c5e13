import keras
import numpy as np
import pytest

from photoz_morph.models.inception_photoz import trainable_parameter_count
from photoz_morph.models.resnet18 import resnet18


@pytest.fixture(scope="module")
def published():
    return resnet18(seed=1)


def test_parameter_count_is_the_published_one(published):
    assert trainable_parameter_count(published) == 11_308_611
    assert published.count_params() == 11_318_211  # with batch norm's moving moments


def test_resnet18_has_its_parameters_where_torchvision_has_them(published):
    counts = dict.fromkeys(("conv1", "bn1", "stage1", "stage2", "stage3", "stage4", "latent", "logits"), 0)
    for layer in published.layers:
        if layer.trainable_weights:
            counts[layer.name.split("_")[0]] += trainable_parameter_count(layer)
    assert list(counts.values()) == [9_408, 128, 147_968, 525_568, 2_099_712, 8_393_728, 131_328, 771]


def test_map_sizes_are_those_of_pytorch(published):
    names = ["relu1", "pool1", *(f"stage{stage}_block2_relu2" for stage in (1, 2, 3, 4))]
    assert [published.get_layer(name).output.shape[1] for name in names] == [50, 25, 25, 13, 7, 4]


def test_initial_weights_are_those_of_the_authors(published):
    network = published
    deviations = {"stage4_block2_conv1": np.sqrt(2 / (9 * 512)), "latent": 0.005, "logits": 0.01}
    for name, deviation in deviations.items():
        kernel = np.asarray(network.get_layer(name).kernel)
        assert kernel.std() == pytest.approx(deviation, rel=4 / np.sqrt(2 * kernel.size))  # four sigma
    assert not np.any(network.get_layer("latent").bias) and not np.any(network.get_layer("logits").bias)
    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(norms) == 20
    assert all((norm.epsilon, norm.momentum, norm.synchronized) == (1e-5, 0.9, True) for norm in norms)
