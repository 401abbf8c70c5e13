"""The command `blend study`."""

from functools import partial

from photoz_morph.blend import study
from photoz_morph.runs.scores import read_scores
from tests.cli.blend.test_data import blend
from tests.support.exports import toy_export, toy_photoz_export


def test_study_writes_scores_and_a_figure(tmp_path, monkeypatch):
    few = partial(study.blending_study, separations=(1.0, 4.0), mag_differences=(0.0,), n_bootstrap=20)
    monkeypatch.setattr(study, "blending_study", few)
    export, out = toy_photoz_export(tmp_path / "export"), tmp_path / "study"
    result = blend("study", export, "--n-galaxies", 20, "--out", out)
    assert result.exit_code == 0, result.output
    scores = read_scores(out / "study.json", "blend")
    assert scores["n_galaxies"] == 20 and scores["model"] == "toy" and scores["data"] == "simulated"
    assert scores["separations"] == [1.0, 4.0]
    assert f"20 simulated galaxies alone: bias {scores['alone']['bias']['value']:+.4f}, sigma_MAD" in result.output
    assert {path.suffix for path in out.glob("study.*")} == {".json", ".png", ".pdf"}


def test_another_model_is_refused(tmp_path):
    result = blend("study", toy_export(tmp_path / "export"), "--out", tmp_path / "study")
    assert result.exit_code == 1
    assert "estimator.json: not a model of photoz; give the folder of a `photoz export`" in result.output
    (tmp_path / "file").touch()
    assert "file: is a file; give the name of a folder" in blend("study", "x", "--out", tmp_path / "file").output
