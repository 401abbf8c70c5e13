import json

import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.morph.robustness.latent_scores import LENGTHS, SHARES, compare_latents, latent_scores, measure_latents
from photoz_morph.robustness.latents.church_windows import church_window, common_triplet, pixel_church_window
from photoz_morph.robustness.latents.geometry import (
    class_margins,
    class_separation,
    crossing,
    distances,
    margins,
    seen_distance,
)
from photoz_morph.robustness.latents.means import UNITS, LatentSpace, paired_ratio, scale_of, scaled_means
from tests.support.latents import N_LATENT, toy_attack, toy_head, toy_run

RESAMPLES = 300


@pytest.fixture(scope="module")
def run():
    return toy_run()


@pytest.fixture(scope="module")
def attack(run):
    return toy_attack(*run)


def toy_space(n=300, n_latent=4, views=1, seed=0):
    """Three classes of unit width at the corners of a simplex, and their distances to somewhere."""
    rng = np.random.default_rng([seed, 6])
    labels = np.repeat(np.arange(n // views) % 3, views)
    latents = np.repeat(rng.normal(size=(n // views, n_latent)), views, axis=0) + 5 * np.eye(n_latent)[labels]
    lengths = np.repeat(rng.gamma(4.0, 0.5, n // views), views)
    return lengths, LatentSpace(latents, labels, np.repeat(np.arange(n // views), views))


# Distances and their scale


def test_distances_are_those_worked_by_hand():
    found = distances([[0, 0], [1, 1], [0, 2]], [[3, 4], [1, 1], [0, 9]])  # 5, 0, 7
    assert found == pytest.approx(
        {"n": 3, "mean": 4, "standard_deviation": np.sqrt(26 / 3), "standard_error": np.sqrt(26) / 3}
    )


def test_distances_of_nothing_are_an_error():
    with pytest.raises(ValueError, match="no galaxy was flipped"):
        distances(np.zeros((0, 4)), np.zeros((0, 4)))


def test_class_separation_is_that_worked_by_hand():
    # Centroids (0, 0), (6, 0), (0, 8): pairs 6, 8, 10. Every galaxy is 1 from its centroid but two, which are on it.
    latents = [[1, 0], [-1, 0], [6, 1], [6, -1], [0, 8], [0, 8], [99, 99]]
    found = class_separation(latents, [0, 0, 1, 1, 2, 2, -1])
    assert found == pytest.approx({"separation": 8, "spread": np.sqrt(4 / 6)})
    with pytest.raises(ValueError, match="two classes or more"):
        class_separation(latents, [1] * 7)


def test_scale_free_means_do_not_change_when_the_latents_are_stretched():
    lengths, space = toy_space()
    stretched = LatentSpace(100 * space.latents, space.labels, space.group_id)
    first, second = (scaled_means({"step": factor * lengths}, part, RESAMPLES)["step"]
                     for factor, part in ((1, space), (100, stretched)))  # fmt: skip
    assert second["raw"]["value"] == pytest.approx(100 * first["raw"]["value"])
    for unit in ("per_separation", "per_spread"):
        for key in ("value", "error", "interval"):
            assert second[unit][key] == pytest.approx(first[unit][key])


def test_means_are_over_the_galaxies_that_have_a_length():
    lengths, space = toy_space()
    some = np.where(np.arange(300) < 60, lengths, np.nan)
    found = scaled_means({"some": some, "all": lengths}, space, RESAMPLES)
    scale = class_separation(space.latents, space.labels)
    assert found["some"]["n"] == found["some"]["n_groups"] == 60
    assert found["some"]["raw"]["value"] == pytest.approx(lengths[:60].mean())
    assert found["some"]["per_spread"]["value"] == pytest.approx(lengths[:60].mean() / scale["spread"])
    assert found["all"]["per_separation"]["value"] == pytest.approx(lengths.mean() / scale["separation"])
    with pytest.raises(ValueError, match="no galaxy has a none"):
        scaled_means({"none": np.full(300, np.nan)}, space)


def test_errors_are_the_scatter_of_repeated_skies():
    found = [(scaled_means({"step": lengths}, space, 100)["step"]["per_separation"], scale_of(space, 100)["spread"])
             for lengths, space in (toy_space(120, seed=seed) for seed in range(100))]  # fmt: skip
    for scores in zip(*found):
        scatter = np.std([score["value"] for score in scores], ddof=1)
        error = np.mean([score["error"] for score in scores])
        assert error == pytest.approx(scatter, rel=0.25)  # 100 skies know their scatter within 7 %: 3.5 sigma


def test_views_of_a_group_are_no_new_galaxies():
    # Four copies of everything must not halve the error.
    alone, four = (scaled_means({"step": toy_space(n, views=views)[0]}, toy_space(n, views=views)[1], 1000)["step"]
                   for n, views in ((90, 1), (360, 4)))  # fmt: skip
    for unit in UNITS:
        assert four[unit]["error"] == pytest.approx(alone[unit]["error"], rel=1e-6)
    alone, four = (scale_of(toy_space(n, views=views)[1], 1000) for n, views in ((90, 1), (360, 4)))
    for name in ("separation", "spread"):
        assert four[name]["error"] == pytest.approx(alone[name]["error"], rel=1e-6)


def test_one_group_has_a_value_and_no_error():
    lengths, space = toy_space()
    found = scaled_means({"step": np.where(np.arange(300) < 1, lengths, np.nan)}, space, RESAMPLES)["step"]
    assert found["raw"] == {"value": pytest.approx(lengths[0]), "error": None, "interval": None}


def test_ratio_of_a_stretched_space_is_one_in_its_own_units():
    lengths, space = toy_space()
    stretched = LatentSpace(3 * space.latents, space.labels, space.group_id)
    found = paired_ratio((lengths, space), (3 * lengths, stretched), RESAMPLES)
    assert found["raw"]["value"] == pytest.approx(3)
    for unit in ("per_separation", "per_spread"):
        assert found[unit]["value"] == pytest.approx(1)
        assert found[unit]["interval"] == pytest.approx([1, 1])  # the same galaxies are redrawn in both


def test_ratio_takes_galaxies_that_both_have():
    lengths, space = toy_space()
    first = np.where(np.arange(300) < 200, lengths, np.nan)
    second = np.where(np.arange(300) >= 100, 1.5 * lengths, np.nan)
    found = paired_ratio((first, space), (second, space), RESAMPLES)
    assert found["n"] == 100 and found["raw"]["value"] == pytest.approx(1.5)


def test_interval_of_a_ratio_covers_the_truth():
    hits = 0
    for seed in range(100):
        lengths, space = toy_space(90, seed=seed)
        rng = np.random.default_rng([seed, 7])
        second = 1.3 * lengths * rng.uniform(0.5, 1.5, len(lengths))
        low, high = paired_ratio((lengths, space), (second, space), 200)["raw"]["interval"]
        hits += low < 1.3 < high
    assert 86 <= hits <= 100  # 95 expected; a binomial is below 86 once in 5,000


# Margins


def test_margins_are_where_a_search_finds_the_border():
    kernel, bias = toy_head(n_classes=4)
    latents = np.random.default_rng(0).normal(size=(8, N_LATENT))
    found = margins(latents @ kernel + bias, kernel)
    for latent, margin in zip(latents, found):
        for p in range(4):
            for q in range(4):
                if p == q:
                    assert np.isnan(margin[p, q])
                    continue
                normal = (kernel[:, p] - kernel[:, q]) / np.linalg.norm(kernel[:, p] - kernel[:, q])

                def gap(t, latent=latent, normal=normal, p=p, q=q):
                    logits = (latent - t * normal) @ kernel + bias
                    return logits[p] - logits[q]

                low, high = -100.0, 100.0
                for _ in range(60):  # bisection
                    middle = (low + high) / 2
                    low, high = (middle, high) if gap(middle) > 0 else (low, middle)
                assert margin[p, q] == pytest.approx(low, abs=1e-9)


def test_no_step_shorter_than_the_margin_changes_the_class():
    kernel, bias = toy_head(n_classes=4)
    rng = np.random.default_rng(1)
    for latent in rng.normal(size=(10, N_LATENT)):
        logits = latent @ kernel + bias
        (margin,) = class_margins(logits[None], kernel)
        steps = rng.normal(size=(4000, N_LATENT))
        steps /= np.linalg.norm(steps, axis=1, keepdims=True)
        nearer = (latent + 0.999 * margin * steps) @ kernel + bias
        assert (nearer.argmax(axis=1) == logits.argmax()).all()
        normals = kernel - kernel[:, [logits.argmax()]]
        with np.errstate(invalid="ignore"):
            normals /= np.linalg.norm(normals, axis=0)
        beyond = (latent + 1.001 * margin * normals.T) @ kernel + bias
        assert (beyond.argmax(axis=1) != logits.argmax()).any()


def test_margin_of_a_class_not_given_is_negative():
    kernel = np.array([[1.0, -1.0, 0.0], [0.0, 0.0, 2.0]])  # borders at x = 0, y = x / 2, y = -x / 2
    logits = np.array([[3.0, 0.0]]) @ kernel
    assert class_margins(logits, kernel) == pytest.approx([3 / np.sqrt(5)])
    assert margins(logits, kernel)[0, 1, 0] == pytest.approx(-3.0)


def test_crossing_is_where_the_class_changes_on_the_way():
    kernel, bias = toy_head(n_classes=4)
    rng = np.random.default_rng(2)
    start, end = rng.normal(size=(2, 200, N_LATENT))
    logits, after = (part @ kernel + bias for part in (start, end))
    found = crossing(logits, after, logits.argmax(axis=1))
    t = np.linspace(0, 1, 2001)
    way = (start[:, None] + t[None, :, None] * (end - start)[:, None]) @ kernel + bias
    changed = way.argmax(axis=2) != logits.argmax(axis=1)[:, None]
    searched = np.where(changed.any(axis=1), t[changed.argmax(axis=1)], np.inf)
    flipped = after.argmax(axis=1) != logits.argmax(axis=1)
    assert 50 < flipped.sum() < 200
    assert found[flipped] == pytest.approx(searched[flipped], abs=5e-4)
    assert (found[~flipped] > 1).all()


def test_crossing_without_an_end_is_nan():
    assert np.isnan(crossing([[1.0, 0.0]], [[np.nan, np.nan]], [0])).all()


def test_the_head_sees_only_what_changes_the_differences_of_logits():
    kernel, _ = toy_head()
    rng = np.random.default_rng(3)
    steps = rng.normal(size=(5, N_LATENT))
    contrasts = kernel[:, 1:] - kernel[:, :1]
    seen = steps @ contrasts @ np.linalg.pinv(contrasts)  # projection by another road
    zero = np.zeros_like(steps)
    assert seen_distance(zero, steps, kernel) == pytest.approx(np.linalg.norm(seen, axis=1))
    assert seen_distance(zero, steps - seen, kernel) == pytest.approx(np.zeros(5), abs=1e-12)
    logits = (steps - seen) @ kernel
    assert logits - logits[:, :1] == pytest.approx(np.zeros((5, 3)), abs=1e-12)


# Church windows


@pytest.fixture
def triplet():
    """Latents of a base, an attacked and a noisy image with three different classes, and the head."""
    kernel, bias = toy_head(n_classes=4)
    latents = np.random.default_rng(4).normal(size=(400, N_LATENT)) * 2
    classes = (latents @ kernel + bias).argmax(axis=1)
    return [latents[classes == index][0] for index in (0, 1, 2)], kernel, bias


@pytest.mark.parametrize("orthonormal", [False, True])
def test_corners_of_a_church_window_are_the_predictions_of_the_head(triplet, orthonormal):
    latents, kernel, bias = triplet
    window = church_window(*latents, kernel, bias, orthonormal=orthonormal)
    assert window.given == (0, 1, 2)
    for (x, y), given, latent in zip(((0, 0), window.attacked, window.noisy), window.given, latents):
        column, row = (np.abs(window.coordinates - value).argmin() for value in (x, y))
        assert window.classes[row, column] == given
        if not orthonormal:  # the images lie on the grid itself
            assert (window.coordinates[column], window.coordinates[row]) == (x, y)
            assert window.logits[row, column] == pytest.approx(latent @ kernel + bias)


def test_a_published_window_has_its_axes_and_grid(triplet):
    window = church_window(*triplet[0], *triplet[1:])
    assert window.logits.shape == (221, 221, 4) and window.coordinates[[0, -1]] == pytest.approx([-1.1, 1.1])
    (base, attacked, noisy), kernel, bias = triplet
    for column, row in ((0, 0), (30, 170), (220, 100)):
        x, y = window.coordinates[[column, row]]
        point = base + x * (attacked - base) + y * (noisy - base)
        assert window.logits[row, column] == pytest.approx(point @ kernel + bias)


def test_an_orthonormal_window_keeps_lengths(triplet):
    (base, attacked, noisy), kernel, bias = triplet
    window = church_window(base, attacked, noisy, kernel, bias, orthonormal=True)
    assert np.hypot(*window.attacked) == pytest.approx(np.linalg.norm(attacked - base)) == window.lengths[0]
    assert np.hypot(*window.noisy) == pytest.approx(np.linalg.norm(noisy - base)) == window.lengths[1]
    assert np.hypot(*np.subtract(window.attacked, window.noisy)) == pytest.approx(np.linalg.norm(attacked - noisy))
    cosine = np.dot(window.attacked, window.noisy) / np.prod(window.lengths)
    assert np.degrees(np.arccos(cosine)) == pytest.approx(window.angle)
    assert window.coordinates[-1] >= max(window.lengths)


@pytest.mark.parametrize("orthonormal", [False, True])
def test_borders_are_where_two_logits_are_equal_and_no_other_is_larger(triplet, orthonormal):
    (base, attacked, noisy), kernel, bias = triplet
    window = church_window(base, attacked, noisy, kernel, bias, orthonormal=orthonormal)
    assert len(window.borders) >= 2
    origin = base @ kernel + bias
    # Logits are linear on the plane; three grid points give them, not the code under test.
    corner, scale = len(window.coordinates) // 2, window.coordinates[-1]
    slopes = [(window.logits[at] - origin) / scale for at in ((corner, -1), (-1, corner))]
    for border in window.borders:
        for share in (0, 0.3, 1):
            x, y = (1 - share) * border.ends[0] + share * border.ends[1]
            logits = origin + x * slopes[0] + y * slopes[1]
            p, q = border.classes
            assert logits[p] == pytest.approx(logits[q], abs=1e-9)
            assert logits.max() - logits[p] < 1e-9
        assert np.abs(border.ends).max() <= scale * (1 + 1e-12)


def test_every_change_of_class_on_the_grid_is_at_a_border(triplet):
    window = church_window(*triplet[0], *triplet[1:])
    changes = np.argwhere(window.classes[:, 1:] != window.classes[:, :-1])
    assert len(changes) > 100
    for row, column in changes:
        here = window.coordinates[[column, row]] + [0.005, 0]
        pair = {int(window.classes[row, column]), int(window.classes[row, column + 1])}
        gaps = []
        for border in window.borders:
            if set(border.classes) == pair:
                along = border.ends[1] - border.ends[0]
                share = np.clip((here - border.ends[0]) @ along / (along @ along), 0, 1)
                gaps.append(np.linalg.norm(border.ends[0] + share * along - here))
        # Between two points lies the border of their classes, or a sliver of a third class too thin for the grid.
        assert gaps and min(gaps) < 0.012


def test_a_window_needs_a_flip(triplet):
    (base, attacked, noisy), kernel, bias = triplet
    for wrong in (base, np.full(N_LATENT, np.nan)):
        with pytest.raises(ValueError, match="attacked image .* was it flipped"):
            church_window(base, wrong, noisy, kernel, bias)
    with pytest.raises(ValueError, match="on one line"):
        church_window(base, attacked, 2 * attacked - base, kernel, bias, orthonormal=True)


def test_pixel_window_of_a_linear_classifier_is_its_latent_window():
    rng = np.random.default_rng(5)
    images = rng.normal(size=(3, 4, 4, 3)) * 1000
    kernel, bias = rng.normal(size=(48, 3)), rng.normal(size=3)

    def classify(stamps):
        assert stamps.dtype == np.float32 and len(stamps) <= 10
        return stamps.reshape(len(stamps), -1) @ kernel + bias

    found = pixel_church_window(classify, *images, step=0.1, batch_size=10)
    exact = church_window(*images.reshape(3, -1), kernel, bias, step=0.1)
    assert found.logits.shape == (23, 23, 3)
    assert found.logits == pytest.approx(exact.logits, rel=1e-4, abs=1e-2)  # float32 images of a thousand
    assert (found.given, found.lengths, found.borders) == (exact.given, exact.lengths, ())


def test_pixel_window_shows_a_curved_border():
    # Class 1 beyond 30.5 nJy from nothing, in all pixels together: a circle where axes are at right angles.
    image, attacked, noisy = np.zeros((3, 5, 5, 3))
    attacked[1, 2, 0], noisy[3], noisy[1, 2, 0] = 40.0, 5.0, 10.0
    norm = 30.5  # between the radii of all grid points

    def classify(stamps):
        length = np.linalg.norm(stamps.reshape(len(stamps), -1), axis=1)
        return np.stack([norm - length, length - norm], axis=1)

    window = pixel_church_window(classify, image, attacked, noisy, orthonormal=True, step=0.05)
    y, x = np.meshgrid(window.coordinates, window.coordinates, indexing="ij")
    assert np.array_equal(window.classes == 1, np.hypot(x, y) > norm)
    assert 0 < window.classes.mean() < 1


def test_the_common_triplet_is_typical_and_flipped_in_all():
    def table(flipped, given, margin):
        n = len(flipped)
        return Table({"obj_id": np.arange(n)[::-1], "copy": np.zeros(n, int), "flipped": flipped,
                      "attacked_class": given, "margin_before": margin})  # fmt: skip

    first = table([1, 1, 1, 1, 0], [2, 2, 2, 1, -1], [1.0, 2.0, 9.0, 2.0, 2.0])
    second = table([1, 1, 1, 1, 1], [2, 2, 2, 2, 2], [0.1, 0.5, 0.7, 0.5, 0.5])
    assert common_triplet([first, second[::-1]]) == [1, 3]
    assert common_triplet([first[:1], second[1:]]) is None


# A run, and two


def test_lengths_are_in_the_rows_of_their_galaxies(run, attack):
    table, kernel, bias = run
    mixed = attack[np.random.default_rng(8).permutation(len(attack))]
    measured = measure_latents(table, kernel, bias, mixed)
    assert set(measured.lengths) == set(LENGTHS) and set(measured.shares) == set(SHARES)
    rows = {obj_id: row for row, obj_id in enumerate(np.asarray(table["obj_id"]).tolist())}
    hit = [rows[obj_id] for obj_id in attack["obj_id"][attack["flipped"]].tolist()]
    way = (attack["latent_attacked"] - attack["latent_y10"])[attack["flipped"]]
    assert measured.lengths["attacked"][hit] == pytest.approx(np.linalg.norm(way, axis=1), rel=1e-6)
    for name in ("attacked", "needed", "y10_y1_flipped", "margin_flipped"):
        assert np.array_equal(np.flatnonzero(np.isfinite(measured.lengths[name])), np.sort(hit))
    # Toy attacks go 1.1 to 1.5 times as far as the border of the class aimed at.
    assert (measured.shares["crossing"][hit] < 1).all() and np.nanmean(measured.shares["crossing"]) > 0.5
    assert (measured.shares["directness"][hit] <= 1 + 1e-9).all()
    noise = (attack["latent_y1"] - attack["latent_y10"])[attack["flipped"]]
    cosine = [way @ noise / np.sqrt(way @ way * (noise @ noise)) for way, noise in zip(way, noise)]
    assert measured.shares["alignment"][hit] == pytest.approx(cosine, abs=1e-6)
    assert measured.attack["n_attacked"] == 60 and measured.attack["n_flipped"] == 40


def test_scores_hold_what_a_table_of_distances_needs(run, attack):
    scores = latent_scores(measure_latents(*run, attack), RESAMPLES)
    assert scores["data"] == "simulated" and scores["attack"]["search"] == "lattice"
    flipped = attack[attack["flipped"]]
    by_hand = distances(flipped["latent_y10"], flipped["latent_attacked"])
    found = scores["lengths"]["attacked"]
    assert found["raw"]["value"] == pytest.approx(by_hand["mean"], rel=1e-6)
    assert found["standard_deviation"] == pytest.approx(by_hand["standard_deviation"], rel=1e-6)
    assert found["standard_error"] == pytest.approx(by_hand["standard_error"], rel=1e-6)
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores


def test_without_an_attack_there_are_no_lengths_of_it(run):
    scores = latent_scores(measure_latents(*run), RESAMPLES)
    assert scores["attack"] is None and scores["lengths"]["attacked"] is None and scores["shares"]["crossing"] is None
    assert scores["lengths"]["y10_y1"]["n"] == scores["lengths"]["margin_y1"]["n"] == len(run[0])


def test_an_attack_that_flips_nothing_leaves_the_margins(run, attack):
    scores = latent_scores(measure_latents(*run, attack[~attack["flipped"]]), RESAMPLES)
    assert scores["lengths"]["attacked"] is None and scores["attack"]["n_flipped"] == 0
    assert scores["lengths"]["margin_not_flipped"]["n"] == 20


def test_an_attack_on_y1_starts_at_y1(run):
    attack = toy_attack(*run, domain="Y1")
    measured = measure_latents(*run, attack)
    flipped = attack[attack["flipped"]]
    expected = distances(flipped["latent_y1"], flipped["latent_attacked"])["mean"]
    assert np.nanmean(measured.lengths["attacked"]) == pytest.approx(expected, rel=1e-6)
    assert np.nanmax(measured.shares["crossing"]) <= 1


def test_tables_of_different_networks_are_refused(run, attack):
    table, kernel, bias = run
    with pytest.raises(ValueError, match="another network, predict again"):
        measure_latents(table, 1.5 * kernel, bias)
    with pytest.raises(ValueError, match="takes 5 latents, the predictions hold 6"):
        measure_latents(table, kernel[:5], bias)
    moved = attack.copy()
    moved["latent_y10"][3] += 1
    with pytest.raises(ValueError, match="seed 1, defence none.* of another network or defence: attack the first"):
        measure_latents(table, kernel, bias, moved)
    strange = attack.copy()
    strange["obj_id"][5] = -7
    with pytest.raises(ValueError, match="1 galaxies that the predictions lack, the first is obj_id -7"):
        measure_latents(table, kernel, bias, strange)


def test_a_network_that_only_stretches_its_latents_is_not_more_robust(run, attack):
    order = np.random.default_rng(9).permutation(len(run[0]))
    longer = toy_run(stretch=2.3, order=order)
    other = toy_attack(*longer)
    first, second = measure_latents(*run, attack), measure_latents(*longer, other)
    ratios = compare_latents(first, second, RESAMPLES)
    assert ratios["margin_not_flipped"] is None
    for name in ("y10_y1", "margin_y10", "margin_y1", "margin_y10_right"):
        assert ratios[name]["n"] >= 200 and ratios[name]["raw"]["value"] == pytest.approx(2.3, rel=1e-5)
        for unit in ("per_separation", "per_spread"):
            assert ratios[name][unit]["value"] == pytest.approx(1, rel=1e-5)
    both = set(attack["obj_id"][attack["flipped"]].tolist()) & set(other["obj_id"][other["flipped"]].tolist())
    assert ratios["attacked"]["n"] == len(both)


def test_attacks_from_different_depths_are_not_compared(run, attack):
    ratios = compare_latents(measure_latents(*run, attack), measure_latents(*run, toy_attack(*run, domain="Y1")), 100)
    compared = {name for name, ratio in ratios.items() if ratio}
    assert compared == {"y10_y1", "margin_y10", "margin_y1", "margin_y10_right"}


@pytest.mark.parametrize("changes", [{"success": "paper"}, {"max_queries": 50}, {"bounds": "sigma:30"},
                                     {"population": 50}, {"targeted": True}])  # fmt: skip
def test_attacks_with_other_settings_are_not_compared(run, attack, changes):
    others = [measure_latents(*run, toy_attack(*run, **meta)) for meta in (changes, {"defence": "d4"})]
    first = measure_latents(*run, attack)
    compared = [{name for name, ratio in compare_latents(first, other, 100).items() if ratio} for other in others]
    assert compared[0] == {"y10_y1", "margin_y10", "margin_y1", "margin_y10_right"}
    assert "attacked" in compared[1]  # arms may have defences of their own


def test_runs_on_other_galaxies_are_not_compared(run):
    with pytest.raises(ValueError, match="120 galaxies are in one run only"):
        compare_latents(measure_latents(*run), measure_latents(*(run[0][:120], *run[1:])))
