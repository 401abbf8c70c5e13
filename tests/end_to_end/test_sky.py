"""Simulated composites as source and images in a folder as target, from the files to the report, by the commands."""

import contextlib
import json
import re

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from photoz_morph.cli.morph import main
from photoz_morph.datasets import reading
from photoz_morph.mocks.composite import CompositeSettings, sdss_composite
from photoz_morph.morph import dataset
from photoz_morph.morph.evaluation.comparison import compare_morph
from photoz_morph.morph.evaluation.scores import evaluate_morph
from photoz_morph.morph.predictions import read_morph_predictions, rows_of
from tests.support.samples import MORPH_TINY, shape_mocks

NAMES = ("spiral", "elliptical", "merger")
TINY = (*MORPH_TINY, "train.epochs=1")
# In this process: the others of the workers would each import TensorFlow, which takes longer than these trainings.
SETTINGS = ["--strategy", "mirrored", *(word for setting in TINY for word in ("--set", setting))]
SIZE = 32


def morph(*arguments, fails=False):
    """Output of a command, which must succeed unless it should not."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert bool(result.exit_code) == fails, f"{arguments}\n{result.output}\n{result.exception!r}"
    return result.output


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    """A folder of 120 images, composites of other galaxies with another noise, and their classes."""
    folder = tmp_path_factory.mktemp("sky")
    images, table = shape_mocks(120, first_id=5000, seed=3)
    lines = ["objid,gz"]
    for number, (image, label) in enumerate(zip(3e3 * images[1] / 1e3, table["label"])):
        picture = sdss_composite(image, 1.0, np.random.default_rng(number), CompositeSettings(40))
        name = 587722950000000000 + number
        Image.fromarray(picture[..., ::-1]).save(folder / f"{name}.png")
        lines.append(f"{name},{'' if number % 10 == 0 else NAMES[label]}")  # a tenth without a class
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def chain(sky, mocks_dir, tmp_path_factory):
    """The folder in which the commands ran, and what they printed."""
    folder = tmp_path_factory.mktemp("chain")
    build = ("build", mocks_dir, "--sky", sky, "--labels", sky / "labels.csv", "--label-column", "gz", "--size", SIZE)
    with contextlib.chdir(folder):
        printed = {"build": morph(*build, "--without-mergers", "--data-dir", "sky_data")}
        for name in ("morph_sky", "morph_sky_mmd"):
            morph("train", f"{name}.yaml", "--data-dir", "sky_data", "--seeds", 2, *SETTINGS)
        runs = ["runs/morph_sky", "runs/morph_sky_mmd"]
        printed["evaluate"] = morph("evaluate", runs[0], "--against", runs[1])
        with pytest.MonkeyPatch.context() as patch:
            from tests.support.reports import blank_png

            patch.setattr("photoz_morph.report.page.draw_and_save", lambda draw, stem: blank_png())
            printed["report"] = morph("report", runs[0], "--against", runs[1])
        printed["attack"] = morph("attack", runs[0], fails=True)
        printed["latent"] = morph("latent", runs[0], fails=True)
        printed["perturb"] = morph("perturb", runs[0], fails=True)
        printed["export"] = morph("export", runs[0], fails=True)
        printed["depth"] = morph("depth", runs[0], fails=True)
        printed["select"] = morph("select", *runs, fails=True)
        printed["calibrate"] = morph("calibrate", runs[0], fails=True)
        morph("predict", runs[0], "--mc-dropout", 3)
        printed["passes"] = morph("evaluate", f"{runs[0]}/predictions_mc_dropout.fits", "--against", runs[0])
    return folder, printed


def test_both_samples_are_split_and_have_one_form(chain, sky):
    builder = dataset.open_dataset(chain[0] / "sky_data")
    assert dataset.is_composite(builder) and dataset.image_shape(builder) == (SIZE, SIZE, 3)
    seen = []
    for domain in dataset.DOMAINS:
        for split in dataset.SPLITS:
            columns = reading.read_columns(builder, dataset.split_of(builder, split, domain))
            images = np.concatenate(list(dataset.domain_images(builder, split, domain, 16).as_numpy_iterator()))
            assert len(images) == len(columns["label"]) > 0 and images.dtype == np.float32
            assert images.min() >= 0 and 20 < images.max() <= 255
            assert set(columns["label"]) <= ({0, 1} if domain == "y10" else {-1, 0, 1})
            seen += columns["obj_id"].tolist()
    assert len(set(seen)) == len(seen)
    real = [obj_id for obj_id in seen if obj_id > 10**9]
    assert len(real) == 120 - 36  # of 40 mergers a tenth has no class
    assert "target test" in chain[1]["build"] and "morph train morph_sky.yaml" in chain[1]["build"]


def test_labels_of_the_real_images_enter_no_training(chain, sky, mocks_dir):
    first = read_morph_predictions(chain[0] / "runs/morph_sky_mmd/predictions.fits")
    with contextlib.chdir(chain[0]):
        lines = (sky / "labels.csv").read_text().replace("spiral", "x").replace("elliptical", "spiral")
        (chain[0] / "swapped.csv").write_text(lines.replace("x", "elliptical"))
        morph("build", mocks_dir, "--sky", sky, "--labels", "swapped.csv", "--label-column", "gz", "--size", SIZE,
              "--without-mergers", "--data-dir", "swapped")  # fmt: skip
        morph("train", "morph_sky_mmd.yaml", "--data-dir", "swapped", "--run-dir", "runs/swapped", *SETTINGS)
        morph("predict", "runs/swapped")
    again = read_morph_predictions(chain[0] / "runs/swapped/predictions.fits")
    np.testing.assert_allclose(again["probability_y1"][:, 0], first["probability_y1"][:, 0], atol=2e-3)


def test_each_domain_is_scored_on_its_own_galaxies(chain):
    table = read_morph_predictions(chain[0] / "runs/morph_sky/predictions.fits")
    scores = evaluate_morph(table, 100)
    assert list(scores["domains"]) == ["simulated", "real"] and scores["data"] == "simulated and real"
    for domain, suffix in (("simulated", "y10"), ("real", "y1")):
        part = rows_of(table, domain)
        label, known = np.asarray(part["label"]), np.asarray(part["label"]) >= 0
        given = np.asarray(part[f"probability_{suffix}"]).argmax(axis=2)
        right = (given == label[:, None])[known].mean(axis=0)
        found = scores["domains"][domain]
        assert [seed["accuracy"]["value"] for seed in found["seeds"]] == pytest.approx(right.tolist())
        assert found["n_galaxies"] == known.sum()
        ensemble = np.asarray(part[f"probability_{suffix}"], float)[known].mean(axis=1)
        wrong = (ensemble.argmax(axis=1) != label[known])[np.argsort(-ensemble.max(axis=1))]
        area = np.mean(np.cumsum(wrong) / np.arange(1, len(wrong) + 1))  # no two galaxies are equally sure
        assert found["ensemble"]["aurc"]["value"] == pytest.approx(area)
        f1 = []  # of the first seed, by hand
        for name in (0, 1):
            hits = np.sum((given[known, 0] == name) & (label[known] == name))
            f1.append(2 * hits / max(np.sum(given[known, 0] == name) + np.sum(label[known] == name), 1))
        assert found["seeds"][0]["macro_f1"]["value"] == pytest.approx(np.mean(f1))
    values = [scores["domains"][domain]["mean"]["accuracy"]["value"] for domain in ("simulated", "real")]
    assert scores["fall"]["value"] == pytest.approx(values[0] - values[1])
    assert scores["fall"]["interval"][0] < scores["fall"]["value"] < scores["fall"]["interval"][1]


def test_an_arm_compared_with_itself_differs_in_nothing(chain):
    table = read_morph_predictions(chain[0] / "runs/morph_sky/predictions.fits")
    comparison = compare_morph(table, table[::-1], ("a", "b"), 100)
    assert [part["difference"]["value"] for part in comparison["domains"].values()] == [0, 0]
    assert comparison["recovered"] is None or comparison["recovered"]["value"] == 0


def test_passes_with_dropout_classify_every_image_in_both_domains(chain):
    plain = read_morph_predictions(chain[0] / "runs/morph_sky/predictions.fits")
    dropped = read_morph_predictions(chain[0] / "runs/morph_sky/predictions_mc_dropout.fits")
    assert dropped.meta["mc_dropout"] == 3 and list(dropped["obj_id"]) == list(plain["obj_id"])
    for suffix in ("y10", "y1"):
        difference = np.abs(dropped[f"probability_{suffix}"] - plain[f"probability_{suffix}"]).max(axis=(1, 2))
        assert np.median(difference) < 0.2 and difference.max() > 1e-5  # rows are in one order
        information = np.asarray(dropped[f"mutual_information_{suffix}"])
        assert information.shape == (len(plain), 2) and np.all(information > -1e-6) and information.max() > 1e-6
    assert "In real " in chain[1]["passes"] and "MC dropout" in chain[1]["passes"]


def test_scores_and_report_name_what_is_real(chain):
    assert "| training | metric | simulated | real |" in chain[1]["evaluate"]
    for row in ("macro-F1", "macro-F1, ensemble of 2"):
        assert re.search(rf"\| {row} \| 0\.\d+ \(-?\d\.\d+ to \d\.\d+\) \|", chain[1]["evaluate"])
    assert re.search(r"\| risk-coverage area \| 0\.\d+ ± 0\.\d+ \| 0\.\d+ ± 0\.\d+ \|", chain[1]["evaluate"])
    assert "In real " in chain[1]["evaluate"]
    scores = json.loads((chain[0] / "runs/morph_sky/scores.json").read_text())
    assert scores["comparison"]["domains"].keys() == {"simulated", "real"}
    page = (chain[0] / "runs/morph_sky/report/report.html").read_text()
    assert "Galaxy morphology in simulated and real" in page and "whose labels of the catalogue entered no" in page
    assert "No baseline is compared" in page and "simulated (left) and real (right)" in page


def test_what_needs_both_depths_of_a_galaxy_says_so(chain):
    assert "the attack needs each galaxy at both depths" in chain[1]["attack"]
    assert "distances of latents need each galaxy at both depths" in chain[1]["latent"]
    assert "nothing is known of their electrons" in chain[1]["perturb"]
    assert "use `morph predict`" in chain[1]["export"]
    assert "cannot be observed for other years" in chain[1]["depth"]
    for command in ("select", "calibrate"):
        assert "choice and calibration without labels need each galaxy at both depths" in chain[1][command]
    assert not list((chain[0] / "runs").glob("*/validation.fits"))
    with contextlib.chdir(chain[0]):
        paired = morph("train", "morph_sky.yaml", "--data-dir", "sky_data", "--run-dir", "runs/paired", "--set",
                       "adaptation.name=consistency", *SETTINGS, fails=True)  # fmt: skip
        assert "this adaptation loss needs each galaxy at both depths" in paired
        classes = morph("train", "morph_sky.yaml", "--data-dir", "sky_data", "--run-dir", "runs/three", "--set",
                        "data.classes=spiral_elliptical_merger", *SETTINGS, fails=True)  # fmt: skip
        assert "no training galaxy is labelled merger" in classes


def test_options_that_do_not_go_together_are_refused(sky, mocks_dir, morph_data_dir):
    labels = ("--labels", sky / "labels.csv", "--label-column", "gz")
    assert "--size needs --sky" in morph("build", mocks_dir, "--size", 64, fails=True)
    assert "--sky needs --labels" in morph("build", mocks_dir, "--sky", sky, fails=True)
    assert "do not go with --sky" in morph("build", mocks_dir, "--sky", sky, *labels, "--merger-copies", 1, fails=True)
    assert "holds a dataset of mocks" in morph("build", mocks_dir, "--sky", sky, *labels, "--data-dir", morph_data_dir,
                                               fails=True)  # fmt: skip
