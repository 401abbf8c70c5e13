import numpy as np
import pytest
from scipy.spatial.distance import cdist

from photoz_morph.mocks.labels import ELLIPTICAL, MERGER, SPIRAL, classify
from photoz_morph.simulation.morphology import candidates
from photoz_morph.simulation.morphology.candidates import (
    N_ENCOUNTERS,
    TYPE_FRACTIONS,
    AcceptanceTable,
    draw_accepted,
    draw_candidate,
    draw_type,
    measure,
)
from photoz_morph.simulation.morphology.populations import StellarMaps
from tests.support.paths import DATA

SEED = 6
TNG_CATALOGUE = DATA / "tng100_gini_m20.npz"


def test_a_stamp_without_light_and_a_flat_plate_are_rejected():
    dark = np.zeros((500, 500), np.float32)
    assert measure(StellarMaps({"old": dark}))[2] == "empty"
    assert measure(StellarMaps({"old": dark + np.float32(np.nan)}))[2] == "empty"
    rows, columns = np.indices(dark.shape) - 249.5
    plate = (np.hypot(rows, columns) < 60).astype(np.float32)
    assert measure(StellarMaps({"old": plate}))[2] == "not_measured"


def test_types_come_in_the_stated_fractions_and_mergers_use_the_whole_pool():
    types, encounters = np.transpose([draw_type(3, i) for i in range(6000)])
    np.testing.assert_allclose(np.bincount(types) / 6000, TYPE_FRACTIONS, atol=0.02)  # 3 sigma
    assert set(encounters[types != MERGER]) == {-1}
    assert len(set(encounters[types == MERGER])) > 0.99 * N_ENCOUNTERS


def test_every_cell_of_the_acceptance_table_is_a_probability_above_zero():
    table = AcceptanceTable()
    assert table.acceptance.shape == (len(table.gini), len(table.m20))
    assert (table.acceptance > 0).all() and (table.acceptance <= 1).all()
    # The nearest cell answers, and the outermost one beyond the grid.
    assert table(table.gini[3] + 0.002, table.m20[5] - 0.01) == table.acceptance[3, 5]
    assert table(0.99, 0.0) == table.acceptance[-1, -1]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Intended type, and (G, M20) of the first and of the accepted candidate, of a hundred objects."""
    measured, rows, folder = [], [], tmp_path_factory.mktemp("encounters")

    def measure_and_note(galaxy):
        measured.append(measure(galaxy))
        return measured[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "N_ENCOUNTERS", 5)
        patch.setattr(candidates, "measure", measure_and_note)
        for index in range(100):
            start = len(measured)
            intended_type = draw_accepted(SEED, index, folder)[1]
            rows.append((intended_type, *measured[start][:2], *measured[-1][:2]))
    rows = np.array(rows)
    return rows[:, 0].astype(int), rows[:, 1:3], rows[:, 3:]


def test_accepted_objects_are_more_like_tng100_than_the_candidates(drawn):
    """Energy distance in the (G, M20) plane to good TNG100 galaxies with the label fractions of the released arrays."""
    _, first, accepted = drawn
    target = tng_sample(2000)
    assert energy_distance(accepted, target) < energy_distance(first[np.isfinite(first[:, 0])], target)
    # The labels are those of the released arrays, 43, 24 and 33 %; 100 objects give a fraction to 5 %.
    label = classify(*accepted.T)
    np.testing.assert_allclose(np.bincount(label) / len(label), [0.427, 0.243, 0.330], atol=0.15)


def test_most_spirals_and_ellipticals_have_the_label_intended(drawn):
    intended_type, _, accepted = drawn
    label = classify(*accepted.T)
    for kind in (SPIRAL, ELLIPTICAL):
        assert (label[intended_type == kind] == kind).mean() > 0.6


def tng_sample(n):
    """Gini and M20 of good TNG100 galaxies, drawn with the label fractions of Ciprijanovic et al. (2021)."""
    stored = np.load(TNG_CATALOGUE)
    good = stored["flag"] == 0
    points = np.column_stack([stored["gini"][good], stored["m20"][good]])
    label = classify(*points.T)
    weight = (np.array([10_017, 5_705, 7_765]) / np.bincount(label))[label]
    return points[np.random.default_rng(0).choice(len(points), n, p=weight / weight.sum())]


def energy_distance(a, b):
    """Szekely & Rizzo (2013), Eq. 5, with the axes in units of the standard deviation of TNG100 spirals."""
    a, b = (np.asarray(points) / [0.03, 0.2] for points in (a, b))
    return 2 * cdist(a, b).mean() - cdist(a, a).mean() - cdist(b, b).mean()


def test_the_accepted_candidate_is_the_first_whose_draw_is_below_its_probability():
    """Elliptical: no encounter is needed."""
    index = next(i for i in range(100) if draw_type(SEED, i)[0] == ELLIPTICAL)
    galaxy, _, encounter, rejected = draw_accepted(SEED, index, "nowhere")
    again, rng = draw_candidate(SEED, index, sum(rejected.values()), ELLIPTICAL, None)
    assert encounter == -1 and galaxy.truth == again.truth
    gini, m20, reason = measure(again)
    assert reason == "" and rng.random() < AcceptanceTable()(gini, m20)


def test_an_object_that_is_never_accepted_names_its_seed_and_the_remedy(monkeypatch):
    index = next(i for i in range(100) if draw_type(SEED, i)[0] == ELLIPTICAL)
    monkeypatch.setattr(candidates, "MAX_CANDIDATES", 2)
    monkeypatch.setattr(candidates.AcceptanceTable, "__call__", lambda *point: 0.0)
    with pytest.raises(RuntimeError, match=f"galaxy {index} of seed {SEED}: none of 2 candidates .* another seed"):
        draw_accepted(SEED, index, "nowhere")
