import csv
import io
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from photoz_morph.morph.evaluation.comparison import compare_morph
from photoz_morph.morph.evaluation.scores import evaluate_morph
from photoz_morph.morph.report.figures import classification, isomap, stretch
from photoz_morph.morph.report.figures import images as image_figures
from photoz_morph.morph.report.page import morph_report
from photoz_morph.morph.report.results import MorphResults
from photoz_morph.morph.report.tables import scores as score_tables
from tests.support.morph import CLASSES, toy_catalogue, toy_history, toy_images, toy_predictions
from tests.support.pages import SCRIPT, Page

RESAMPLES = 100


def toy_run(name, table, n_seeds=3, mmd=None):
    histories = [toy_history(mmd=mmd, seed=seed) for seed in range(n_seeds)]
    scores = evaluate_morph(table, RESAMPLES)
    return {"name": name, "config": f"task: morph  # {name}", "table": table, "scores": scores, "histories": histories}


@pytest.fixture(scope="module")
def results():
    """Everything the report takes, of two arms."""
    tables = toy_predictions(n=300), toy_predictions(2.1, 1.4, n=300, seed=1, adaptation="mmd", config="morph_mmd")
    label = np.arange(15) % 3
    y10, y1 = toy_images(label)
    catalogue = toy_catalogue(900)
    return MorphResults(
        [toy_run("regular", tables[0]), toy_run("MMD", tables[1], mmd=0.5)],
        "simulated",
        compare_morph(*tables, n_bootstrap=RESAMPLES, names=["regular", "MMD"]),
        examples={"image_y10": y10, "image_y1": y1, "label": label},
        sample={name: catalogue[name] for name in ("gini", "m20", "label", "label_g", "intended_type")},
        reference={"gini": catalogue["gini"] - 0.02, "m20": catalogue["m20"], "name": "TNG100"},
    )


@pytest.fixture(scope="module")
def page(results, tmp_path_factory):
    """The written page and its text."""
    path = morph_report(results, tmp_path_factory.mktemp("report") / "deep" / "report", progress=False)
    return path, path.read_text()


# Tables


def test_table1_has_the_layout_of_the_paper(results):
    rows = score_tables.table1_rows(results.scores)
    assert [row[0] for row in rows if row[0]] == ["regular", "MMD", "always spiral", "label ceiling"]
    assert [row[1].split()[0] for row in rows[:4]] == ["accuracy", "precision", "recall", "F1"]
    mean = results.runs[1]["scores"]["domains"]["Y1"]["mean"]["f1"]
    assert rows[8 + 3][3] == f"{mean['value']:.3f} ± {mean['error']:.3f}"
    text = score_tables.table1_markdown(results.scores)
    assert "294 simulated galaxies (origin: simulated)" in text and "6 galaxies without label are left out" in text
    assert text.count("|---|---|---|---|") == 1 and len(set(map(len, (row for row in rows)))) == 1


def test_list_of_scores_is_named_by_its_adaptation(results):
    scores = results.scores
    assert score_tables.table1_markdown(list(scores.values())) == score_tables.table1_markdown(scores)
    twice = score_tables.by_arm([scores["regular"]] * 2)
    assert list(twice) == ["morph_regular.yaml (1)", "morph_regular.yaml (2)"]


def test_csv_holds_every_number_of_every_seed(results):
    scores = results.scores
    rows = list(csv.DictReader(io.StringIO(score_tables.table1_csv({'a, "b"': scores["regular"]}))))
    assert len(rows) == 2 * (3 + 2) * len(score_tables.METRICS) and {row["training"] for row in rows} == {'a, "b"'}
    (row,) = [row for row in rows if (row["domain"], row["seed"], row["metric"]) == ("Y1", "2", "brier")]
    brier = scores["regular"]["domains"]["Y1"]["seeds"][1]["brier"]
    assert [float(row[key]) for key in ("value", "low", "high")] == [brier["value"], *brier["interval"]]
    assert row["data"] == "simulated" and row["sd_over_seeds"] == ""


def comparison_of(low, high, p_value, recovered=None, n_seeds=(3, 3)):
    difference = {"value": (low + high) / 2, "error": 0.01, "interval": [low, high]}
    tests = {"ensemble": {"p_value": p_value}, "groups": {"p_value": p_value}}
    part = {"accuracy": [0.5, 0.6], "difference": difference, "mcnemar": tests}
    return {"data": "simulated", "origin": "tng", "arms": ["regular", "MMD"], "n_galaxies": 1200, "n_groups": 400,
            "n_seeds": list(n_seeds), "recovered": recovered, "domains": {"Y1": part}}  # fmt: skip


def test_verdict_needs_both_the_interval_and_the_groups():
    (clear,) = score_tables.morph_verdicts(comparison_of(0.05, 0.15, 1e-6))
    assert clear.startswith("In Y1 MMD is more accurate than regular on 1,200 simulated galaxies: +10.0 points")
    assert "p of the groups < 0.0001" in clear
    (worse,) = score_tables.morph_verdicts(comparison_of(-0.15, -0.05, 0.01))
    assert "MMD is less accurate" in worse
    for open_case in (comparison_of(-0.01, 0.15, 1e-6), comparison_of(0.05, 0.15, 0.2)):
        (sentence,) = score_tables.morph_verdicts(open_case)
        assert "In Y1 the difference between MMD and regular on 1,200 simulated galaxies is not significant" in sentence


def test_verdicts_tell_what_is_recovered_and_what_one_seed_hides():
    recovered = {"value": 0.42, "interval": [0.3, 0.5]}
    sentences = score_tables.morph_verdicts(comparison_of(0.05, 0.15, 0.01, recovered, (3, 1)))
    assert "MMD recovers 42 % (30 to 50 %) of the accuracy that regular loses from Y10 to Y1." in sentences
    assert "scatter between trainings is unknown" in sentences[-1]


# Figures


def test_stretch_is_the_same_for_both_depths():
    y10, y1 = toy_images([1, 1, 1])
    grey10, grey1 = stretch.stretch(y10, y10), stretch.stretch(y1, y10)
    sky = (slice(None), slice(0, 15), slice(0, 15))
    assert grey1[sky].std() > 1.5 * grey10[sky].std()
    cores = grey10[:, 48:52, 48:52], grey1[:, 48:52, 48:52]
    np.testing.assert_allclose(*cores, atol=0.05)  # noise of one year on the bright core
    assert grey10.min() >= 0 and grey10.max() <= 1


def test_colours_follow_the_flux_ratios():
    blue, red = np.zeros((2, 1, 40, 40, 3))
    noise = np.random.default_rng(0).normal(size=(1, 40, 40, 3))
    blue[:, 15:25, 15:25], red[:, 15:25, 15:25] = (900, 1000, 1000), (300, 1000, 1700)  # g, r, i
    for image, brightest in ((blue, 2), (red, 0)):
        colour = stretch.stretch(image + noise, image + noise, colour=True)[0, 18:22, 18:22].mean(axis=(0, 1))
        assert colour.argmax() == brightest and 0 < colour.min() and colour.max() <= 1


def test_sky_noise_is_that_of_the_sky():
    y10, y1 = toy_images([0, 1, 2], sigma_y10=3.0)
    np.testing.assert_allclose(stretch.sky_sigma(y10), 3, rtol=0.05)
    np.testing.assert_allclose(stretch.sky_sigma(y1), 3 * np.sqrt(10), rtol=0.05)


def test_examples_have_a_row_for_each_class_and_a_pair_for_each_galaxy(results):
    examples = results.examples
    arguments = examples["image_y10"], examples["image_y1"], examples["label"], CLASSES, "Simulated"
    figure = image_figures.examples_figure(*arguments, n_examples=5)
    assert [axes.get_ylabel() for axes in figure.axes[::5]] == list(CLASSES)
    shown = [axes.images[0].get_array() for axes in figure.axes]
    assert len(shown) == 15 and shown[0].shape == (100, 200 + image_figures.GAP)
    grey = stretch.stretch(examples["image_y1"], examples["image_y10"])
    np.testing.assert_array_equal(shown[6][:, -100:], grey[4])  # second row, second galaxy: the fifth of 0, 1, 2, 0, 1


def test_isomap_tells_domains_apart_only_where_the_latents_do():
    rng = np.random.default_rng(0)
    latents = rng.normal(size=(80, 8))
    together = isomap.embed(latents, latents + 0.01 * rng.normal(size=latents.shape))
    apart = isomap.embed(latents, latents + 30)
    distance = [np.linalg.norm(part.y10.mean(axis=0) - part.y1.mean(axis=0)) for part in (together, apart)]
    spread = [part.y10.std() for part in (together, apart)]
    assert distance[0] < 0.1 * spread[0] and distance[1] > 3 * spread[1]


def test_trustworthiness_is_that_of_a_plane():
    latents = np.random.default_rng(0).normal(size=(80, 2)) @ np.random.default_rng(1).normal(size=(2, 8))
    assert isomap.embed(latents, latents + 0.1).trust > 0.97
    noise = np.random.default_rng(0).normal(size=(2, 80, 8))  # eight dimensions do not fit on a plane
    assert isomap.embed(*noise).trust < 0.9


def test_isomap_draws_galaxies_once():
    latents = np.random.default_rng(0).normal(size=(500, 4))
    rows = isomap.embed(latents, latents, n_galaxies=60).rows
    assert len(rows) == len(set(rows)) == 60


def test_contours_hold_half_and_nine_tenths(results):
    rng = np.random.default_rng(0)
    gini, m20 = 0.5 + 0.03 * rng.normal(size=50_000), -1.7 + 0.2 * rng.normal(size=50_000)
    sample = results.sample
    columns = [np.asarray(sample[name]) for name in ("gini", "m20", "label")]
    (axes,) = classification.gini_m20_plane(*columns, CLASSES, "toy", (gini, m20)).axes
    (contours,) = [part for part in axes.collections if hasattr(part, "levels")]
    inside = [path.contains_points(np.stack([m20, gini], axis=1)).mean() for path in contours.get_paths()]
    assert inside == pytest.approx([0.9, 0.5], abs=0.05)  # the smoothing widens them a little


def test_confusion_matrices_show_shares_of_the_true_class(results):
    figure = classification.confusion_matrices(results.scores, "toy")
    assert len(figure.axes) == 4
    counts = np.array(results.runs[1]["scores"]["domains"]["Y1"]["confusion"])
    np.testing.assert_allclose(figure.axes[3].images[0].get_array(), counts / counts.sum(axis=1, keepdims=True))
    assert [label.get_text() for label in figure.axes[3].get_xticklabels()] == list(CLASSES)


@pytest.mark.parametrize("unused", [np.nan, 0.0])
def test_training_without_mmd_says_so(unused):
    histories = {
        name: [{key: np.array([row[key] for row in toy_history(mmd=mmd)]) for key in toy_history()[0]}]
        for name, mmd in (("regular", None), ("MMD", 0.5))
    }
    histories["regular"][0]["mmd"][:] = unused
    figure = classification.morph_training_curves(histories, "toy")
    texts = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert texts[4] == ["not in this training"] and texts[5] == []  # the third of four rows


# The page


def test_numbers_in_the_page_are_those_of_the_scores(results, page):
    visible = Page(page[1]).visible
    for run in results.runs:
        for domain in ("Y10", "Y1"):
            accuracy = run["scores"]["domains"][domain]["mean"]["accuracy"]
            assert f"{accuracy['value']:.3f} ± {accuracy['error']:.3f}" in visible
    difference = results.comparison["domains"]["Y1"]["difference"]
    assert f"{difference['value']:+.3f} ± {difference['error']:.3f}" in visible
    assert re.search(r"; MMD recovers \d+ % of it \(", visible)


def test_folder_is_complete_and_the_page_needs_nothing_else(page):
    path, text = page
    stems = {"examples", *(f"sheet_{name}" for name in CLASSES), "gini_m20", "accuracy", "confusion", "isomap",
             "reliability", "training"}  # fmt: skip
    files = {f"{stem}.{suffix}" for stem in stems for suffix in ("png", "pdf")}
    assert {file.name for file in path.parent.iterdir()} == files | {
        "report.html", "table1.md", "table1.csv", "comparison.md",
    }  # fmt: skip
    addresses = Page(text).addresses
    assert all(re.match(r"#|data:image/png;base64,", address) for address in addresses)
    # Two figures are shown on the first screen, too.
    assert sum(address.startswith("data:") for address in addresses) == len(stems) + 2


def test_sections_come_in_the_order_of_a_referees_questions(page):
    titles = re.findall(r'<h2 id="part-\d+">\d+\. (.*?)</h2>', page[1])
    assert titles == ["Scores", "Examples", "Contact sheets", "Labels", "Accuracy", "Confusion", "Latent space",
                      "Calibration", "Training", "Provenance"]  # fmt: skip


def test_every_caption_says_what_the_galaxies_are(page):
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page[1])
    assert len(captions) == 12 and all("Simulated stand-in galaxies" in caption for caption in captions)
    assert "Nothing on this page is a measurement of the sky" in Page(page[1]).visible


def test_one_run_is_reported_without_what_is_not_there(tmp_path):
    table = toy_predictions(n=120, n_seeds=1, origin="observed")
    run = toy_run(SCRIPT, table, n_seeds=1) | {"facts": {SCRIPT: SCRIPT}}
    unknown = np.full(9, -1)
    sample = {"gini": np.full(9, np.nan), "m20": np.full(9, np.nan), "label": np.arange(9) % 3}
    sample |= {"label_g": unknown, "intended_type": unknown}
    results = MorphResults([run], "observed", sample=sample, note=f"no images, {SCRIPT}")
    path = morph_report(results, tmp_path, progress=False)
    page = Page(path.read_text())
    assert "script" not in page.elements and page.visible.count(SCRIPT) >= 4
    assert "Left out: no images" in page.visible and "Gini and M20 of these galaxies are not known" in page.visible
    assert "Table 2" not in page.visible
    assert "Real galaxies" in page.visible and "imulated" not in page.visible.replace("simulation", "")
    assert not (tmp_path / "comparison.md").exists()


def test_results_that_contradict_themselves_are_refused(results, tmp_path):
    first, second = results.runs
    other = toy_run("other", toy_predictions(n=60))
    for change, message in (
        ({"runs": [first, first]}, "different names, got regular, regular"),
        ({"runs": [first, other]}, "other: n_galaxies is 58, that of regular is 294"),
        ({"origin": "tng"}, "regular: origin is simulated, not tng"),
        ({"others": [second]}, "two runs of a report are named MMD; rename"),
    ):
        with pytest.raises(ValueError, match=message):
            morph_report(replace(results, **change), tmp_path, progress=False)
    assert not list(tmp_path.iterdir())


def test_morph_report_loads_no_tensorflow():
    script = "import sys; import photoz_morph.morph.report.page; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
