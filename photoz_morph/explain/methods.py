"""The explanations that commands offer, by their names: one call for each, with the settings that they share.

A method takes a score, the inputs of galaxies and what replaces their light, and gives an attribution of the image and,
where it has one, of E(B-V). Gradients are told per sigma of the sky of the galaxy's own stamp in the band; parts of the
target are in its own unit.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from photoz_morph.explain.attribution.grad_cam import grad_cam, grad_cam_plus_plus
from photoz_morph.explain.attribution.integrated_gradients import integrated_gradients
from photoz_morph.explain.attribution.noise_averages import smooth_grad, square_grad, var_grad
from photoz_morph.explain.attribution.saliency import gradient_times_input, saliency
from photoz_morph.explain.backward.projections import projecting
from photoz_morph.explain.backward.relevance import layerwise_relevance
from photoz_morph.explain.backward.rescale import deep_lift
from photoz_morph.explain.gradients import Score, named, unnamed
from photoz_morph.explain.occlusion import regions
from photoz_morph.explain.occlusion.hsic import hsic
from photoz_morph.explain.occlusion.lime import lime
from photoz_morph.explain.occlusion.patches import occlusion, occlusion_map
from photoz_morph.explain.occlusion.rise import rise
from photoz_morph.explain.occlusion.shapley import kernel_shap
from photoz_morph.explain.occlusion.sobol import total_sobol_indices
from photoz_morph.explain.sky import image_name, measure_sky, per_sky_sigma

PARTS, PER_SIGMA, LOSS, ORDER = "part of the target", "per sigma of the sky", "loss of the target", "order alone"


@dataclass(frozen=True)
class Settings:
    """What the methods share.

    Attributes
    ----------
    size, stride : int
        Side of the patches that are taken away, and step between them [pixel].
    n_steps : int
        Of integrated gradients.
    n_samples : int
        Noisy copies of a galaxy.
    n_masks : int
        Random choices of what is kept.
    layer : str, optional
        Whose maps Grad-CAM weights; by default the last with maps.
    seed : int
    """

    size: int = 6
    stride: int = 4
    n_steps: int = 64
    n_samples: int = 16
    n_masks: int = 500
    layer: str | None = None
    seed: int = 0


@dataclass(frozen=True)
class Method:
    """A way to explain.

    Attributes
    ----------
    title : str
    unit : str
        What the numbers are: `PARTS`, `PER_SIGMA`, `LOSS` or `ORDER`.
    explain : callable
        (score, inputs, filling, settings) to an attribution, an array or a dictionary with arrays by input.
    is_signed : bool
        Whether it tells what raises the target from what lowers it.
    adds_up : bool
        Whether its parts sum to the change of the target from the filling to the galaxy.
    votes : bool
        Whether all members of an ensemble are asked; not where this takes long and another method asks the same.
    """

    title: str
    unit: str
    explain: Callable
    is_signed: bool = True
    adds_up: bool = False
    votes: bool = True


def chosen_methods(names):
    """Methods by their names, in this order.

    Raises
    ------
    ValueError
        If there is no such method, or none is named.
    """
    unknown = [name for name in names if name not in METHODS]
    if unknown or not names:
        raise ValueError(f"no method {', '.join(map(repr, unknown)) or 'given'}; there are {', '.join(METHODS)}")
    return {name: METHODS[name] for name in dict.fromkeys(names)}


def last_maps(network):
    """Name of the last layer of a network that gives maps of several pixels; a ValueError if none does."""
    for layer in getattr(network, "layers", [])[::-1]:
        shape = getattr(getattr(layer, "output", None), "shape", ())
        if len(shape) == 4 and min(shape[1:3]) > 1:
            return layer.name
    raise ValueError(f"the network {getattr(network, 'name', network)!r} has no layer with maps; leave out Grad-CAM")


def _gradients(function, power=1, **options):
    """Method by gradients of pixels, per sigma of the sky to a power."""

    def explain(score, inputs, filling, settings):
        image = image_name(named(inputs))
        sigma = measure_sky(named(inputs)[image])[1]
        samples = {"noise": {image: sigma}, "n_samples": settings.n_samples, "seed": settings.seed} if options else {}
        found = named(function(score, inputs if isinstance(inputs, dict) else {image: inputs}, **samples))
        return unnamed({image: per_sky_sigma(found[image], sigma**power)}, inputs)

    return explain


def _cam(function):
    def explain(score, inputs, filling, settings):
        layer = settings.layer or last_maps(score.network)
        return unnamed({image_name(named(inputs)): function(score, inputs, layer, signed=True)}, inputs)

    return explain


def _occlusion(each_band):
    def explain(score, inputs, filling, settings):
        image = image_name(named(inputs))
        shape = np.shape(named(inputs)[image])
        bands = [[band] for band in range(shape[3])] if each_band else None
        losses = occlusion(score, inputs, filling, settings.size, settings.stride, bands)
        return unnamed({image: occlusion_map(losses, shape[1:3], settings.size, settings.stride)}, inputs)

    return explain


def _players(function, count):
    """Method that takes square patches away, as many pixels as one place of a patch of the occlusion has."""

    def explain(score, inputs, filling, settings):
        image = image_name(named(inputs))
        players = regions.patches(np.shape(named(inputs)[image])[1:], max(settings.size, 8))
        options = {count: settings.n_masks if count == "n_samples" else 8, "seed": settings.seed}
        values = np.nan_to_num(function(score, inputs, filling, players, **options))
        return unnamed({image: named(regions.spread(values, players, inputs))[image]}, inputs)

    return explain


def _projection(kind):
    """Method by gradients whose rectifiers pass another signal, per sigma of the sky."""

    def explain(score, inputs, filling, settings):
        projected = Score(projecting(score.network, kind), score.target, score.batch_size)
        return _gradients(lambda of, given: of.value_and_gradient(given)[1])(projected, inputs, filling, settings)

    return explain


def _relevance(score, inputs, filling, settings):
    found = layerwise_relevance(score.network, score.target, inputs, batch_size=score.batch_size)
    return unnamed({name: values for name, values in named(found).items() if name in named(filling)}, inputs)


def _deep_lift(score, inputs, filling, settings):
    reference = unnamed({**named(inputs), **named(filling)}, inputs)
    found = deep_lift(score.network, score.target, inputs, reference, score.batch_size)
    return unnamed({name: values for name, values in named(found).items() if name in named(filling)}, inputs)


def _rise(score, inputs, filling, settings):
    return rise(score, inputs, filling, settings.n_masks, seed=settings.seed)


METHODS = {
    "integrated_gradients": Method(
        "Integrated gradients", PARTS,
        lambda score, inputs, filling, settings: integrated_gradients(score, inputs, filling, settings.n_steps),
        adds_up=True,
    ),
    "gradient_times_input": Method(
        "Gradient x input", PARTS,
        lambda score, inputs, filling, settings: gradient_times_input(score, inputs, filling),
    ),
    "saliency": Method("Saliency", PER_SIGMA, _gradients(saliency), is_signed=False),
    "smooth_grad": Method("SmoothGrad", PER_SIGMA, _gradients(smooth_grad, samples=True)),
    "square_grad": Method("SquareGrad", PER_SIGMA, _gradients(square_grad, 2, samples=True), is_signed=False),
    "var_grad": Method("VarGrad", PER_SIGMA, _gradients(var_grad, 2, samples=True), is_signed=False),
    "deep_lift": Method("DeepLIFT", PARTS, _deep_lift, adds_up=True),
    "lrp": Method("LRP", PARTS, _relevance),
    "guided": Method("Guided backpropagation", PER_SIGMA, _projection("guided")),
    "deconvnet": Method("Deconvnet", PER_SIGMA, _projection("deconvnet")),
    "grad_cam": Method("Grad-CAM", ORDER, _cam(grad_cam)),
    "grad_cam_plus_plus": Method("Grad-CAM++", ORDER, _cam(grad_cam_plus_plus)),
    "occlusion": Method("Occlusion", LOSS, _occlusion(False)),
    "band_occlusion": Method("Occlusion of a band", LOSS, _occlusion(True), votes=False),
    "rise": Method("RISE", LOSS, _rise),
    "lime": Method("LIME", LOSS, _players(lime, "n_samples")),
    "kernel_shap": Method("KernelSHAP", PARTS, _players(kernel_shap, "n_samples"), adds_up=True),
    "sobol": Method("Sobol indices", ORDER, _players(total_sobol_indices, "n_designs"), is_signed=False),
    "hsic": Method("HSIC", ORDER, _players(hsic, "n_samples"), is_signed=False),
}  # fmt: skip
