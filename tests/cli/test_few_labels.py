from dataclasses import replace

from photoz_morph.cli.few_labels import few_label_configs, source_configs
from photoz_morph.config import load_config
from photoz_morph.photoz.config import PhotozConfig


def configs(n_networks, modes=("lora", "frozen"), first=0):
    config = load_config("photoz_simulated.yaml", PhotozConfig)
    config = replace(config, transfer=replace(config.transfer, source="runs/a", first=first))
    return few_label_configs(config, [100, 500], 4, modes, n_networks)


def test_repeats_start_from_one_network_of_the_source_after_the_other():
    def firsts(found):
        return [found["lora", 500, repeat].transfer.first for repeat in (1, 2, 3, 4)]

    assert firsts(configs(3)) == [0, 1, 2, 0] and firsts(configs(3, first=1)) == [1, 2, 0, 1]
    assert firsts(configs(1)) == [0, 0, 0, 0]
    assert {found.transfer.first for key, found in configs(3).items() if key[0] == "scratch"} == {0}


def test_methods_have_the_same_labels_and_seeds_in_a_repeat():
    found = configs(2)
    for n in (100, 500):
        for repeat in (1, 2, 3, 4):
            (choice,) = {(found[method, n, repeat].data, found[method, n, repeat].seed)
                         for method in ("lora", "frozen", "scratch")}  # fmt: skip
            assert choice[0].n_labels == n and choice[1] == found["lora", n, 1].seed + repeat - 1


def test_the_source_without_labels_starts_as_the_runs_with_most():
    found = configs(3)
    assert source_configs(found) == {("source", 0, repeat): found["lora", 500, repeat] for repeat in (1, 2, 3, 4)}
