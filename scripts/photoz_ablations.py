"""One change at a time in configs/photoz_best.yaml: what it does to the scores and what it costs.

    python scripts/photoz_ablations.py --data-dir photoz_data --out ablations --set train.epochs=12 [NAME ...]

Trains three networks (seeds) for each change on the first fold, two changes at once, and scores each network on the
test galaxies. Differences from the config without a change are paired: the same parents are resampled for both, and of
each the seeds, so that an error holds what three seeds scatter by. Times are processor seconds, all cores added up.
Prints the Markdown table of docs/ablations.md and draws its figure. What is trained is kept: run again, it goes on.
NAMEs choose some of the changes.
"""

import json
import os
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import click
import matplotlib.pyplot as plt
import numpy as np

from photoz_morph.metrics.bootstrap import bootstrap_scores
from photoz_morph.metrics.redshifts.point_scores import SCORES, galaxy_scores
from photoz_morph.report.style import BLACK, GREEN, GREY, LIGHT_GREY, ORANGE, save_figure, write_text
from photoz_morph.system.files import write_whole
from photoz_morph.training.quiet import quiet_tensorflow

PHOTOZ = str(Path(sysconfig.get_path("scripts")) / "photoz")
SEEDS, RESAMPLES, AT_ONCE = 3, 400, 2
PIXELS = ["model.photometric_inputs=false", "model.apertures=circular", "model.photometric_layers=0"]
REFERENCE = "photoz_best.yaml"
CHANGES = {
    REFERENCE: [],
    # what the network is given
    "no PSF FWHM": ["model.observing=[n_frames]"],
    "no observing conditions": ["model.observing=[]"],
    "sky noise too": ["model.observing=[psf_fwhm, n_frames, sky_sigma]"],
    "no E(B-V)": ["model.with_ebv=false"],
    "circular apertures": ["model.apertures=circular"],
    "no apertures, raw pixels": PIXELS,
    "raw pixels on an asinh scale": [*PIXELS, "model.compression=asinh"],
    "no convolutions": ["model.blocks=[]", "model.pool_after=[]"],
    # the network
    "no layers of the photometry": ["model.photometric_layers=0"],
    "band subsets ug, gr, ri, iz": ["model.band_subsets=[[u, g], [g, r], [r, i], [i, z]]"],
    "max pooling": ["model.pooling=max"],
    "PReLU convolutions": ["model.activation=prelu"],
    "batch norm": ["model.batch_norm=true"],
    "ReLU dense layers": ["model.dense_activation=relu"],
    "no dropout": ["model.dropout=0"],
    "dense layers of 256": ["model.dense_units=256"],
    # how it learns
    "one-hot target": ["train.label_sigma=0"],
    "CRPS": ["train.loss=crps"],
    "no weight decay": ["train.weight_decay=0"],
    "one-cycle schedule": ["train.schedule=one_cycle", "train.warmup_iterations=0"],
    "average of the weights": ["train.ema_momentum=0.99"],
    "second head": ["train.auxiliary_weight=0.1"],
    "extinction": ["data.extra_ebv=0.05"],
    "shifts": ["data.shift=0.5"],
    "any rotation": ["data.rotation=any"],
    "2.5 times the epochs": ["train.epochs=*2.5"],
    "pre-trained": ["train.initial_weights=PRETRAINED"],
    "distilled": [],
}


@click.command(help=__doc__)
@click.argument("names", nargs=-1)
@click.option("--data-dir", required=True, type=click.Path(exists=True))
@click.option("--out", required=True, type=click.Path(path_type=Path))
@click.option("--set", "overrides", multiple=True, help="Override a config key in all runs.")
@click.option("--unlabelled", type=click.Path(exists=True), help="Dataset to pre-train on, instead of DATA_DIR.")
def main(names, data_dir, out, overrides, unlabelled):
    for name in names:
        if name not in CHANGES:
            raise click.BadParameter(f"{name!r} is none of {', '.join(map(repr, CHANGES))}", param_hint="NAME")
    quiet_tensorflow()
    out.mkdir(parents=True, exist_ok=True)
    names = [REFERENCE, *(name for name in names or CHANGES if name != REFERENCE)]
    last = [name for name in names if name == "distilled"]  # from the networks without a change
    for group in ([name for name in names if name not in last], last):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda name: trained(name, data_dir, out, overrides, unlabelled), group))
    found = {name: scored(name, data_dir, out) for name in names}
    rows = compared(found)
    text = table(rows, found)
    write_text(text, out / "ablations.md")
    write_text(json.dumps(rows, indent=1), out / "ablations.json")
    draw(rows, out / "ablations.png")
    print(text)


def folder(name, out):
    """Run folder of a change."""
    return out / "".join(c if c.isalnum() else "_" for c in name)


def trained(name, data_dir, out, overrides, unlabelled):
    """Train the networks of a change where they are missing, and keep the processor seconds."""
    run, kept = folder(name, out), folder(name, out).with_suffix(".json")
    if kept.is_file():
        return
    changed = []
    for change in [*overrides, *CHANGES[name]]:
        key, value = change.split("=", 1)
        if value.startswith("*"):
            usual = next(int(text.split("=")[1]) for text in overrides if text.startswith("train.epochs="))
            value = round(float(value[1:]) * usual)
        if value == "PRETRAINED":
            value = out / "pretrained"
        changed += ["--set", f"{key}={value}"]
    where, seconds = ["--data-dir", data_dir, "--jobs", "1", "-q"], {}
    if name == "pre-trained":
        options = ["--set", "data.train_fraction=0.8", "--set", "pretrain.redshift=0", "--set", "train.epochs=4"]
        command = ["pretrain", REFERENCE, "--cv", "1", "--out", out / "pretrained", "--jobs", "1", "-q", *options]
        seconds["pretraining"] = run_command([*command, "--data-dir", unlabelled or data_dir])
    if name == "distilled":
        runs = [run.with_name(f"{run.name}_{seed}") for seed in range(SEEDS)]
        seconds["training"] = sum(
            run_command(["distill", folder(REFERENCE, out), "--out", each, "--seed", str(seed), *where])
            for seed, each in enumerate(runs, start=1)
        )
    else:
        runs, command = [run], ["train", REFERENCE, "--ensemble", str(SEEDS), "--cv", "1", "--run-dir", run]
        seconds["training"] = run_command([*command, *changed, *where])
    write_text(json.dumps({"runs": [str(each) for each in runs], "seconds": seconds}), kept)


def run_command(command):
    """Processor seconds of a `photoz` command, its processes included."""
    process = subprocess.Popen([PHOTOZ, *map(str, command)])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"photoz {' '.join(map(str, command))} failed")
    return usage.ru_utime + usage.ru_stime


def scored(name, data_dir, out):
    """Quantities per galaxy of each network of a change, a list of dict, with the galaxies' parents and the time."""
    kept, path = json.loads(folder(name, out).with_suffix(".json").read_text()), folder(name, out).with_suffix(".npz")
    if not path.is_file():
        with write_whole(path, keep_suffix=True) as unfinished:
            np.savez(unfinished, **predicted(kept["runs"], data_dir))
    galaxies = dict(np.load(path))
    group_id = galaxies.pop("group_id")
    networks = [{quantity: values[k] for quantity, values in galaxies.items()} for k in range(SEEDS)]
    return {"networks": networks, "group_id": group_id, "seconds": kept["seconds"]}


def predicted(runs, data_dir):
    """Residual, CRPS and negative log likelihood of the test galaxies in each network of some runs, (SEEDS, n)."""
    from photoz_morph.datasets.reading import open_dataset, read_columns
    from photoz_morph.models.loading import BATCH_SIZE, load_members
    from photoz_morph.photoz.calibration.networks import member_function
    from photoz_morph.photoz.config import PhotozConfig
    from photoz_morph.photoz.dataset import image_batches
    from photoz_morph.runs.folder import finished_members, read_run

    builder = open_dataset(data_dir)
    columns = read_columns(builder, "fold_0")
    z_spec, found = columns["z_spec"], []
    for run in runs:
        config, _ = read_run(run, PhotozConfig)
        predict = member_function(load_members(finished_members(run, PhotozConfig)[0]))
        batches = image_batches(builder, "fold_0", BATCH_SIZE, observing=config.model.observing)
        for parts in zip(*([pdf.numpy() for pdf in predict(batch)[0]] for batch in batches)):
            pdf, grid = np.concatenate(parts), config.redshift
            scores = galaxy_scores(z_spec, pdf, grid)
            bins = grid.bin_index(z_spec)
            surprise = -np.log(pdf[np.arange(len(pdf)), bins])
            found.append({"residual": scores["residual"], "crps": scores["crps"], "surprise": surprise})
    return {key: np.stack([each[key] for each in found]) for key in found[0]} | {"group_id": columns["group_id"]}


# name: (quantity, statistic, label, unit of the differences)
SHOWN = {
    "sigma_mad": (*SCORES["sigma_mad"], "sigma_MAD", 1e-5),
    "crps": (*SCORES["crps"], "CRPS", 1e-5),
    "surprise": ("surprise", lambda values: values.mean(axis=-1), "-ln p(z_spec)", 1e-3),
}


def compared(found):
    """For each change and score: (mean over the networks, its error, difference from the reference, its error)."""
    means, resampled, rows = {}, {}, {}
    for number, (name, each) in enumerate(found.items()):
        functions = {score: shown[:2] for score, shown in SHOWN.items()}
        of_networks = [
            bootstrap_scores(functions, network, RESAMPLES, group_id=each["group_id"]) for network in each["networks"]
        ]
        drawn = np.random.default_rng(number).integers(0, SEEDS, (SEEDS, RESAMPLES))
        for score, (quantity, statistic, *_) in SHOWN.items():
            samples = np.stack([one[score] for one in of_networks])
            resampled[name, score] = np.mean([samples[k, range(RESAMPLES)] for k in drawn], axis=0)
            means[name, score] = np.mean([statistic(one[quantity][None])[0] for one in each["networks"]])
    for name in found:
        rows[name] = {}
        for score in SHOWN:
            own, usual = resampled[name, score], resampled[REFERENCE, score]
            mean = means[name, score]
            difference = mean - means[REFERENCE, score]
            rows[name][score] = tuple(map(float, (mean, np.std(own), difference, np.std(own - usual))))
    return rows


def table(rows, found):
    """Markdown; differences beyond three of their errors are bold."""
    units = [f"{label}, difference [{unit:g}]".replace("e-0", "e-") for _, _, label, unit in SHOWN.values()]
    lines = [f"| change | sigma_MAD | {' | '.join(units)} | time |", "|---" * (len(SHOWN) + 3) + "|"]
    usual = found[REFERENCE]["seconds"]["training"]
    for name, scores in rows.items():
        cells = [name, "{:.5f} ± {:.5f}".format(*scores["sigma_mad"][:2])]
        for score, (_, _, _, unit) in SHOWN.items():
            difference, error = (value / unit for value in scores[score][2:])
            text = f"{difference:+.1f} ± {error:.1f}"
            cells.append("" if name == REFERENCE else f"**{text}**" if abs(difference) > 3 * error else text)
        time = sum(found[name]["seconds"].values()) / usual
        lines.append(f"| {' | '.join(cells)} | {'' if np.isnan(time) else f'{time:.2f}'} |")
    return "\n".join(lines) + "\n"


def draw(rows, path):
    """Differences from the reference, one panel a score, as a forest plot."""
    names = [name for name in rows if name != REFERENCE]
    shown = ("sigma_mad", "surprise")
    figure, panels = plt.subplots(1, len(shown), figsize=(9, 0.27 * len(names) + 1), sharey=True, layout="constrained")
    places = np.arange(len(names))[::-1]
    for panel, score in zip(panels, shown):
        difference, error = np.array([rows[name][score][2:] for name in names]).T
        colours = np.where(difference > 3 * error, ORANGE, np.where(difference < -3 * error, GREEN, GREY))
        panel.axvline(0, color=BLACK, lw=0.8)
        for place, value, width, colour in zip(places, difference, error, colours):
            panel.errorbar(value, place, xerr=width, fmt="o", color=colour, ms=4)
        panel.set_xscale("symlog", linthresh=4 * np.median(error))
        panel.set_xlabel(f"{SHOWN[score][2]}: difference from {REFERENCE}\n(left: better)")
        panel.grid(axis="y", color=LIGHT_GREY, lw=0.5)
    panels[0].set_yticks(places, names, fontsize=8)
    save_figure(figure, path)


if __name__ == "__main__":
    main()
