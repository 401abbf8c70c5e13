from photoz_morph.models.convnet import convnet
from photoz_morph.models.inception_photoz import trainable_parameter_count


def test_published_parameter_count_and_map_sizes():
    network = convnet(seed=1)
    assert trainable_parameter_count(network) == 1_187_203
    assert network.count_params() == 1_187_315  # with batch norm's moving moments
    assert [network.get_layer(f"pool{i}").output.shape[1] for i in (1, 2, 3)] == [50, 25, 12]


def test_dropout_is_a_layer_only_if_it_drops_something():
    names = [[layer.name for layer in convnet((16, 16, 3), dropout=dropout).layers] for dropout in (0.0, 0.3)]
    assert "dropout" not in names[0] and "dropout" in names[1]
