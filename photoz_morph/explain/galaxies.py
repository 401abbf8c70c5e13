"""Galaxies explained by several methods, one file after the other, with their checks and the votes of an ensemble."""

import numpy as np
from astropy.table import Table
from tqdm import tqdm

from photoz_morph.explain.checks import chance_curves, checked_map
from photoz_morph.explain.files import is_stored, write_stored
from photoz_morph.explain.gradients import named
from photoz_morph.explain.occlusion.regions import whole_bands
from photoz_morph.explain.occlusion.shapley import exact_shapley
from photoz_morph.explain.sky import image_name

SHAPLEY = "shapley"


def explain_galaxies(folder, ids, inputs, filling, scores, methods, settings, bands, progress=True):
    """Explain galaxies by all methods, and share the target among the bands; what is in the folder is kept.

    Parameters
    ----------
    folder : path-like
    ids : Table
        Columns that name the galaxies in each file.
    inputs, filling : ndarray or dict of ndarray
        Of the network, and from `sky.baseline`. What the filling has beside the image is a player of its own.
    scores : sequence of Score
        Of the explained network, then of the other members of its ensemble.
    methods : dict of str to Method
    settings : Settings
    bands : sequence of str
    progress : bool
    """
    with tqdm(total=len(methods) + 1, desc="explain", unit=" methods", disable=not progress) as bar:
        if not is_stored(folder, SHAPLEY):
            _share_among_bands(folder, ids, inputs, filling, scores, bands)
        bar.update()
        chance = None
        for name, method in methods.items():
            bar.set_postfix_str(name)
            if not is_stored(folder, name):
                chance = chance or chance_curves(scores[0], inputs, filling, settings.seed)
                _explain_by(name, method, folder, ids, inputs, filling, scores, settings, chance)
            bar.update()


def _share_among_bands(folder, ids, inputs, filling, scores, bands):
    """Shapley values of the bands and scalar inputs, by each member."""
    image = image_name(named(inputs))
    scalars = tuple(name for name in named(filling) if name != image)
    players = whole_bands(np.shape(named(inputs)[image])[1:], scalars)
    values = np.stack([exact_shapley(score, inputs, filling, players) for score in scores], axis=1)
    table = Table(ids, copy=True)
    table["shapley"], table["shapley_members"] = values[:, 0], values
    table["shapley"].description = "part of the target of " + ", ".join((*bands, *scalars))
    table["shapley_members"].description = "the same by each member, the explained one first"
    table.meta["players"] = ",".join((*bands, *scalars))
    write_stored(folder, SHAPLEY, table, {})


def _explain_by(name, method, folder, ids, inputs, filling, scores, settings, chance):
    """Write the maps and checks of a method."""
    image = image_name(named(inputs))
    found = [method.explain(score, inputs, filling, settings) for score in (scores if method.votes else scores[:1])]
    checks, curves = checked_map(method, scores[0], inputs, filling, found[0], settings, chance, found[1:])
    table = Table(ids, copy=True)
    for check, values in checks.items():
        table[check] = values
    for scalar in (key for key in named(found[0]) if key != image):
        table[f"attribution_{scalar}"] = named(found[0])[scalar]
    for way, curve in curves.items():
        table[f"{way}_flux"], table[f"{way}_target"] = curve.flux, curve.values
    table.meta |= {"method": name, "title": method.title, "unit": method.unit, "n_member": len(found)}
    arrays = {"attribution": named(found[0])[image]}
    if len(found) > 1:
        maps = np.stack([named(one)[image] for one in found])
        arrays |= {"ensemble_mean": maps.mean(axis=0), "ensemble_scatter": maps.std(axis=0, ddof=1)}
    write_stored(folder, name, table, arrays)
