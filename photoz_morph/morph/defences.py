"""Test-time defence of a run: from its config, unless the caller names another."""


def with_defence(path, config, defence=None):
    """Path of a file that depends on the test-time defence: NAME_DEFENCE unless it is that of the run's config."""
    if defence in (None, config.defence.test_time):
        return path
    return path.with_name(f"{path.stem}_{defence}{path.suffix}")


def defence_facts(config, defence=None):
    """Facts on the defences of a network, for the headers of predictions, attacks and exports.

    Parameters
    ----------
    config : MorphConfig
    defence : str, optional
        Test-time defence; by default that of the config.

    Returns
    -------
    dict
        `defence` at test time; `noise_augmentation` and `pixel_augmentation` in training.
    """
    return {
        "defence": defence or config.defence.test_time,
        "noise_augmentation": config.data.noise_augmentation,
        "pixel_augmentation": config.data.pixel_augmentation,
    }
