"""What the layers of a network respond to: kernels by band, the strongest patches, maps, made images, latent space.

One file of arrays for each, beside the maps of `galaxies`; see docs/formats.md.
"""

import numpy as np
from astropy.table import Table
from tqdm import tqdm

from photoz_morph.explain.files import is_stored, write_stored
from photoz_morph.explain.gradients import named
from photoz_morph.explain.latent_space.neighbours import similar_galaxies
from photoz_morph.explain.latent_space.planes import plane
from photoz_morph.explain.patterns.dream import dream
from photoz_morph.explain.patterns.kernels import band_kernels, first_kernels
from photoz_morph.explain.patterns.layer_outputs import feature_maps
from photoz_morph.explain.patterns.maximise import maximise
from photoz_morph.explain.patterns.regularisers import sky_noise
from photoz_morph.explain.patterns.strongest import patches, projections, strongest_units
from photoz_morph.explain.sky import image_name, measure_sky

KERNELS, STRONGEST, MAPS, RAISED, LATENT = "kernels", "strongest", "feature_maps", "raised", "latent"
N_FILTERS, N_PATCHES, N_GALAXIES = 8, 9, 4  # shown of a layer, of a filter, and of galaxies that are changed
N_STEPS, STEP, BLUR, JITTER, LIMIT = 60, 0.3, 0.7, 1, 8.0  # of the images that are made; steps and limit in sigma
PENALTY = 1e-3  # of a change of a sigma in a pixel, in units of the standard deviation of the target
N_ALIKE, N_ON_MAP = 8, 500


def has_convolutions(network):
    """Whether there are filters of pixels to examine."""
    try:
        first_kernels(network)
    except ValueError:
        return False
    return True


def examine(folder, ids, inputs, filling, seen, facts, latents, score, layer, seed=0, progress=True):
    """Examine a network; what is in the folder is kept.

    Parameters
    ----------
    folder : path-like
    ids : Table
        Columns that name the explained galaxies, with what else is known of them.
    inputs, filling : dict of ndarray
        Of the explained galaxies, and from `sky.baseline`.
    seen : dict of ndarray
        Inputs of the many galaxies among which patches are looked for.
    facts : Table
        What is known of these, a row each.
    latents : ndarray, shape (n_seen, n_latent)
        Of these.
    score : Score
        Of a Keras model.
    layer : str
        Whose filters are shown.
    seed : int
    progress : bool
    """
    steps = {
        KERNELS: lambda: _kernels(filling, inputs, score.network),
        STRONGEST: lambda: _strongest(seen, score.network, layer),
        MAPS: lambda: ({"layer": layer}, {"maps": feature_maps(score.network, layer, _first(inputs, 1))}),
        RAISED: lambda: _raised(inputs, seen, score, layer, seed),
    }
    with tqdm(total=len(steps) + 1, desc="examine", unit=" parts", disable=not progress) as bar:
        for name, make in steps.items():
            if not is_stored(folder, name):
                meta, arrays = make()
                table = Table(ids[:1], copy=True)
                table.meta |= meta
                write_stored(folder, name, table, arrays)
            bar.update()
        if not is_stored(folder, LATENT):
            _map_latents(folder, seen[image_name(seen)], facts, latents, seed)
        bar.update()


def _first(inputs, n):
    return {name: values[:n] for name, values in inputs.items()}


def _kernels(filling, inputs, network):
    """Kernels of the first convolution as they act on a sigma of light in each band of an empty sky."""
    image = image_name(inputs)
    layer = next(iter(first_kernels(network)))
    sky = {**_first(inputs, 1), image: named(filling)[image][:1]}
    sigma = measure_sky(sky[image])[1][0]
    return {"layer": layer}, {"kernels": np.nan_to_num(band_kernels(network, layer, sky, sigma))}


def _strongest(seen, network, layer):
    """The strongest patches of the filters that vary most, and what in them excites the filters."""
    outputs = feature_maps(network, layer, _first(seen, 64))
    chosen = np.sort(np.argsort(-outputs.std(axis=tuple(range(outputs.ndim - 1))))[:N_FILTERS])
    found = strongest_units(network, layer, [seen], chosen, N_PATCHES)
    return {"layer": layer}, {
        "filters": chosen.astype(np.int32), "values": found.values, "galaxies": found.galaxies.astype(np.int32),
        "patches": patches(network, found), "projections": projections(network, found),
    }  # fmt: skip


def _raised(inputs, seen, score, layer, seed):
    """Galaxies and empty skies changed until the target is as large as the penalty allows, and a dream."""
    image = image_name(inputs)
    start = _first(inputs, N_GALAXIES)
    sigma = np.median(measure_sky(seen[image][:64])[1], axis=0)
    weight = PENALTY * (float(np.std(score(inputs))) or 1.0)
    options = {"weight": weight, "n_steps": N_STEPS, "step": STEP, "jitter": JITTER, "blur_sigma": BLUR, "seed": seed,
               "limit": LIMIT, "image": image}  # fmt: skip
    higher = maximise(score.network, score.target, start, sigma, **options)
    lower = maximise(score.network, lambda *given: -score.target(*given), start, sigma, **options)
    noise = sky_noise(np.shape(start[image])[1:3], sigma, np.arange(len(start[image])), seed)
    made = maximise(score.network, score.target, {**start, image: noise}, sigma, **options | {"from_start": False})
    dreamt = dream(score.network, layer, start, sigma, n_steps=8, seed=seed, image=image)
    return {"layer": layer}, {
        "higher": higher.images, "higher_change": higher.change, "lower": lower.images, "lower_change": lower.change,
        "from_noise": made.images, "from_noise_change": made.change,
        "dream": dreamt.images, "dream_detail": dreamt.detail,
        "target": np.stack([higher.before, higher.after, -lower.after, made.before, made.after], axis=1),
        "sky_sigma": sigma,
    }  # fmt: skip


def _map_latents(folder, images, facts, latents, seed):
    """Places of galaxies on a plane, those most like each, and the middle of their stamps."""
    found = plane(latents, n_galaxies=N_ON_MAP, seed=seed)
    alike = similar_galaxies(latents[found.rows], min(N_ALIKE, len(found.rows) - 1))
    table = facts[found.rows]
    table["position"], table["alike"] = found.positions, alike.rows.astype(np.int32)
    table.meta |= {"method": found.method, "trust": found.trust}
    rows, columns = (slice(side // 4, side - side // 4) for side in images.shape[1:3])
    write_stored(folder, LATENT, table, {"image": images[found.rows][:, rows, columns]})
