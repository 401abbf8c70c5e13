"""Make photoz_morph/data/morphology_weights.npz: acceptance of the candidates of `morph simulate` by Gini and M20.

    python scripts/make_morphology_weights.py labels_gm20_i.csv.gz ENCOUNTERS

The first file has the columns gini_i, m20_i and flag_i of the TNG100 catalogue of Rodriguez-Gomez et al. (2019), i
band, snapshots 95 and 99 (github gsnyder206/deepmerge-mocks); the folder caches encounters. In between, a pilot of our
own candidates is drawn and measured.

The target is p*(G, M20) = sum over classes c of f_c p_TNG(G, M20 | label c), with fractions f_c of the labels in the
published arrays. Objects of type t draw candidates from p_t until one is accepted, so that the accepted ones follow
sum over t of f_t p_t(x) a(x) / Z_t with Z_t the mean acceptance of the type; a(x) is found by iteration.
"""

import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from astropy.table import Table
from scipy.ndimage import gaussian_filter
from tqdm import tqdm

from photoz_morph.mocks.labels import CLASS_NAMES, MERGER, classify
from photoz_morph.simulation.morphology.candidates import TYPE_FRACTIONS, WEIGHTS, draw_candidate, measure
from photoz_morph.simulation.morphology.encounters import load_encounter
from photoz_morph.system.threads import one_thread

LABEL_FRACTIONS = np.array([10_017, 5_705, 7_765]) / 23_487  # Ciprijanovic et al. (2021): images of each class released
SEED = 899_999_999  # of the pilot; of no sample that anyone is likely to draw
N_PILOT = 1200  # candidates of each type: 2 min on two busy cores, with the encounters
N_PILOT_ENCOUNTERS = 60
GINI, M20 = np.arange(0.305, 0.75, 0.01), np.arange(-2.975, -0.3, 0.05)  # centres of the cells
SMOOTHING = 1.5  # [cells] sigma
# The lower the mean, the nearer the target and the more candidates: at 0.42, 7 % of the objects are misplaced.
MEAN_ACCEPTANCE, MIN_ACCEPTANCE = 0.42, 0.02


def main(catalogue, encounter_dir):
    """Draw the pilot, iterate and write the table."""
    tng = Table.read(catalogue, format="ascii.csv")
    tng = tng[tng["flag_i"] == 0]
    tng_label = classify(tng["gini_i"], tng["m20_i"])
    target = sum(
        fraction * density(tng["gini_i"][tng_label == c], tng["m20_i"][tng_label == c])
        for c, fraction in enumerate(LABEL_FRACTIONS)
    )
    pilot = [draw_pilot(intended_type, encounter_dir) for intended_type in range(len(CLASS_NAMES))]
    densities = np.array([density(*measured.T) for measured in pilot])
    report_fractions(target, densities)
    acceptance, means = iterate(target, densities)
    for name, measured, mean in zip(CLASS_NAMES, pilot, means):
        label = np.bincount(classify(*measured.T), minlength=3) / len(measured)
        print(f"{name}: {len(measured)} of {N_PILOT} measured, labels {label.round(3)}, acceptance {mean:.3f}")
    print(f"candidates per object: {np.dot(TYPE_FRACTIONS, 1 / means):.2f}")
    np.savez_compressed(WEIGHTS, gini=GINI, m20=M20, acceptance=acceptance.astype(np.float32))


def draw_pilot(intended_type, encounter_dir):
    """Gini and M20 of the usable candidates of a type, shape (n, 2)."""
    jobs = [(intended_type, i, encounter_dir) for i in range(N_PILOT)]
    with ProcessPoolExecutor() as pool:
        measured = pool.map(measure_candidate, jobs, chunksize=20)
        rows = list(tqdm(measured, total=N_PILOT, desc=CLASS_NAMES[intended_type]))
    return np.array([(gini, m20) for gini, m20, reason in rows if not reason])


def measure_candidate(job):
    """Gini, M20 and reason of rejection of one candidate."""
    intended_type, i, encounter_dir = job
    encounter = None
    with one_thread():
        if intended_type == MERGER:
            encounter = load_encounter(encounter_dir, SEED, i // (N_PILOT // N_PILOT_ENCOUNTERS))
        return measure(draw_candidate(SEED, i, 0, intended_type, encounter)[0])


def density(gini, m20):
    """Smoothed histogram of unit sum on the grid."""
    edges = [np.append(centres - np.diff(centres)[0] / 2, np.inf) for centres in (GINI, M20)]
    for edge in edges:
        edge[0] = -np.inf
    counts = gaussian_filter(np.histogram2d(gini, m20, edges)[0], SMOOTHING, mode="nearest")
    return counts / counts.sum()


def iterate(target, densities, n_iterations=50):
    """Acceptance on the grid and its mean for each type."""
    means = np.ones(len(densities))
    for _ in range(n_iterations):
        ratio = target / (np.einsum("t,tgm->gm", np.array(TYPE_FRACTIONS) / means, densities) + 1e-9)
        mixture = np.einsum("t,tgm->gm", TYPE_FRACTIONS, densities)
        low, high = 1e-6, 1e6
        for _ in range(60):  # the scale at which the mean acceptance of the mixture is the one wanted
            scale = np.sqrt(low * high)
            acceptance = np.clip(scale * ratio, MIN_ACCEPTANCE, 1)
            low, high = (scale, high) if (acceptance * mixture).sum() < MEAN_ACCEPTANCE else (low, scale)
        means = (densities * acceptance).sum(axis=(1, 2))
    return acceptance, means


def report_fractions(target, densities, n_iterations=200):
    """Print the fractions of the types whose mixture is most like the target, by expectation-maximisation."""
    fractions = np.full(len(densities), 1 / len(densities))
    for _ in range(n_iterations):
        mixture = np.einsum("t,tgm->gm", fractions, densities) + 1e-9
        fractions = fractions * (densities * target / mixture).sum(axis=(1, 2))
    print(f"fractions of the types that fit best: {(fractions / fractions.sum()).round(3)}; used: {TYPE_FRACTIONS}")


if __name__ == "__main__":
    main(*sys.argv[1:])
