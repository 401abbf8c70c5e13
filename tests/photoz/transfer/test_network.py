from dataclasses import replace

import numpy as np
import pytest

from photoz_morph.config import load_config
from photoz_morph.models.layers.photometric_inputs import adapt_to_training_set
from photoz_morph.models.registry import build_model
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.transfer.bands import band_map
from photoz_morph.photoz.transfer.network import give_weights
from photoz_morph.photoz.transfer.source import model_on, unit_ratio
from photoz_morph.surveys import SDSS, SURVEYS
from tests.support.samples import PIXELS_ALONE, PSF_MATCHED, TINY, colour_stacks

RAW = (*PIXELS_ALONE, "model.compression=none", "model.with_ebv=true")
GRIZ = SDSS.of_bands("griz")


def config_of(options):
    return load_config("photoz_simulated.yaml", PhotozConfig, options)


def inputs_of(config, images, ebv):
    n, n_bands = len(images), config.survey.n_bands
    told = {name: np.full((n, n_bands), 1.4, np.float32) for name in config.model.observing}
    return {"image": images, "ebv": ebv, **told}


def trained_on_sdss(options, n=48):
    """A network whose data-dependent layers are those of some galaxies, and its inputs."""
    config = config_of(options)
    images, table = colour_stacks(n)
    batch = inputs_of(config, images, np.asarray(table["ebv"], np.float32))
    network = build_model(config, 1)
    adapt_to_training_set(network, [batch])
    return config, network, batch


def transferred(config, network, survey, sample=None, with_head=True):
    changed = replace(config, survey=survey)
    changed = replace(changed, model=model_on(config, survey))
    changed.check()
    found = build_model(changed, 2)
    give_weights(
        network, found, band_map(config.survey, survey), (config.model, changed.model), sample and sample(changed),
        unit_ratio(config.survey, survey), with_head,
    )  # fmt: skip
    return changed, found


@pytest.mark.parametrize("options", [(*TINY, *PSF_MATCHED), TINY, PIXELS_ALONE, RAW], ids=str)
def test_on_the_same_survey_the_outputs_are_those_of_the_source(options):
    config, network, batch = trained_on_sdss(options)
    _, found = transferred(config, network, SDSS)
    np.testing.assert_array_equal(found(batch), network(batch))


def test_a_new_head_keeps_its_random_weights():
    config, network, batch = trained_on_sdss(RAW)
    _, found = transferred(config, network, SDSS, with_head=False)
    assert not np.array_equal(found.get_layer("redshift_pdf").kernel, network.get_layer("redshift_pdf").kernel)
    np.testing.assert_array_equal(found.get_layer("FC2").kernel, network.get_layer("FC2").kernel)


@pytest.mark.parametrize("options", [PIXELS_ALONE, RAW], ids=["asinh", "raw"])
def test_without_a_band_raw_pixels_give_what_the_source_gives_with_zeros_in_it(options):
    config, network, batch = trained_on_sdss(options)
    _, found = transferred(config, network, GRIZ, sample=lambda changed: [{**batch, "image": batch["image"][..., 1:]}])
    blank = batch["image"].copy()
    blank[..., 0] = 0
    without_u = {**batch, "image": batch["image"][..., 1:]}
    np.testing.assert_allclose(found(without_u), network({**batch, "image": blank}), atol=1e-6)


@pytest.mark.parametrize("options", [(*TINY, *PSF_MATCHED), TINY], ids=["psf_matched", "circular"])
def test_without_a_band_its_fluxes_count_as_those_of_the_mean_galaxy(options):
    config, network, batch = trained_on_sdss(options)
    changed, found = transferred(
        config, network, GRIZ, sample=lambda new: [inputs_of(new, batch["image"][..., 1:], batch["ebv"])]
    )
    name = "PH1" if config.model.photometric_layers else "FC2"
    n_flux = {model: model.get_layer("whitening").mean.shape[0] for model in (network, found)}
    n_units = 0 if config.model.photometric_layers else config.model.dense_units
    fluxes = np.random.default_rng(3).normal(size=(6, n_flux[network]))
    mean, matrix = (np.asarray(part, float) for part in network.get_layer("whitening").get_weights())
    is_u = np.arange(n_flux[network]) % 5 == 0
    old = np.where(is_u, mean, fluxes)  # the u fluxes of the mean galaxy

    def before_activation(model, values):
        mean, matrix = (np.asarray(part, float) for part in model.get_layer("whitening").get_weights())
        kernel, bias = (np.asarray(part, float) for part in model.get_layer(name).get_weights())
        return (values - mean) @ matrix @ kernel[n_units : n_units + n_flux[model]] + bias

    expected, given = before_activation(network, old), before_activation(found, fluxes[:, ~is_u])
    np.testing.assert_allclose(given, expected, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("name", "options"), [("hsc", (*TINY, *PSF_MATCHED)), ("legacy", RAW), ("lsst_coadd", PIXELS_ALONE)],
    ids=["measured", "raw", "asinh"],
)  # fmt: skip
def test_any_survey_gets_a_network_with_pixels_of_the_scale_of_the_source(options, name):
    survey = SURVEYS[name]
    config, network, _ = trained_on_sdss(options)
    images = np.random.default_rng(1).normal(size=(24, *survey.image_shape)).astype(np.float32)
    ebv = np.zeros(24, np.float32)
    changed, found = transferred(config, network, survey, lambda new: [inputs_of(new, images, ebv)])
    assert changed.model.pixel_scale == 0.396
    assert found.get_layer("pixel_resampling").output.shape[1] == int(64 * survey.pixel_scale / 0.396)
    pdf = found(inputs_of(changed, images, ebv)).numpy()
    assert np.isfinite(pdf).all() and pdf.shape == (24, 180)


def test_a_flux_in_another_unit_is_the_same_flux():
    config, network, batch = trained_on_sdss(RAW)
    in_njy = replace(SDSS, name="njy", image_unit="nJy", zero_point=31.4, sky_sigma=None)
    sample = {**batch, "image": batch["image"] * 10 ** (0.4 * 8.9)}
    _, found = transferred(config, network, in_njy, lambda changed: [sample])
    np.testing.assert_allclose(found(sample), network(batch), atol=1e-5)
    measured = config_of(TINY)
    sigma = model_on(measured, in_njy).sky_sigma
    np.testing.assert_allclose(sigma, np.asarray(SDSS.sky_sigma) * 10 ** (0.4 * 8.9))


def test_branches_of_bands_lose_the_bands_that_are_missing():
    options = (*PIXELS_ALONE, "model.blocks=[[4, 4], [4, 4]]", "model.band_subsets=[[u, g], [r, i]]")
    config, network, batch = trained_on_sdss(options)
    changed = replace(config, survey=GRIZ)
    changed = replace(changed, model=model_on(config, GRIZ))
    assert changed.model.band_subsets == (("g",), ("r", "i"))
    with pytest.raises(ValueError, match="a branch of bands u, of which survey sdss_griz has none"):
        model_on(replace(config, model=replace(config.model, band_subsets=(("u",),))), GRIZ)
