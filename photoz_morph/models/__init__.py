"""The networks, by name."""

from dataclasses import asdict

from photoz_morph.models.inception_photoz import inception_photoz

MODELS = {"inception_photoz": inception_photoz}


def build_model(config, seed=0):
    """Network of a config.

    Parameters
    ----------
    config : PhotozConfig
    seed : int
        Of the weights.

    Returns
    -------
    keras.Model
    """
    options = asdict(config.model)
    return MODELS[options.pop("name")](survey=config.survey, n_bins=config.redshift.n_bins, seed=seed, **options)
