import numpy as np

from photoz_morph.blend.maps.networks import ensemble_answers
from photoz_morph.blend.maps.targets import UNITS

IMAGES = np.zeros((3, 2, 2, 1), np.float32)


def constant(answer, values):
    return lambda inputs: {answer: np.broadcast_to(values, (len(inputs["image"]), *np.shape(values)))}


def test_maps_of_several_networks_are_averaged_and_have_their_units():
    outputs = [np.full((2, 2, 4), value, np.float32) for value in (0.0, 1.0)]
    found = ensemble_answers([constant("maps", part) for part in outputs], IMAGES, "maps")
    centre, scale = np.array(list(UNITS.values())).T
    np.testing.assert_allclose(found[1, 0, 1], centre + 0.5 * scale, rtol=1e-6)
    fields = ensemble_answers([constant("field", part[..., :1]) for part in outputs], IMAGES, "field")
    assert fields.shape == (3, 2, 2, 1) and (fields == 0.5).all()


def test_posteriors_of_several_networks_have_the_moments_of_their_mixture():
    parts = [(0.2, 0.05), (0.4, 0.1), (0.35, 0.02)]
    functions = [constant("parameters", [[mean, np.log(sigma)]]) for mean, sigma in parts]
    found = ensemble_answers(functions, IMAGES, "parameters")
    rng = np.random.default_rng(1)
    drawn = np.concatenate([rng.normal(mean, sigma, 100_000) for mean, sigma in parts])
    assert found.shape == (3, 1, 2)
    np.testing.assert_allclose(found[2, 0], [drawn.mean(), np.log(drawn.std())], atol=0.01)
