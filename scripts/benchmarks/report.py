"""Time of `photoz report` for a large run, figure by figure.

    python scripts/benchmarks/report.py [number of galaxies]

Makes a run folder of a synthetic predictions table (5 folds, 6 members, calibrated Gaussian PDFs and a k-NN table)
and prints the seconds of scoring, of what the report computes, of drawing every figure with its PNG and PDF
(`draw_and_save`, which contains the drawing), and in all. Expect 35 s of processor time for 100,000 galaxies, two
thirds of it the bootstrap errors of the scores and of the trials; the promise is two minutes.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from photoz_morph.config import load_config, save_config
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.evaluation import run_scores
from photoz_morph.photoz.predictions import predictions_table, write_predictions
from photoz_morph.photoz.report import page as photoz_report
from photoz_morph.photoz.report import science
from photoz_morph.photoz.report_run import current_results
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.report import page as report_page
from photoz_morph.surveys import SDSS

GRID = RedshiftGrid()
N_FOLDS, N_MEMBERS, N_EPOCHS, N_STACKS = 5, 6, 40, 30


def main(n_galaxies):
    """Make a run folder, time its report and print."""
    timed(run_scores, "evaluate")
    timed(run_scores, "compare")
    for name in ("z_phot_against_z_spec", "residual_histogram", "galaxies_with_pdf", "rescaled_pit", "pit_histogram",
                 "loss_curves", "redshifts_and_magnitudes", "sky_map", "random_stamps"):  # fmt: skip
        timed(photoz_report, name)
    for name in ("score_trials", "catalogue_trends", "sky_cells", "width_cut_figure"):
        timed(science, name)
    timed(report_page, "draw_and_save", lambda arguments: arguments[1].name)
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder)
        obj_id = write_run(run_dir, n_galaxies)
        images = np.random.default_rng(0).normal(0, 0.05, (N_STACKS, *SDSS.image_shape))
        start = time.perf_counter()
        results = current_results(run_dir)
        photoz_report.write_report(results, stacks=(images, obj_id[:N_STACKS]), progress=False)
        print(f"{'in all':45s} {time.perf_counter() - start:6.1f} s for {n_galaxies:,} galaxies")
        print(f"{'report.html':45s} {(run_dir / 'report' / 'report.html').stat().st_size / 1e6:6.1f} MB")


def timed(module, name, detail=lambda arguments: ""):
    """Print the seconds of each call of a function that a module of the report uses."""
    function = getattr(module, name)

    def wrapper(*arguments, **keywords):
        start = time.perf_counter()
        value = function(*arguments, **keywords)
        print(f"{name} {detail(arguments)}".ljust(45), f"{time.perf_counter() - start:6.1f} s")
        return value

    setattr(module, name, wrapper)


def write_run(run_dir, n):
    """A run folder as `photoz train`, `predict` and `baseline` leave it; gives the obj_id of its galaxies."""
    rng = np.random.default_rng(1)
    z_spec = np.clip(rng.gamma(4.5, 0.024, n), 0.005, 0.39)
    columns = {"obj_id": np.arange(n), "z_spec": z_spec, "fold": np.arange(n) % N_FOLDS}
    columns |= {"ra": rng.uniform(110, 260, n), "dec": rng.uniform(-3, 60, n), "ebv": rng.gamma(2, 0.015, n)}
    columns["petro_r"] = 17.8 - rng.exponential(0.7, n)
    for name, sigma in (("predictions", 0.010), ("knn", 0.014)):
        pdf = gaussian_pdf(z_spec + rng.normal(0, sigma, n), sigma)
        member = {"pit_member": rng.random((n, N_MEMBERS)).astype(np.float32)} if name == "predictions" else {}
        table = predictions_table(columns | member, pdf, GRID, SDSS, "simulated", name, N_MEMBERS)
        write_predictions(table, run_dir / f"{name}.fits")
    save_config(load_config("photoz_simulated.yaml", PhotozConfig), run_dir / "config.yaml")
    per_fold = np.bincount(columns["fold"]).tolist()
    dataset = {"path": "none", "name": "benchmark", "origin": "simulated", "galaxies_per_fold": per_fold}
    (run_dir / "dataset.json").write_text(json.dumps(dataset))
    epoch = np.arange(1, N_EPOCHS + 1)
    names = "epoch,iterations,learning_rate,loss,validation_loss,validation_sigma_mad,seconds"
    history = np.stack([epoch, epoch, 1e-3 / epoch, 3 + 1 / epoch, 3.1 + 1 / epoch, 0.01 + 0.01 / epoch, epoch], axis=1)
    for fold in range(N_FOLDS):
        for number in range(N_MEMBERS):
            folder = run_dir / f"fold_{fold}" / f"member_{number}"
            folder.mkdir(parents=True)
            np.savetxt(folder / "history.csv", history, delimiter=",", header=names, comments="")
            (folder / "model.keras").touch()
    return columns["obj_id"]


def gaussian_pdf(centre, sigma):
    """Gaussians on the grid, shape (n, n_bins), a slice at a time to save memory."""
    pdf = np.empty((len(centre), GRID.n_bins), np.float32)
    for start in range(0, len(centre), 20_000):
        rows = slice(start, start + 20_000)
        weight = np.exp(-0.5 * ((GRID.midpoints - centre[rows, None]) / sigma) ** 2) + 1e-30
        pdf[rows] = weight / weight.sum(axis=1, keepdims=True)
    return pdf


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
