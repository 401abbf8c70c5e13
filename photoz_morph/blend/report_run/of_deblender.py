"""Report of a run that takes blends apart; see `of_any`."""

from pathlib import Path

import numpy as np

from photoz_morph.blend.config import BlendConfig
from photoz_morph.blend.dataset import open_run_dataset, read_scenes
from photoz_morph.blend.deblended import middle_source, read_deblended
from photoz_morph.blend.deblending_scores import evaluate_deblended, middle_detections
from photoz_morph.blend.predict import load_networks
from photoz_morph.blend.predict_galaxies import Deblender
from photoz_morph.blend.report.deblending_page import DeblendingResults, choose_blends, deblending_report
from photoz_morph.blend.report.results import sep_name
from photoz_morph.blend.report_run.files import BASELINE, check_dataset, configs_of, files_of, read_sep
from photoz_morph.runs.folder import read_run

FLUXES = "flux_error"  # metric of the sep beside deblenders


def report_deblender(run, against=(), baseline=None, out_dir=None, data_dir=None, progress=True):
    """Write the report of a run that takes blends apart, with what others, and `sep`, make of the same galaxies.

    Parameters and errors are those of `of_any.report_blend`.
    """
    run = Path(run)
    files = files_of([run, *map(Path, against)])
    found, note = read_sep(Path(baseline or BASELINE), is_needed=bool(baseline))
    builder = open_run_dataset(read_run(run, BlendConfig)[1], data_dir)
    tables = {name: read_deblended(path) for name, path in files.items()}
    if found:
        metric = FLUXES if FLUXES in found else next(iter(found))
        check_dataset(sep_name(metric), found[metric].table.meta, builder)
        scenes = list(read_scenes(builder, "test"))
        tables[sep_name(metric)] = middle_detections(found[metric], scenes)
    for name, table in tables.items():
        check_dataset(name, table.meta, builder)
    first = next(iter(tables))
    results = DeblendingResults(
        {name: evaluate_deblended(table) for name, table in tables.items()},
        _example_blends(run, builder, tables[first]),
        {name: dict(table.meta) for name, table in tables.items()},
        configs_of(files),
        note,
    )
    return deblending_report(results, out_dir or run / "report", progress)


def _example_blends(run, builder, table):
    """Chosen blends with their images, and what the networks of the run make of them."""
    chosen = choose_blends(table)
    wanted = {int(table["obj_id"][one["row"]]): one for one in chosen}
    split = table.meta.get("split", "test")
    images = {scene.obj_id: scene for scene in read_scenes(builder, split, True) if scene.obj_id in wanted}
    scenes = [images[obj_id] for obj_id in wanted]
    if not scenes:
        return []
    galaxies, samples = Deblender(load_networks(run))(np.stack([scene.image for scene in scenes]), list(wanted))
    examples = []
    for number, (one, scene) in enumerate(zip(chosen, scenes)):
        truth = scene.source_images[middle_source(scene.truth, len(scene.image))]
        examples.append({
            **one, "bands": scene.bands, "sigma": scene.sigma, "image": scene.image, "truth": truth,
            "galaxy": galaxies[number], "samples": None if samples is None else samples[number],
        })  # fmt: skip
    return examples
