import keras
import pytest

from photoz_morph.config import load_config
from photoz_morph.models.registry import build_classifier, build_model
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.transfer.blocks import blocks_of
from tests.support.samples import PSF_MATCHED, TINY


def names(network):
    return [sorted(layer.name for layer in block) for block in blocks_of(network)]


def test_an_inception_network_has_a_block_for_c1_each_concatenation_and_each_dense_layer():
    config = load_config("photoz_simulated.yaml", PhotozConfig, [*TINY, *PSF_MATCHED])
    found = names(build_model(config))
    assert [block[0] for block in found[:1]] == ["C1"] and found[3:] == [["FC1"], ["PH1"], ["FC2"], ["redshift_pdf"]]
    assert found[1] == ["C2", "C3", "C4", "C5", "C6", "C7"] and {"C8", "C11", "whitening"} <= set(found[2])


def test_a_residual_block_holds_its_shortcut_and_batch_norms():
    found = names(build_classifier("resnet18", (32, 32, 3), width=4, n_latent=8))
    assert len(found) == 11 and found[0] == ["bn1", "conv1"] and found[-2:] == [["latent"], ["logits"]]
    assert [name.removeprefix("stage2_block1_") for name in found[3]] == [
        "bn1", "bn2", "conv1", "conv2", "shortcut_bn", "shortcut_conv"
    ]  # fmt: skip


def test_the_networks_of_papers_count_from_the_first_convolution_to_the_head():
    assert [block[-1] for block in names(build_classifier("deepmerge", n_classes=2))] == [
        "conv1", "conv2", "conv3", "dense1", "dense2", "logits"
    ]  # fmt: skip
    assert len(names(build_classifier("convnet", width=2, n_latent=4))) == 5


def test_a_network_without_layers_that_learn_is_refused():
    with pytest.raises(ValueError, match="has no dense or convolution layer, so there are no blocks to train"):
        inputs = keras.Input((4,))
        blocks_of(keras.Model(inputs, keras.layers.ReLU()(inputs)))
