import pytest
from click.testing import CliRunner

from photoz_morph.cli.photoz import main


@pytest.mark.parametrize(
    ("setting", "message"),
    [("data.n_validation=500", "data.n_validation is 500, a fold of 400 simulated galaxies has about 80"),
     ("data.train_fraction=0.02", "data.train_fraction 0.02 of 400 simulated galaxies is less than a batch of 16")],
)  # fmt: skip
def test_a_simulation_too_small_to_train_on_is_refused_before_it_is_made(tmp_path, monkeypatch, setting, message):
    monkeypatch.chdir(tmp_path)
    settings = ["simulation.n_galaxies=400", "data.n_validation=20", "data.batch_size=16", setting]
    result = CliRunner().invoke(main, ["train", *(word for text in settings for word in ("--set", text))])
    assert result.exit_code == 1 and message in result.output and not any(tmp_path.iterdir())


def photoz(*words):
    return CliRunner().invoke(main, words)


def test_summary_counts_the_parameters_of_the_paper():
    result = photoz("summary", "photoz_sdss.yaml")
    assert result.exit_code == 0 and "(the paper's count): 27,391,464" in result.output  # Pasquet et al. (2019)


def test_no_other_survey_is_simulated_where_its_dataset_is_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = photoz("train", "--set", "survey=hsc", "--data-dir", "nowhere")  # of photoz_simulated.yaml
    assert result.exit_code == 1 and "make one with `photoz build STACKS --data-dir nowhere`" in result.output
    assert not any(tmp_path.iterdir())


def test_without_a_dataset_or_a_simulation_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = photoz("train", "photoz_sdss.yaml", "--data-dir", "nowhere")
    assert result.exit_code == 1 and "make one with `photoz build STACKS --data-dir nowhere`" in result.output
    assert not any(tmp_path.iterdir())


def test_initial_weights_that_are_not_there_are_named_before_anything_is_simulated(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = photoz("train", "--set", "train.initial_weights=nowhere")
    assert result.exit_code == 1 and not any(tmp_path.iterdir())
    assert result.output == (
        "Error: nowhere: no run folder of `photoz pretrain`; give another train.initial_weights\n"
    )
