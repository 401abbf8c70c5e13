import numpy as np
import pytest
from matplotlib.colors import to_hex

from photoz_morph.morph.report.figures.isomap import embed
from photoz_morph.morph.report.figures.latents import (
    church_figure,
    distance_histograms,
    isomap_3d_figure,
    triplet_figure,
)
from photoz_morph.morph.report.style import CLASS_COLOURS
from photoz_morph.morph.robustness.latent_scores import measure_latents
from photoz_morph.report.style import save_figure
from photoz_morph.robustness.latents.church_windows import church_window
from photoz_morph.robustness.latents.geometry import class_separation
from tests.support.latents import toy_triplets
from tests.support.morph import CLASSES

TITLE = "Simulated galaxies"


@pytest.fixture(scope="module")
def runs():
    return toy_triplets()


def windows_of(runs, **options):
    return {name: church_window(*triplet, run.kernel, run.bias, **options) for name, (run, triplet) in runs.items()}


def given_of(runs, suffix):
    column = f"probability_{suffix}"
    return {name: np.asarray(run.table[column])[:, 0].argmax(axis=1) for name, (run, _) in runs.items()}


def embeddings_of(runs, n_components=2):
    return {name: embed(run.table["latent_y10"], run.table["latent_y1"], n_galaxies=60, n_components=n_components,
                        marked=triplet[[0, 2, 1]]) for name, (run, triplet) in runs.items()}  # fmt: skip


def places_of(axes, marks):
    """Positions of the single marks, in the order drawn."""
    return [tuple(part.get_offsets()[0]) for part in axes.collections if len(part.get_offsets()) == 1][:marks]


def test_the_paper_figure_has_a_column_for_each_run_with_the_same_triplet(runs, tmp_path):
    windows, embeddings = windows_of(runs), embeddings_of(runs)
    figure = triplet_figure(windows, embeddings, given_of(runs, "y10"), given_of(runs, "y1"), CLASSES, TITLE)
    assert len(figure.axes) == 4 and figure.get_suptitle() == TITLE
    for name, top, bottom in zip(runs, figure.axes[:2], figure.axes[2:]):
        window, embedding = windows[name], embeddings[name]
        before, after, _ = (CLASSES[index] for index in window.given)
        assert before != after and top.get_title().startswith(f"{name}: {before} → {after}")
        assert places_of(top, 3) == [(0, 0), (0, 1), (1, 0)]  # Y10, Y1, attacked
        assert np.array(places_of(bottom, 3)) == pytest.approx(embedding.marked)
        assert f"trustworthiness {embedding.trust:.3f}" in bottom.get_title()
        assert f"1 = {window.lengths[0]:.3g} latent" in top.get_xlabel()
        assert f"1 = {window.lengths[1]:.3g} latent" in top.get_ylabel()
        assert len(top.lines) == len(window.borders) + 2
    save_figure(figure, tmp_path / "figure.png")


def test_windows_have_the_colours_of_the_paper_where_the_classes_are(runs):
    windows = windows_of(runs, orthonormal=True)
    figure = church_figure(windows, CLASSES, TITLE)
    for axes, window in zip(figure.axes, windows.values()):
        (image,) = axes.images
        for row, column in ((0, 0), (110, 110), (40, 200), (219, 3)):
            colour = to_hex(image.cmap(image.norm(image.get_array()[row, column])))
            assert colour == CLASS_COLOURS[CLASSES[window.classes[row, column]]]
        # Points of the grid are the centres of the cells drawn.
        left, right, bottom, top = image.get_extent()
        step = window.coordinates[1] - window.coordinates[0]
        assert (left, bottom) == pytest.approx((window.coordinates[0] - step / 2,) * 2)
        assert (right, top) == pytest.approx((window.coordinates[-1] + step / 2,) * 2)
        assert image.origin == "lower"
        assert np.array(places_of(axes, 3)) == pytest.approx(np.array([(0, 0), window.noisy, window.attacked]))
        assert "[latent units]" in axes.get_xlabel()


def test_large_lengths_are_written_with_a_power_of_ten(runs):
    window = windows_of(runs)["regular"]
    far = window.__class__(**{**window.__dict__, "lengths": (1.2345e6, 24.0)})
    (axes,) = church_figure({"regular": far}, CLASSES, TITLE, "nJy").axes
    assert axes.get_xlabel() == r"adversarial direction (1 = 1.23$\times$10$^{6}$ nJy)"
    assert axes.get_ylabel() == "noisy direction (1 = 24 nJy)"


def test_three_dimensional_isomaps_show_the_triplet_above_the_points(runs, tmp_path):
    figure = isomap_3d_figure(embeddings_of(runs, 3), given_of(runs, "y10"), given_of(runs, "y1"), CLASSES, TITLE)
    assert [axes.name for axes in figure.axes] == ["3d", "3d"]
    for axes in figure.axes:
        others, marks = axes.collections[:2], axes.collections[2:]
        assert len(marks) == 3 and not axes.computed_zorder
        assert min(mark.get_zorder() for mark in marks) > max(part.get_zorder() for part in others)
    save_figure(figure, tmp_path / "figure.png")


def test_histograms_of_a_stretched_space_differ_in_latent_units_only(runs):
    measured = {name: run for name, (run, _) in runs.items()}
    separations = {name: class_separation(run.space.latents, run.space.labels)["separation"]
                   for name, run in measured.items()}  # fmt: skip
    figure = distance_histograms(measured, separations, TITLE)
    assert len(figure.axes) == 6
    means = np.array([[line.get_xdata()[0] for line in axes.lines] for axes in figure.axes])
    for number, name in enumerate(("y10_y1", "attacked", "margin_y10_right")):
        for column, run in enumerate(measured):
            assert means[number, column] == pytest.approx(np.nanmean(measured[run].lengths[name]))
    for number in (0, 2):
        assert means[number, 1] == pytest.approx(2.3 * means[number, 0], rel=1e-5)
        assert means[3 + number, 1] == pytest.approx(means[3 + number, 0], rel=1e-5)
    for axes in figure.axes:
        for patch in axes.patches:
            assert np.sum(patch.get_data().values) == pytest.approx(1)  # every galaxy is in a bin


def test_run_keeps_its_colour_where_the_first_was_not_attacked(runs):
    first, second = (run for run, _ in runs.values())
    bare = measure_latents(first.table, first.kernel, first.bias)
    figure = distance_histograms({"regular": bare, "MMD": second}, {"regular": 1.0, "MMD": 1.0}, TITLE)
    both, attacked = (axes.lines for axes in figure.axes[:2])
    assert len(both) == 2 and [line.get_color() for line in attacked] == [both[1].get_color()]
    assert both[1].get_color() != both[0].get_color()


def test_without_an_attack_there_is_no_panel_of_it(runs):
    run, _ = runs["regular"]
    alone = measure_latents(run.table, run.kernel, run.bias)
    figure = distance_histograms({"regular": alone}, {"regular": 1.0}, TITLE)
    assert len(figure.axes) == 4
