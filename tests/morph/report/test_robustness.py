import re

import numpy as np
import pytest

from photoz_morph.morph.evaluation.scores import evaluate_morph
from photoz_morph.morph.report import robustness
from photoz_morph.morph.report.tables import defences
from tests.support.attacks import toy_attack, toy_images
from tests.support.morph import toy_predictions
from tests.support.pages import Page
from tests.support.reports import attacked_runs, morph_report_text, results_of

TITLE = "Simulated stand-in galaxies with known truth"
SECTIONS = ["One-pixel attack", "Latent geometry", "Perturbations", "Defences"]


@pytest.fixture(scope="module")
def runs():
    return attacked_runs()


@pytest.fixture(scope="module")
def entries(runs):
    return robustness.robustness_figures(results_of(runs), TITLE)


def headings(text):
    return re.findall(r'<h2 id="part-\d+">\d+\. (.*?)</h2>', text)


def test_every_figure_can_be_drawn_and_its_caption_says_what_the_galaxies_are(entries):
    names = [entry.name for entry in entries]
    assert names == [
        "attack_success", "attack_margins", "attack_gallery_1", "attack_gallery_2", "attack_places", "attack_values",
        "church_isomap", "church_orthonormal", "isomap_3d", "latent_distances", "perturbations",
    ]  # fmt: skip
    for entry in entries:
        assert entry.section in SECTIONS and entry.caption.startswith(TITLE), entry.name
        assert entry.draw().get_size_inches().min() > 3, entry.name


def test_galleries_are_each_of_their_own_run(entries, runs):
    for number, run in enumerate(runs):
        (entry,) = [entry for entry in entries if entry.name == f"attack_gallery_{number + 1}"]
        figure = entry.draw()
        shown = {text.get_text().split("\n")[2].split(":")[0] for axes in figure.axes for text in axes.texts}
        table = run["attacks"]["lattice_y10"][0]
        assert shown <= {str(obj_id) for obj_id in table["obj_id"][table["flipped"]]}
        assert run["name"] in figure.texts[0].get_text()


def test_sections_stand_before_the_provenance(runs, tmp_path, undrawn):
    text = morph_report_text(runs, tmp_path)
    assert headings(text)[-6:] == ["Training", *SECTIONS, "Provenance"]
    captions = re.findall(r"<caption>(Table \d)", text)
    assert captions[-5:] == ["Table 5", "Table 6", "Table 7", "Table 8", "Table 9"]
    names = {path.name for path in tmp_path.iterdir()}
    assert {"attacks.md", "latent_distances.md", "perturbations.md", "defences.md"} <= names


def test_numbers_in_the_page_are_those_of_the_runs(runs, tmp_path, undrawn):
    visible = Page(morph_report_text(runs, tmp_path)).visible
    for run in runs:
        flipped = np.sum(run["attacks"]["lattice_y10"][0]["flipped"])
        assert f"{flipped} of 12, " in visible
        step = run["latent"]["lengths"]["attacked"]["per_separation"]["value"]
        assert f"{step:.2f} ± " in visible
    assert "The distance to the attacked image is " in visible and "66.7 %" in visible


def test_scatter_of_seeds_is_reported_where_it_was_measured(runs, tmp_path, undrawn):
    measured = [{**run, "latent": {**run["latent"], "seeds": [{}] * 3}} for run in runs]
    ratio = {"per_separation": {"value": 0.25, "interval": [0.2, 0.31]}}
    visible = Page(morph_report_text(measured, tmp_path, seed_ratios={"MMD": ratio})).visible
    words = "Over 3 seeds of MMD and 3 of regular the distance from Y10 to Y1 is 0.25 (0.20 to 0.31) times as long"
    assert words in visible


def test_run_without_attacks_has_no_such_sections(runs, tmp_path, undrawn):
    bare = [{key: run[key] for key in ("name", "config", "table", "scores", "histories")} for run in runs]
    assert not set(headings(morph_report_text(bare, tmp_path))) & set(SECTIONS)
    assert not list(tmp_path.glob("attacks.md"))
    assert robustness.robustness_figures(results_of(bare), TITLE) == []


def test_run_attacked_alone_is_shown_beside_one_that_is_not(runs, tmp_path, undrawn):
    bare = {key: runs[1][key] for key in ("name", "config", "table", "scores", "histories")}
    text = morph_report_text([runs[0], bare], tmp_path)
    assert [heading for heading in headings(text) if heading in SECTIONS] == SECTIONS[:3]  # nothing to defend against
    assert "attack_gallery_1" in text and "attack_gallery_2" not in text


def test_further_runs_are_in_the_table_of_defences_alone(runs, tmp_path, undrawn):
    other = {**runs[1], "name": "noise_run"}
    text = morph_report_text(runs[:1], tmp_path, others=[other])
    visible = Page(text).visible
    assert visible.count("noise_run") == 1 and "attack_gallery_2" not in text
    assert [heading for heading in headings(text) if heading in SECTIONS] == SECTIONS


def test_further_run_that_was_not_attacked_has_its_accuracies(runs):
    bare = {"name": "noise_run", "scores": runs[1]["scores"]}
    compared = robustness.defences_of(runs, [bare])
    assert list(compared) == ["regular", "MMD", "noise_run"]
    accuracy = bare["scores"]["domains"]["Y10"]["mean"]["accuracy"]
    row = defences.defence_rows(compared)[-1]
    assert row[2] == f"{accuracy['value']:.3f} ± {accuracy['error']:.3f}" and row[4:] == ["–"] * 4


@pytest.mark.parametrize("changes", [
    {"domain": "Y1"}, {"objective": "probability"}, {"success": "paper"}, {"population": 50},
])  # fmt: skip
def test_defences_are_compared_under_one_attack(runs, changes):
    table, images = runs[0]["attacks"]["lattice_y10"]
    other, behind = table.copy(), table.copy()
    other.meta |= changes
    behind.meta |= {"defence": "median"}
    attacks = {name: (part, images) for name, part in (("another", other), ("behind", behind), ("lattice_y10", table))}
    compared = robustness.defences_of([{**runs[0], "attacks": attacks}, runs[1]])
    assert [part is table for part in compared["regular"]["attack"]] == [True, False]
    assert compared["regular"]["attack"][1] is behind
    swapped = {**runs[1], "attacks": {"lattice_y10": (other, images)}}
    assert robustness.defences_of([runs[0], swapped])["MMD"]["attack"] == []


def test_attacks_on_every_network_are_shown_together_and_count_for_the_defences(runs, tmp_path, undrawn):
    every = []
    for run in runs:
        table, images = run["attacks"]["lattice_y10"]
        other = table.copy()
        other.meta["seed_number"] = 2
        every.append({**run, "attacks": {"lattice_y10": (table, images), "lattice_y10_network2": (other, images)}})
    text = morph_report_text(every, tmp_path)
    assert "attack_seeds" in text and "over 2 against 2 networks" in Page(text).visible
    row = defences.defence_rows(robustness.defences_of(every))[0]
    assert row[4].endswith(", 2 networks")


def test_further_run_with_the_name_of_another_is_refused(runs, tmp_path):
    with pytest.raises(ValueError, match="two runs of a report are named regular; rename"):
        morph_report_text(runs, tmp_path, others=[{**runs[1], "name": "regular"}])


def test_further_run_of_other_galaxies_is_refused(runs, tmp_path):
    table = toy_predictions(n=60)
    other = {"name": "other", "table": table, "scores": evaluate_morph(table, 20)}
    with pytest.raises(ValueError, match="other: n_galaxies is 58, that of regular is "):
        morph_report_text(runs, tmp_path, others=[other])


def test_attack_without_flips_is_reported(runs, tmp_path, undrawn):
    attack = runs[0]["attacks"]["lattice_y10"][0].copy()
    attack["flipped"] = False
    run = {**runs[0], "attacks": {"lattice_y10": (attack, toy_images(attack))}, "latent": None}
    assert "No galaxy was flipped (lattice, Y10, data range)" in Page(morph_report_text([run], tmp_path)).visible


def test_gallery_of_the_released_arrays_has_no_njy(runs):
    attack, images = runs[0]["attacks"]["lattice_y10"]
    released = attack.copy()
    released.meta["origin"] = "released"
    captions = [
        {entry.name: entry.caption for entry in robustness.robustness_figures(results_of([run]), TITLE)}
        for run in (runs[0], {**runs[0], "attacks": {"lattice_y10": (released, images)}})
    ]
    assert "change of the pixel [nJy]" in captions[0]["attack_gallery_1"]
    assert "change of the pixel [image unit]" in captions[1]["attack_gallery_1"]
    assert not any("nJy" in caption for caption in captions[1].values())


def test_attacks_by_sets_have_a_section_and_leave_that_of_one_pixel_as_it_is(runs, tmp_path, undrawn):
    sets = {f"lattice_{k}": toy_attack([3, 9 - k, None], pixels=k) for k in (2, 5)}
    attacks = {name: (table, toy_images(table)) for name, table in sets.items()}
    # Settings of `toy_attack` are those of the runs' one-pixel attack, which stands beside.
    more = [{**runs[0], "attacks": runs[0]["attacks"] | attacks}, runs[1]]
    plain, both = (morph_report_text(part, tmp_path / name) for part, name in ((runs, "plain"), (more, "both")))
    assert "Attack on few pixels" not in headings(plain)
    assert headings(both)[-6:-3] == ["One-pixel attack", "Attack on few pixels", "Latent geometry"]
    assert "2 of 3, 67 % (" in Page(both).visible and (tmp_path / "both" / "pixel_sets.md").exists()
    names = [[entry.name for entry in robustness.robustness_figures(results_of(part), TITLE)] for part in (runs, more)]
    assert [name for name in names[1] if name not in names[0]] == ["attack_pixels", "attack_pixels_gallery_1"]
    for entry in robustness.robustness_figures(results_of(more), TITLE):
        if entry.name.startswith("attack_pixels"):
            assert entry.draw().get_size_inches().min() > 3 and entry.caption.startswith(TITLE)
