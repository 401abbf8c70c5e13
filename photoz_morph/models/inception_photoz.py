"""The inception network of Pasquet et al. (2019), Table A1: images and E(B-V) to a binned redshift PDF.

`inception_photoz` with its defaults is the published network: 27,391,464 kernel weights of the convolutions, FC1 and
FC2 (the count of the paper) and 27,596,372 trainable parameters in all. Narrower, shallower members of the family are
the same function with other arguments.
"""

import keras
import numpy as np
from keras import layers

from photoz_morph.models.layers.blocks import batch_norm as batch_norm_layer
from photoz_morph.models.layers.photometric_inputs import (
    ApertureFluxes,
    AsinhCompression,
    Deredden,
    PixelScales,
    SelectBands,
    Standardization,
    Whitening,
)
from photoz_morph.models.layers.pixel_resampling import PixelResampling
from photoz_morph.models.layers.psf_matched import MEASURED, LogConditions, PsfMatchedPhotometry, measured_sizes
from photoz_morph.surveys import get_survey
from photoz_morph.surveys.description import resampled_size

BLOCKS = ((48, 64), (64, 92), (92, 128), (92, 128), (92, 128))  # (s1, s2) of Table A1


def inception_photoz(
    survey="sdss",
    n_bins=180,
    crop=64,
    conv1_filters=64,
    conv1_kernel=5,
    conv1_stride=1,
    conv1_pool=True,
    blocks=BLOCKS,
    pool_after=(2, 4),
    dense_units=1096,
    activation="prelu",
    with_ebv=True,
    photometric_inputs=False,
    apertures="circular",
    observing=(),
    dense_activation="relu",
    photometric_layers=0,
    dropout=0.0,
    pooling="average",
    batch_norm=False,
    compression="none",
    band_subsets=(),
    band_subset_blocks=1,
    pixel_scale=None,
    sky_sigma=None,
    is_measured=False,
    seed=0,
):
    """Inception classifier of redshift bins.

    Parameters
    ----------
    survey : str or Survey
        Gives the image shape and, with `photometric_inputs`, noise and extinction per band.
    n_bins : int
        Redshift bins of the softmax.
    crop : int or None
        Side of the central square of the stamp that the network sees; None for the whole stamp [pixel].
    conv1_filters, conv1_kernel, conv1_stride : int
        The first convolution, C1.
    conv1_pool : bool
        Whether a 2x2 pool follows C1.
    blocks : sequence of (int, int)
        Widths (s1, s2) of each inception block; the last has no 5x5 branch. Without blocks there are no convolutions
        and no FC1: what `photometric_inputs` measures is all that the network sees.
    pool_after : sequence of int
        Blocks, counted from 1, that a 2x2 pool follows.
    dense_units : int
        Width of FC1 and FC2: 1096 as in Sec. 3.6 (Table A1 prints 1024, which contradicts the paper's own count).
    activation : str
        "prelu", one slope per map that starts at 0, or "relu".
    with_ebv : bool
        Whether E(B-V) joins the flattened maps before FC1.
    photometric_inputs : bool
        Whether the inputs are dereddened pixels on several scales, with whitened aperture fluxes beside the flattened
        maps.
    apertures : {"circular", "psf_matched"}
        Apertures of `photometric_inputs`: fixed circles, or those of `PsfMatchedPhotometry` with the galaxy's shape.
    observing : sequence of str
        Of "psf_fwhm" [arcsec], "sky_sigma" [image unit] and "n_frames": observing conditions that the network is told.
    dense_activation : {"relu", "gelu"}
        Activation of the dense layers.
    photometric_layers : int
        Dense layers PH1, PH2 ... between the aperture fluxes, with all that stands beside the maps, and FC2.
    dropout : float
        Fraction of the outputs of each dense layer that is dropped in training.
    pooling : {"average", "max"}
        Of all pools, those inside the blocks included.
    batch_norm : bool
        Whether each convolution is normalised over the batch before its activation, and then has no bias.
    compression : {"none", "asinh"}
        Dynamic range of the raw pixels of a network without `photometric_inputs`.
    band_subsets : sequence of sequences of str
        Sets of bands, each with a C1 and first blocks of its own beside those of all bands (Ait Ouahmed et al. 2024).
    band_subset_blocks : int
        Blocks that each set passes before its maps join those of all bands.
    pixel_scale : float, optional
        Side of the pixels that the network sees; stamps of another scale are resampled first [arcsec].
    sky_sigma : sequence of float, optional
        Noise of these pixels, one per band, in whose units pixels and fluxes are seen; by default that of the survey
        [image unit].
    is_measured : bool
        Whether PSF-matched photometry is given and not measured: `psf_matched.MEASURED` are further inputs, and the
        weights are those of the network without.
    seed : int
        Of the weights.

    Returns
    -------
    keras.Model
        Inputs `image`, shape (n, size, size, n_bands) [image unit of the survey], and `ebv`, shape (n,) [mag]; output
        `redshift_pdf`, shape (n, n_bins). Both inputs always exist; without E(B-V) the second is ignored. Each of
        `observing` is a further input of its name, shape (n, n_bands), NaN or 0 where unknown.

    Notes
    -----
    Weights are Glorot uniform and biases 0.1, and a block concatenates its 1x1, 5x5, 3x3 and pooled maps in this order,
    as in the authors' code. Names are those of Table A1: convolutions C1 ... C29, pools P1 ..., concatenations Co1 ...
    Co5, FC1, FC2; inside a block the bottlenecks come first. Layers of the first of `band_subsets` are B1_C1, B1_Co1
    and so on; `band_subsets` concatenates the maps of all bands, B1, B2 ... Neighbouring pairs of ugriz, joined after
    the first block, bring the published network to 28,356,052 trainable parameters: 4 x 121,760 in the branches, and
    272,640 in the second block, which gets more maps.
    """
    survey = get_survey(survey)
    pixel_scale = pixel_scale or survey.pixel_scale
    stamp_size = resampled_size(survey.stamp_size, survey.pixel_scale, pixel_scale)
    crop = crop or stamp_size
    if crop > stamp_size:
        raise ValueError(f"model.crop is {crop}, the stamps of {survey.name} have {stamp_size} pixels")
    softening = sky_sigma or survey.pixel_softening
    if sky_sigma is None and survey.sky_sigma is not None:  # independent noise adds up in squares
        sky_sigma = tuple(sigma * pixel_scale / survey.pixel_scale for sigma in survey.sky_sigma)
    if not blocks and not photometric_inputs:
        raise ValueError("model.blocks is empty and model.photometric_inputs false: the network would see nothing")
    if any(not 1 <= block <= len(blocks) for block in pool_after):
        raise ValueError(f"model.pool_after is {list(pool_after)}, the network has blocks 1 to {len(blocks)}")
    for name in (name for subset in band_subsets for name in subset):
        if name not in survey.bands:
            raise ValueError(f"model.band_subsets names band {name}, {survey.name} has {', '.join(survey.bands)}")
    build = _LayerMaker(activation, seed, pooling, batch_norm)
    image = keras.Input(survey.image_shape, name="image")
    ebv = keras.Input((), name="ebv")
    reddening = layers.Reshape((1,), name="ebv_column", dtype="float32")(ebv)

    inputs = {"image": image, "ebv": ebv}
    inputs |= {name: keras.Input((survey.n_bands,), name=name) for name in observing}
    conditions = {name: _log_conditions(survey, name)(inputs[name]) for name in observing}

    pixels, side_inputs, shape = image, [], []
    if pixel_scale != survey.pixel_scale:
        pixels = PixelResampling(survey.pixel_scale, pixel_scale, name="pixel_resampling", dtype="float32")(pixels)
    if photometric_inputs:
        if with_ebv:
            pixels = Deredden(survey.extinction_per_ebv, name="deredden", dtype="float32")([pixels, reddening])
        if apertures == "psf_matched" and is_measured:
            inputs |= {name: keras.Input((n,), name=name) for name, n in measured_sizes(survey.n_bands).items()}
            fluxes, shape = inputs[MEASURED[0]], [inputs[MEASURED[1]]]
        elif apertures == "psf_matched":
            measure = PsfMatchedPhotometry(
                sky_sigma, pixel_scale, typical_fwhm=survey.psf_fwhm, name="psf_matched_photometry",
                dtype="float32",
            )  # fmt: skip
            fluxes, shape = measure(pixels, conditions.get("psf_fwhm"))
            shape = [shape]
        else:
            fluxes = ApertureFluxes(sky_sigma, name="aperture_fluxes", dtype="float32")(pixels)
        side_inputs.append(Whitening(name="whitening", dtype="float32")(fluxes))
    if shape or conditions:
        facts = [*shape, *conditions.values()]
        facts = _joined(facts, "shape_and_conditions")
        side_inputs.append(Standardization(name="standardization", dtype="float32")(facts))
    if crop < stamp_size and blocks:
        pixels = layers.CenterCrop(crop, crop, name="crop", dtype="float32")(pixels)

    def network_pixels(pixels, bands, prefix=""):
        """Pixels of some bands, on the scales that convolutions see."""
        if prefix:
            pixels = SelectBands([survey.bands.index(band) for band in bands], name=f"{prefix}bands")(pixels)
        if photometric_inputs:
            scale = PixelScales(_of_bands(survey, sky_sigma, bands), name=f"{prefix}pixel_scales", dtype="float32")
            return scale(pixels)
        if compression == "asinh":
            softer = _of_bands(survey, softening, bands)
            return AsinhCompression(softer, name=f"{prefix}compression", dtype="float32")(pixels)
        return pixels

    def convolve(build, maps, first, last):
        """Maps behind blocks `first` to `last`, where block 0 is C1."""
        if first == 0:
            maps = build.convolution(maps, conv1_filters, conv1_kernel, conv1_stride)
            if conv1_pool:
                maps = build.pool(maps, stride=2)
        for index in range(max(first, 1), last + 1):
            maps = build.block(maps, *blocks[index - 1], with_5x5=index < len(blocks), name=f"Co{index}")
            if index in pool_after:
                maps = build.pool(maps, stride=2)
        return maps

    # The dense layers stay in float32 whatever the precision of the convolutions: they set the PDF's resolution.
    if with_ebv:
        side_inputs.append(reddening)
    hidden = []
    if blocks:
        n_before = band_subset_blocks if band_subsets else len(blocks)
        branches = [convolve(build, network_pixels(pixels, survey.bands), 0, n_before)]
        for number, bands in enumerate(band_subsets, start=1):
            # A stream of seeds for each branch, so that the layers of all bands have the weights they have without.
            branch = _LayerMaker(activation, (seed, number), pooling, batch_norm, prefix=f"B{number}_")
            branches.append(convolve(branch, network_pixels(pixels, bands, branch.prefix), 0, n_before))
        maps = convolve(build, _joined(branches, "band_subsets"), n_before + 1, len(blocks))
        flat = layers.Flatten(name="flatten", dtype="float32")(maps)
        joined = _joined([flat, *side_inputs], "flatten_and_ebv")
        hidden.append(build.dropout(build.dense(joined, dense_units, dense_activation, "FC1"), dropout))
    if photometric_inputs:
        if photometric_layers:
            photometry = _joined(side_inputs, "side_inputs")
            for index in range(1, photometric_layers + 1):
                photometry = build.dense(photometry, dense_units, dense_activation, f"PH{index}")
                photometry = build.dropout(photometry, dropout)
            side_inputs = [photometry]
        hidden += side_inputs
    hidden = _joined(hidden, "FC1_and_side_inputs" if blocks else "photometry")
    hidden = build.dropout(build.dense(hidden, dense_units, dense_activation, "FC2"), dropout)
    pdf = build.dense(hidden, n_bins, "softmax", "redshift_pdf")
    return keras.Model(inputs, pdf, name="inception_photoz")


def _joined(values, name):
    """Values concatenated along the last axis by a layer of this name, or the only ones as they are."""
    return layers.Concatenate(name=name, dtype="float32")(values) if len(values) > 1 else values[0]


def _of_bands(survey, values, bands):
    """Values of some bands of a survey, from those of all."""
    return tuple(values[survey.bands.index(band)] for band in bands)


def _log_conditions(survey, name):
    """Layer of an observing condition; until it is adapted, the survey's own values are typical."""
    typical = getattr(survey, name, None) or [1.0] * survey.n_bands
    return LogConditions(typical, name=f"log_{name}", dtype="float32")


def paper_parameter_count(model):
    """Number of weights as counted by Pasquet et al. (2019): kernels of the convolutions, FC1 and FC2 only."""
    counted = [layer for layer in model.layers if isinstance(layer, layers.Conv2D) or layer.name in ("FC1", "FC2")]
    return sum(int(np.prod(layer.kernel.shape)) for layer in counted)


def trainable_parameter_count(model):
    """Number of trainable parameters, including biases, PReLU slopes and the output layer."""
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


class _LayerMaker:
    """Makes layers with the table's running names after a prefix, the chosen activation and a seed of their own."""

    def __init__(self, activation, seed, pooling, batch_norm, prefix=""):
        self.activation, self.batch_norm, self.prefix = activation, batch_norm, prefix
        self.pool_layer = {"average": layers.AveragePooling2D, "max": layers.MaxPooling2D}[pooling]
        self.seeds = iter(np.random.SeedSequence(seed).generate_state(256).tolist())
        self.n_convolutions = self.n_pools = self.n_dropouts = 0

    def _initializers(self):
        return {
            "kernel_initializer": keras.initializers.GlorotUniform(seed=next(self.seeds)),
            "bias_initializer": keras.initializers.Constant(0.1),
        }

    def convolution(self, maps, filters, kernel, stride=1):
        self.n_convolutions += 1
        name = f"{self.prefix}C{self.n_convolutions}"
        options = {"padding": "same", "use_bias": not self.batch_norm, "name": name, **self._initializers()}
        maps = layers.Conv2D(filters, kernel, stride, **options)(maps)
        if self.batch_norm:
            maps = batch_norm_layer(maps, f"{name}_bn")
        if self.activation == "relu":
            return layers.ReLU(name=f"{name}_relu")(maps)
        # One slope per map; the Keras default of one per pixel has 262,144 in the first layer alone.
        return layers.PReLU(shared_axes=[1, 2], name=f"{name}_prelu")(maps)

    def pool(self, maps, stride):
        self.n_pools += 1
        return self.pool_layer(2, stride, padding="same", name=f"{self.prefix}P{self.n_pools}")(maps)

    def block(self, maps, s1, s2, with_5x5, name):
        """One inception block: the bottleneck comes before the pool, unlike in GoogLeNet."""
        to_3x3 = self.convolution(maps, s1, 1)
        to_5x5 = self.convolution(maps, s1, 1) if with_5x5 else None
        to_pool = self.convolution(maps, s1, 1)
        branches = [self.convolution(maps, s2, 1)]
        branches.append(self.convolution(to_3x3, s2, 3))
        if with_5x5:
            branches.insert(1, self.convolution(to_5x5, s2, 5))
        branches.append(self.pool(to_pool, stride=1))
        return layers.Concatenate(name=f"{self.prefix}{name}")(branches)

    def dropout(self, values, rate):
        if not rate:
            return values
        self.n_dropouts += 1
        return layers.Dropout(rate, seed=next(self.seeds), name=f"dropout{self.n_dropouts}", dtype="float32")(values)

    def dense(self, units_in, units, activation, name):
        layer = layers.Dense(units, activation=activation, name=name, dtype="float32", **self._initializers())
        return layer(units_in)
