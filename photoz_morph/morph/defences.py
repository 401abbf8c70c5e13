"""Test-time defences of a run, as its config or the command line asks."""


def with_defence(path, config, defence=None):
    """Name of a file of a run that depends on the test-time defence: NAME_DEFENCE behind another than its config's."""
    if defence in (None, config.defence.test_time):
        return path
    return path.with_name(f"{path.stem}_{defence}{path.suffix}")


def defence_facts(config, defence=None):
    """What predictions, attacks and exports record of the defences of their networks.

    Parameters
    ----------
    config : MorphConfig
    defence : str, optional
        The test-time defence, by default that of the config.

    Returns
    -------
    dict
        `defence`, and of the training `noise_augmentation` and `pixel_augmentation`.
    """
    return {
        "defence": defence or config.defence.test_time,
        "noise_augmentation": config.data.noise_augmentation,
        "pixel_augmentation": config.data.pixel_augmentation,
    }
