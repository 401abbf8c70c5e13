"""Runs and exports of `blend` whose networks were not trained, without a dataset."""

import numpy as np

from photoz_morph.blend.config import BlendConfig
from photoz_morph.blend.experiment import new_network
from photoz_morph.blend.export.of_run import export_blend
from photoz_morph.config import load_config
from photoz_morph.models.loading import load_members
from photoz_morph.runs.folder import finished_members, member_dir, start_run
from tests.support.samples import BLEND_NETWORKS, BLEND_TINY, MAP_NETWORKS, MAP_TINY

SIZE = 32
FACTORS = {"heat": 4.0, "head": 4.0, "box_logits": 4.0, "combine3": 0.1}  # of the kernels of last layers
SMALLEST = ("model.depth=1",)  # compiles sooner
SKY_SIGMA = (3.0, 4.0, 5.0)
DATASET = {
    "path": "blend_data", "name": "lsst_pairs/1.0.0", "origin": "simulated", "images_per_split": [3, 2, 1],
    "fields": {"kind": "pairs", "size": SIZE, "zero_point": 31.4, "sky_sigma": "3.0,4.0,5.0", "years": 10.0},
    "content_hash": "0123456789abcdef",
    "images": {"survey": "lsst", "bands": "g,r,i", "pixel_scale": 0.2, "unit": "nJy"},
}  # fmt: skip
FIELDS = {
    **{key: DATASET[key] for key in ("path", "images_per_split", "content_hash")}, "name": "cosmology_fields/1.0.0",
    "origin": "simulated", "fields": {"size": SIZE, "parameters": "Omega_m,sigma_8"}, "images": {},
}  # fmt: skip
OF_FIELDS = {
    "field": {"offset": 0.1, "deviation": 0.8},
    "parameters": {"offset": 0.1, "deviation": 0.8, "centre": (0.3, 0.8), "scale": (0.1, 0.05)},
}  # fmt: skip


def untrained_map_run(folder, answer, n_members=2):
    """A run folder with networks of random weights for maps, a field or parameters."""
    config = load_config(MAP_NETWORKS[answer], BlendConfig, [*MAP_TINY, *SMALLEST])
    start_run(folder, config, DATASET if answer == "maps" else FIELDS, ["CPU"])
    for member in range(n_members):
        path = member_dir(folder, 0, member) / "model.keras"
        path.parent.mkdir(parents=True)
        light = {"quantiles": [[-10.0, 100.0]]} if answer == "maps" else {"of_fields": OF_FIELDS[answer]}
        new_network(config, seed=member, **light).save(path)
    return folder


def untrained_blend_run(folder, network, n_members=2):
    """A run folder with networks of random weights."""
    name, options = BLEND_NETWORKS[network]
    smallest = [*SMALLEST, *(["model.stride=2"] if network == "grid_detector" else [])]
    config = load_config(name, BlendConfig, [*BLEND_TINY, *options, *smallest])
    start_run(folder, config, DATASET, ["CPU"])
    for member in range(n_members):
        path = member_dir(folder, 0, member) / "model.keras"
        path.parent.mkdir(parents=True)
        made = new_network(config, 3, seed=member, quantiles=[[-10.0, 100.0]])
        _tame(made)
        made.save(path)
    return folder


def _tame(network):
    """Let scores of a fresh network differ by more than the rounding of a graph, and no sigma overflow."""
    for part in (network, *(getattr(network, name) for name in ("box_head", "combiner") if hasattr(network, name))):
        for layer in part.layers:
            if layer.name in FACTORS:
                layer.kernel.assign(FACTORS[layer.name] * layer.kernel)


def untrained_blend_export(folder, network, n_members=2, with_onnx=False):
    """Run folder and export of networks of random weights, both in a folder."""
    run = untrained_blend_run(folder / network, network, n_members)
    export_blend(run, folder / f"{network}_export", with_onnx)
    return run, folder / f"{network}_export"


def networks_of(run):
    """Networks of a run folder."""
    return load_members(finished_members(run, BlendConfig)[0])


def noisy_images(n, seed=0):
    """Images of noise and a bright source each."""
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(n, SIZE, SIZE, 3)) * SKY_SIGMA
    rows, columns = np.indices((SIZE, SIZE))
    for image in images:
        y, x = rng.uniform(8, SIZE - 8, 2)
        image += 300 * np.exp(-0.5 * ((rows - y) ** 2 + (columns - x) ** 2) / 4)[..., None]
    return images.astype(np.float32)
