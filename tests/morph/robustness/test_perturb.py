import json
import re
import shutil

import numpy as np
import pytest

from photoz_morph.morph.predict import predict_morph_run
from photoz_morph.morph.robustness import perturb as perturbation_run
from photoz_morph.morph.robustness.perturb import perturb_run
from photoz_morph.morph.robustness.perturbation_scores import corruption_error, read_perturbations
from photoz_morph.robustness.perturbations.registry import PERTURBATIONS

QUICK = ("dead_pixel", "background", "exposure")


@pytest.fixture(scope="module")
def run_dir(morph_run_dirs, tmp_path_factory):
    """A copy of the regular run, whose folder other tests read too."""
    folder = tmp_path_factory.mktemp("perturbed") / "regular"
    shutil.copytree(morph_run_dirs["regular"], folder)
    return folder


@pytest.fixture(scope="module", autouse=True)
def compiled_once():
    """Networks of the copies of one run are loaded and compiled once: that is most of what these tests would do."""
    loaded, load, compiled, classifier = {}, perturbation_run.load_classifiers, {}, perturbation_run.ImageClassifier

    def load_once(run_dir, defence):
        return loaded[defence] if defence in loaded else loaded.setdefault(defence, load(run_dir, defence))

    def compile_once(network):
        key = id(network)
        return compiled[key] if key in compiled else compiled.setdefault(key, classifier(network))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(perturbation_run, "load_classifiers", load_once)
        patch.setattr(perturbation_run, "ImageClassifier", compile_once)
        yield


@pytest.fixture(scope="module")
def result(run_dir):
    return perturb_run(run_dir, QUICK, n_images=24, progress=False)


def test_accuracy_without_perturbation_is_that_of_the_predictions(run_dir, result):
    table = predict_morph_run(run_dir, progress=False)
    rows = np.flatnonzero(np.isin(table["obj_id"], result["galaxies"]["obj_id"]))
    assert len(rows) == 24 and list(table["label"][rows]) == result["galaxies"]["label"]
    assert list(table["group_id"][rows]) == result["galaxies"]["group_id"]
    given = np.asarray(table["probability_y10"])[rows].argmax(axis=2)
    right = given == np.asarray(table["label"])[rows, None]
    assert result["clean"]["networks"] == pytest.approx(right.mean(axis=0).tolist())
    assert result["clean"]["accuracy"]["value"] == pytest.approx(right.mean())


def test_perturbed_images_are_what_is_scored(run_dir, result, monkeypatch):
    seen = []

    def blank(name, images, obj_ids, severity, context, seed):
        seen.append((severity, context.years, context.binning))
        return np.zeros_like(images)

    monkeypatch.setattr(perturbation_run, "perturb", blank)
    blanked = perturb_run(run_dir, ["shift"], n_images=24, progress=False)["kinds"]["shift"]["severities"]
    # A network gives one class to all blank images, so that its accuracy is the fraction of a label.
    fractions = np.bincount(result["galaxies"]["label"], minlength=3) / 24
    for row in blanked:
        assert all(np.isclose(value, fractions).any() for value in row["networks"])
    assert seen == [(severity, 10, "sample") for severity in PERTURBATIONS["shift"].severities]


def test_results_say_what_they_are(run_dir, result):
    assert (result["data"], result["survey"], result["adaptation"]) == ("simulated", "lsst", "none")
    assert result["settings"]["networks"] == ["member_0", "member_1"] and result["settings"]["defence"] == "none"
    assert list(result["kinds"]) == list(QUICK) == result["mean"]["kinds"]
    for name, kind in result["kinds"].items():
        assert [row["severity"] for row in kind["severities"]] == list(PERTURBATIONS[name].severities)
        for row in kind["severities"]:
            assert row["accuracy"]["value"] == pytest.approx(np.mean(row["n_right"]) / 2)
            fall = result["clean"]["accuracy"]["value"] - row["accuracy"]["value"]
            assert row["fall"]["value"] == pytest.approx(fall)
            assert abs(fall) <= row["flip_rate"]["value"] + 1e-9
    assert corruption_error(result, result)["mean"]["value"] == 1


def test_kinds_done_are_kept_and_the_rest_is_added(run_dir, result, morph_run_dirs, tmp_path, monkeypatch):
    for name in ("config.yaml", "dataset.json", "fold_0"):
        source = morph_run_dirs["regular"] / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    perturb_run(tmp_path, ["exposure"], n_images=24, progress=False)
    asked, perturb = set(), perturbation_run.perturb

    def counted(name, *arguments):
        asked.add(name)
        return perturb(name, *arguments)

    monkeypatch.setattr(perturbation_run, "perturb", counted)
    finished = perturb_run(tmp_path, QUICK, n_images=24, progress=False)
    assert asked == {"dead_pixel", "background"}
    assert finished["kinds"] == result["kinds"] and list(finished["kinds"]) == list(QUICK)
    assert finished["mean"] == result["mean"] and finished["clean"] == result["clean"]
    assert read_perturbations(tmp_path / "perturbations.json") == finished
    asked.clear()
    assert perturb_run(tmp_path, QUICK, n_images=24, progress=False) == finished and not asked


def test_a_run_stopped_in_a_kind_keeps_those_before(run_dir, result, monkeypatch):
    perturb = perturbation_run.perturb

    def stopped(name, *arguments):
        if name == "jpeg":
            raise KeyboardInterrupt
        return perturb(name, *arguments)

    monkeypatch.setattr(perturbation_run, "perturb", stopped)
    with pytest.raises(KeyboardInterrupt):
        perturb_run(run_dir, ["hot_pixel", "jpeg"], n_images=24, progress=False)
    kept = read_perturbations(run_dir / "perturbations.json")
    assert "hot_pixel" in kept["kinds"] and "jpeg" not in kept["kinds"]
    assert not list(run_dir.glob("*.part"))


def test_other_settings_are_refused_or_redone(run_dir, result):
    path = run_dir / "perturbations.json"
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))}: made with another n_images \(24, now 20\)"):
        perturb_run(run_dir, QUICK, n_images=20, progress=False)
    with pytest.raises(ValueError, match=r"another seed \(0, now 5\)"):
        perturb_run(run_dir, QUICK, n_images=24, seed=5, progress=False)
    saved = path.read_text()
    changed = json.loads(saved)
    changed["kinds"]["background"]["severities"][0]["severity"] = 0.2
    path.write_text(json.dumps(changed))
    with pytest.raises(ValueError, match="another severities of background"):
        perturb_run(run_dir, QUICK, n_images=24, progress=False)
    redone = perturb_run(run_dir, ["background"], n_images=20, seed=5, overwrite=True, progress=False)
    assert list(redone["kinds"]) == ["background"] and len(redone["galaxies"]["obj_id"]) == 20
    path.write_text(saved)


def test_defence_stands_before_the_networks(run_dir, result):
    path = run_dir / "perturbations.json"
    saved = path.read_text()
    defended = perturb_run(run_dir, ["dead_pixel"], 24, defence="median", overwrite=True, progress=False)
    assert defended["settings"]["defence"] == "median"
    # The 3 x 3 median has no memory of one pixel whose value is beyond its neighbours.
    assert defended["kinds"]["dead_pixel"]["severities"][-1]["flip_rate"]["value"] <= 1 / 24
    path.write_text(saved)


def test_unknown_kind_and_too_few_galaxies_are_refused(run_dir):
    with pytest.raises(ValueError, match="no perturbation 'moon'; choose from hot_pixel"):
        perturb_run(run_dir, ["moon"], progress=False)
    with pytest.raises(ValueError, match="n_images is 1; an error needs at least 2"):
        perturb_run(run_dir, n_images=1, progress=False)
