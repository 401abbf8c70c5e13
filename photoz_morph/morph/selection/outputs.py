"""The table of validation answers as the arrays that scores and temperatures are computed from.

`RUN/validation.fits` is a table of morph predictions with the columns of `ANSWERS` besides.
"""

import numpy as np

from photoz_morph.metrics.selection.scores import NetworkOutputs
from photoz_morph.morph.predictions import class_names, read_morph_predictions

FILE = "validation.fits"  # in a run folder
ANSWERS = {
    "latents_y10": "latents of every seed, shape (n, n_seeds, n_latent), seen with Y10 noise",
    "latents_y1": "likewise with Y1 noise",
    "partner": "row of the Y1 image that the Y1 image is mixed with",
    "probability_mixed": "of each seed and class, of the mixture, shape (n, n_seeds, n_classes)",
}


def read_answers(path):
    """Read and check `RUN/validation.fits`.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Table

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, or is no table of validation answers.
    """
    table = read_morph_predictions(path)
    missing = [name for name in ANSWERS if name not in table.colnames]
    if missing:
        raise ValueError(f"{path}: lacks column {', '.join(missing)}; remove it, and `morph select` makes it again")
    n, n_seeds = len(table), int(table.meta["n_seeds"])
    n_latent = table["latent_y10"].shape[1]
    expected = {name: (n, n_seeds, n_latent) for name in ("latents_y10", "latents_y1")}
    expected |= {"partner": (n,), "probability_mixed": (n, n_seeds, len(class_names(table)))}
    for name, shape in expected.items():
        if table[name].shape != shape:
            raise ValueError(f"{path}: {name} has shape {table[name].shape}, rows and seeds need {shape}; remove it")
    partner = np.asarray(table["partner"])
    if partner.dtype.kind not in "iu" or (partner < 0).any() or (partner >= n).any():
        raise ValueError(f"{path}: partner holds numbers that are no rows of {n}; remove it")
    return table


def network_outputs(table):
    """Outputs of each network on the validation galaxies, Y10 with labels as the source and Y1 without as the target.

    Parameters
    ----------
    table : Table
        From `read_answers`.

    Returns
    -------
    list of NetworkOutputs
        In the order of the seeds. The source leaves out galaxies without label.

    Raises
    ------
    ValueError
        If no galaxy has a label.
    """
    known = np.asarray(table["label"]) >= 0
    if not known.any():
        raise ValueError(f"none of {len(table)} validation galaxies has a label; build with labels")
    group = np.asarray(table["group_id"])
    return [
        NetworkOutputs(
            label=np.asarray(table["label"])[known],
            source_probability=np.asarray(table["probability_y10"], float)[known, seed],
            target_probability=np.asarray(table["probability_y1"], float)[:, seed],
            source_latent=np.asarray(table["latents_y10"], float)[known, seed],
            target_latent=np.asarray(table["latents_y1"], float)[:, seed],
            source_group=group[known],
            target_group=group,
            partner=np.asarray(table["partner"]),
            mixed_probability=np.asarray(table["probability_mixed"], float)[:, seed],
        )
        for seed in range(int(table.meta["n_seeds"]))
    ]
