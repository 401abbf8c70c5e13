"""Names of test-time defences. The defences themselves are tested with the layers, those in training elsewhere."""

from pathlib import Path

import pytest

from photoz_morph.cli.morph.options import defence_option
from photoz_morph.config import load_config
from photoz_morph.models.layers.defences import DEFENCES
from photoz_morph.morph.config import MorphConfig
from photoz_morph.morph.defences import defence_facts, with_defence

CHOICES = MorphConfig.CHOICES["defence.test_time"]


def config(*overrides):
    return load_config("morph_regular.yaml", MorphConfig, list(overrides))


def test_config_command_and_networks_know_the_same_defences():
    command = defence_option(lambda defence: None).__click_params__[0]
    assert CHOICES == DEFENCES == tuple(command.type.choices)


@pytest.mark.parametrize("own", CHOICES)
def test_files_behind_the_defence_of_the_config_have_the_plain_name_and_no_two_defences_share_one(own):
    path = Path("run.d/predictions.fits")
    names = {name: with_defence(path, config(f"defence.test_time={own}"), name) for name in (None, *CHOICES)}
    assert names[None] == names[own] == path
    others = set(CHOICES) - {own}
    assert {names[name] for name in others} == {Path(f"run.d/predictions_{name}.fits") for name in others}


def test_facts_are_of_the_defence_in_use_and_of_the_training():
    trained = config("defence.test_time=d4", "data.noise_augmentation=true", "data.pixel_augmentation=0.5")
    facts = {"noise_augmentation": True, "pixel_augmentation": 0.5}
    assert defence_facts(trained) == {"defence": "d4", **facts}
    assert defence_facts(trained, "none") == {"defence": "none", **facts}
