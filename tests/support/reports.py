"""Predictions, stamps and results of toy runs, for tests of the reports."""

import json
from functools import lru_cache
from io import BytesIO

import numpy as np
from matplotlib.figure import Figure

from photoz_morph.config import load_config, save_config
from photoz_morph.morph.evaluation.comparison import compare_morph
from photoz_morph.morph.evaluation.scores import evaluate_morph
from photoz_morph.morph.report.latent_results import latent_results
from photoz_morph.morph.report.page import morph_report
from photoz_morph.morph.report.results import MorphResults
from photoz_morph.morph.robustness.latent_scores import latent_scores, measure_latents
from photoz_morph.photoz.config import PhotozConfig
from photoz_morph.photoz.predictions import predictions_table, write_predictions
from photoz_morph.photoz.report.page import write_report
from photoz_morph.photoz.report_run import current_results
from photoz_morph.redshift_grid import RedshiftGrid
from photoz_morph.surveys import SDSS
from tests.support import attacks
from tests.support.morph import toy_catalogue, toy_history, toy_images, toy_predictions

GRID = RedshiftGrid()
RESAMPLES = 100


@lru_cache
def blank_png():
    """Bytes of a figure without content, in place of drawn ones."""
    with BytesIO() as png:
        Figure(figsize=(1, 1)).savefig(png, format="png")
        return png.getvalue()


def predictions(sigma=0.01, n=400, origin="simulated", seed=0):
    """Photo-z predictions of galaxies in five folds, with Gaussian PDFs whose width is their scatter."""
    rng = np.random.default_rng(seed)
    z_spec = rng.uniform(0.05, 0.3, n)
    centre = z_spec + np.random.default_rng([seed, 1]).normal(0, sigma, n)
    pdf = np.exp(-0.5 * ((GRID.midpoints - centre[:, None]) / sigma) ** 2)
    columns = {"obj_id": np.arange(n), "ra": rng.uniform(0, 360, n), "dec": rng.uniform(-5, 60, n)}
    columns |= {"z_spec": z_spec, "fold": np.arange(n) % 5}
    return predictions_table(columns, pdf / pdf.sum(axis=1, keepdims=True), GRID, SDSS, origin, "toy")


def stamps(n=3):
    """A round source north-east of the centre, with the colours that `rgb` shows white."""
    y, x = np.mgrid[:64, :64]
    source = 5 * np.exp(-0.5 * ((x - 20) ** 2 + (y - 45) ** 2) / 4**2)
    return np.tile(source[None, :, :, None] / np.array([4, 2.5, 1.5, 1.0, 0.8]), (n, 1, 1, 1))


def scored_run(name, table, n_seeds=3, mmd=None):
    """A morphology run with scores and histories."""
    histories = [toy_history(mmd=mmd, seed=seed) for seed in range(n_seeds)]
    scores = evaluate_morph(table, RESAMPLES)
    return {"name": name, "config": f"task: morph  # {name}", "table": table, "scores": scores, "histories": histories}


def two_arms():
    """Results of two arms with everything but robustness."""
    tables = toy_predictions(n=300), toy_predictions(2.1, 1.4, n=300, seed=1, adaptation="mmd", config="morph_mmd")
    label = np.arange(15) % 3
    y10, y1 = toy_images(label)
    catalogue = toy_catalogue(900)
    return MorphResults(
        [scored_run("regular", tables[0]), scored_run("MMD", tables[1], mmd=0.5)],
        "simulated",
        compare_morph(*tables, n_bootstrap=RESAMPLES, names=["regular", "MMD"]),
        examples={"image_y10": y10, "image_y1": y1, "label": label},
        sample={name: catalogue[name] for name in ("gini", "m20", "label", "label_g", "intended_type")},
        reference={"gini": catalogue["gini"] - 0.02, "m20": catalogue["m20"], "name": "TNG100"},
    )


def toy_baselines(runs, **changes):
    """A baseline beside some runs, and its comparison with them."""
    meta = {"baseline": 53, "train_on": "Y10"}
    table = toy_predictions(n=len(runs[0]["table"]), seed=2, **({"meta": meta, "config": "boosting"} | changes))
    names = {run["name"]: ["boosting", run["name"]] for run in runs}
    comparisons = {run["name"]: compare_morph(table, run["table"], names[run["name"]], RESAMPLES) for run in runs}
    return {"boosting": {"scores": evaluate_morph(table, RESAMPLES), "comparisons": comparisons}}


def attacked_run(name, right, n=120, **changes):
    """A run with attacks, latents and perturbations."""
    table = toy_predictions(n=n, **changes)
    kernel, bias = attacks.head_of(table)
    attack = attacks.attack_on(table, kernel, bias)
    latent = latent_scores(measure_latents(table, kernel, bias, attack), 20)
    images = attacks.toy_images(attack)
    return {
        "name": name, "config": "task: morph", "table": table, "scores": evaluate_morph(table, 20),
        "histories": [toy_history(2)], "attacks": {"lattice_y10": (attack, images)}, "latent": latent,
        "perturbations": attacks.perturbed(right),
    }  # fmt: skip


def attacked_runs():
    """Two arms with attacks, latents and perturbations."""
    return [attacked_run("regular", (2, 4)),
            attacked_run("MMD", (4, 5), strength_y1=1.5, seed=1, adaptation="mmd")]  # fmt: skip


def results_of(runs, **more):
    """Results of runs whose latents are measured."""
    return MorphResults(runs, "simulated", latents=latent_results(runs), **more)


def photoz_predictions(n=300, sigma=0.01, origin="simulated", model="toy", n_flagged=0):
    """Photo-z predictions of galaxies in two folds, the first of them flagged."""
    rng = np.random.default_rng(0)
    z_spec = rng.uniform(0.05, 0.3, n)
    centre = z_spec + np.random.default_rng(1).normal(0, sigma, n)
    pdf = np.exp(-0.5 * ((GRID.midpoints - centre[:, None]) / sigma) ** 2)
    pdf /= pdf.sum(axis=1, keepdims=True)
    pdf[:n_flagged] = np.nan
    columns = {"obj_id": np.arange(n), "z_spec": z_spec, "fold": np.arange(n) % 2, "petro_r": rng.uniform(15, 17.8, n)}
    columns |= {"ra": rng.uniform(0, 360, n), "dec": rng.uniform(-5, 60, n), "ebv": rng.uniform(0, 0.1, n)}
    return predictions_table(columns, pdf, GRID, SDSS, origin, model)


def photoz_run(folder, table):
    """Write what a report reads of a run folder with two folds of one member."""
    folder.mkdir()
    save_config(load_config("photoz_simulated.yaml", PhotozConfig), folder / "config.yaml")
    dataset = {"path": "/nowhere", "name": "sdss_ugriz/1.0.0", "origin": "simulated", "galaxies_per_fold": [9] * 5}
    (folder / "dataset.json").write_text(json.dumps(dataset))
    (folder / "environment.json").write_text(json.dumps({"python": "3.11", "devices": ["/device:CPU:0"]}))
    for fold in range(2):
        member = folder / f"fold_{fold}" / "member_0"
        member.mkdir(parents=True)
        (member / "model.keras").touch()
        names = "epoch,iterations,learning_rate,loss,validation_loss,validation_sigma_mad,seconds"
        (member / "history.csv").write_text(f"{names}\n1,10,1e-3,4,4.1,0.03,30\n2,20,1e-4,3.5,3.6,0.02,30\n")
    write_predictions(table, folder / "predictions.fits")
    return folder


def report_text(run, trials=(), **options):
    """HTML of the report of a photo-z run folder."""
    return write_report(current_results(run, trials), progress=False, **options).read_text()


def morph_report_text(runs, folder, **more):
    """HTML of the report of morphology runs; arguments as for `results_of`."""
    return morph_report(results_of(runs, **more), folder, progress=False).read_text()
