import numpy as np
import pytest

from photoz_morph.models.layers.defences import defended
from photoz_morph.models.layers.image_scaling import PRESETS
from photoz_morph.morph.robustness.network_queries import scaling_softening, visible_range
from photoz_morph.robustness.one_pixel.bounds import pixel_bounds
from tests.support.queries import network_of

# What no flux and the bounds of the paper become in the published scaling, (arcsinh(0.85 x / q_high) + 1) / 2, with the
# quantiles of `network_of`; the default scaling has no clip and differs by a factor and an offset.
PUBLISHED = {
    ("default", 0): (0, 1), ("default", 1): (0, 1),
    ("paper", 0): ((np.arcsinh(-0.85 * 5 / 40) + 1) / 2, 0.8856),
    ("paper", 1): ((np.arcsinh(-0.85 * 8 / 30) + 1) / 2, 0.8856),
}  # fmt: skip


@pytest.mark.parametrize("domain", [0, 1])
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("defence", ["none", "median"])
def test_the_network_sees_every_value_within_the_bounds(preset, domain, defence):
    network = network_of("convnet", preset)
    layer, network = network.get_layer("arcsinh_scaling"), defended(network, defence)
    visible, softening = visible_range(network, domain), scaling_softening(network, domain)
    for spec in ("paper", "data"):
        bounds = pixel_bounds(spec, [-300, -2, -20], [5e3, 9, 20], softening, visible=visible)
        values = bounds.at(np.linspace(0, 1, 9)[:, None])
        options = {"domain": np.full(1, domain)} if layer.n_domains > 1 else {}
        seen = np.asarray(layer(values[None, None], **options))[0, 0]
        if preset == "default":
            seen = (seen + 1) / 2
        steps = np.diff(seen, axis=0)
        np.testing.assert_allclose(steps, np.broadcast_to((seen[-1] - seen[0]) / 8, steps.shape), rtol=1e-4)
        assert np.all(steps > 1e-3)
        if spec == "paper":
            np.testing.assert_allclose(seen[[0, -1]].T, [PUBLISHED[preset, domain]] * 3, atol=1e-4)
