import importlib.machinery
import importlib.util
import shlex
import sys
from types import ModuleType

import pytest

from photoz_morph.beam.options import RUNNERS, beam_settings, check_beam
from tests.support.paths import ROOT


@pytest.mark.parametrize(
    "runner, assignments, expected",
    [
        ("FlinkRunner", ["flink_master=host:8081", "parallelism=64"], {"flink_master": "host:8081", "parallelism": 64}),
        ("SparkRunner", ["spark_master_url=spark://host:7077"], {"spark_master_url": "spark://host:7077"}),
        ("PortableRunner", ["job_endpoint=host:8099", "environment_type=EXTERNAL"],
         {"job_endpoint": "host:8099", "environment_type": "EXTERNAL"}),
        ("DirectRunner", ["direct_num_workers=2", "direct_running_mode=multi_processing"],
         {"direct_num_workers": 2, "direct_running_mode": "multi_processing"}),
        ("DirectRunner", ["experiments=a", "experiments=b=c"], {"experiments": ["a", "b=c"]}),
        ("DirectRunner", ["no_use_public_ips"], {"use_public_ips": False}),
    ],
)  # fmt: skip
def test_options_reach_the_pipeline(runner, assignments, expected):
    settings = beam_settings(runner, assignments)
    found = settings.options.get_all_options(drop_default=True)
    assert found == {"runner": runner, **expected}
    assert settings.is_local == (runner == "DirectRunner")
    assert type(settings.runner).__name__ == ("FnApiRunner" if settings.is_local else runner)


def test_worker_processes_of_this_machine_know_the_options():
    runner = beam_settings("DirectRunner", ["experiments=a"]).runner
    assert "experiments" in str(runner._provision_info.provision_info.pipeline_options)


@pytest.mark.parametrize(
    "assignment, message",
    [
        ("direct_num_worker=2", "Beam has no option direct_num_worker; did you mean direct_num_workers"),
        ("galaxies=2", "--beam-option galaxies=2: Beam has no option galaxies; see"),
        ("direct_num_workers=two", "--beam-option direct_num_workers=two: .*invalid int value"),
        ("direct_running_mode=fast", "choose from"),
        ("streaming=true", "--beam-option streaming=true: .*ignored explicit argument"),
        ("direct_num_workers=2", "has no effect in memory; add --beam-option direct_running_mode=multi_processing"),
        ("runner=FlinkRunner", "give KEY=VALUE or a switch, and the runner as --runner"),
        ("--streaming", "give KEY=VALUE"),
        ("", "give KEY=VALUE"),
        ("=3", "give KEY=VALUE"),
    ],
)
def test_an_option_without_effect_is_refused_in_one_line(assignment, message, capfd):
    with pytest.raises(ValueError, match=message) as error:
        beam_settings("DirectRunner", [assignment])
    assert "\n" not in str(error.value) and capfd.readouterr().err == ""


def test_an_unknown_runner_is_refused():
    with pytest.raises(ValueError, match="--runner Direct: unknown runner; give one of DirectRunner, FlinkRunner"):
        check_beam("Direct")


@pytest.mark.parametrize("package, remedy", [("apache_beam", "photoz-morph.beam.'"), ("apitools", "apache-beam.gcp.'")])
def test_a_missing_package_is_named_with_its_remedy(package, remedy, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find_spec(name))
    with pytest.raises(ValueError, match=f"--runner DataflowRunner: needs .* not installed; `pip install .*{remedy}"):
        beam_settings("DataflowRunner", ["project=p", "region=r", "temp_location=gs://bucket/tmp"])


def test_all_runners_are_runners_of_beam():
    from apache_beam.options.pipeline_options import StandardOptions

    assert set(RUNNERS) <= set(StandardOptions.KNOWN_RUNNER_NAMES)


def test_beam_knows_every_option_in_the_documentation(monkeypatch):
    monkeypatch.setitem(sys.modules, "apitools", ModuleType("apitools"))  # Google's clients need not be there for this
    sys.modules["apitools"].__spec__ = importlib.machinery.ModuleSpec("apitools", None)
    text = (ROOT / "docs" / "scale.md").read_text().replace("\\\n", " ")
    commands = [line for line in text.splitlines() if "--runner" in line and line.startswith(("photoz", "morph"))]
    runners = set()
    for words in map(shlex.split, commands):
        assignments = [words[i + 1] for i, word in enumerate(words) if word == "--beam-option"]
        runners.add(words[words.index("--runner") + 1])
        options = beam_settings(words[words.index("--runner") + 1], assignments).options
        found = options.get_all_options(drop_default=True)
        assert {assignment.partition("=")[0] for assignment in assignments} <= set(found), words
    assert runners == set(RUNNERS)
