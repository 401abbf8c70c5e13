"""Sections of a gallery on the network itself: its filters, images made for it, and its latent space."""

from functools import partial

import numpy as np

from photoz_morph.report.explanations.filters import (
    feature_map_panels,
    kernel_panels,
    made_panels,
    strongest_panels,
)
from photoz_morph.report.galaxy_map import galaxy_map
from photoz_morph.report.page import Entry

FILTERS, MADE, LATENT = "What its filters see", "Images made for the network", "Galaxies that look alike to the network"


def anatomy_entries(stored, images, bands, colour_of, unit, colours, describe):
    """All sections on the network.

    Parameters
    ----------
    stored : dict of str to explain.files.Stored
        Files `kernels`, `strongest`, `feature_maps`, `raised` and `latent`.
    images : ndarray, shape (n, rows, columns, n_bands)
        Explained galaxies.
    bands : sequence of str
    colour_of : callable
        Images, shape (n, rows, columns, n_bands), to colours between 0 and 1.
    unit : str
        What the target is.
    colours : sequence of str
        Columns of `latent` by which its map can be coloured.
    describe : callable
        Row of `latent` to what is said of a galaxy.

    Returns
    -------
    list of Entry
    """
    arrays = {name: found.arrays for name, found in stored.items()}
    layers = stored["kernels"].table.meta["layer"], stored["strongest"].table.meta["layer"]
    entries = filter_entries(
        arrays["kernels"], arrays["strongest"], arrays["feature_maps"], bands, colour_of, layers
    )
    entries += made_entries(arrays["raised"], images, colour_of, unit, layers[1])
    table = stored["latent"].table
    places = {"positions": np.asarray(table["position"]), "alike": np.asarray(table["alike"])}
    shades = {name: np.asarray(table[name]) for name in colours if name in table.colnames}
    return entries + latent_entries(
        places, arrays["latent"]["image"], shades, [describe(row) for row in table], colour_of,
        table.meta["method"], float(table.meta["trust"]),
    )  # fmt: skip


def filter_entries(kernels, strongest, maps, bands, colour_of, layers):
    """Entries on kernels, strongest patches and feature maps.

    Parameters
    ----------
    kernels, strongest, maps : dict of ndarray
        Arrays of these names in the folder.
    bands : sequence of str
    colour_of : callable
        Images, shape (n, rows, columns, n_bands), to colours between 0 and 1.
    layers : (str, str)
        Of the kernels, and of the patches and maps.

    Returns
    -------
    list of Entry
    """
    patches = strongest["patches"]
    n, k, *shape = patches.shape
    known = np.isfinite(patches).all(axis=-1)
    colours = colour_of(np.nan_to_num(patches.reshape(n * k, *shape))).reshape(n, k, *shape[:2], 3)
    colours = np.where(known[..., None], colours, np.nan)
    first, layer = layers
    drawn = [
        ("kernels", f"Kernels of {first}, the first layer of convolutions: what one sigma of light in a pixel of each "
         "band adds to a filter (red more, blue less), each filter on its own scale; the strongest 16.",
         partial(kernel_panels, kernels["kernels"], bands, f"layer {first}")),
        ("strongest", f"The nine patches of the test galaxies that excite a filter of {layer} most (Zeiler & Fergus "
         "2014), and below them the deconvnet projection of the filter, mean over the bands.",
         partial(strongest_panels, colours, strongest["projections"], strongest["filters"].tolist(), f"layer {layer}")),
        ("feature_maps", f"Maps of {layer} for the first galaxy of this page, those that vary most.",
         partial(feature_map_panels, maps["maps"][0], f"layer {layer}")),
    ]  # fmt: skip
    return [Entry(FILTERS, name, caption, draw) for name, caption, draw in drawn]


def made_entries(raised, images, colour_of, unit, layer):
    """Entries on images that raise or lower the target, and on a dream.

    Parameters
    ----------
    raised : dict of ndarray
        Arrays of that name in the folder.
    images : ndarray, shape (n, rows, columns, n_bands)
        The galaxies from which they start, at least as many.
    colour_of : callable
        As for `filter_entries`.
    unit : str
        What the target is.
    layer : str
        Of the dream.

    Returns
    -------
    list of Entry
    """
    n, targets = len(raised["higher"]), raised["target"]
    rows = {
        "galaxy": _captioned(colour_of(images[:n]), targets[:, 0]),
        "higher": _captioned(colour_of(raised["higher"]), targets[:, 1]),
        "change, all bands": _captioned(raised["higher_change"].sum(axis=-1)),
        "lower": _captioned(colour_of(raised["lower"]), targets[:, 2]),
        "change, all bands ": _captioned(raised["lower_change"].sum(axis=-1)),
        "from noise": _captioned(raised["from_noise_change"].sum(axis=-1), targets[:, 4]),
        "dream less galaxy": _captioned(raised["dream_detail"].sum(axis=-1)),
    }
    bands = raised["higher_change"].mean(axis=(0, 1, 2)), raised["lower_change"].mean(axis=(0, 1, 2))
    caption = (
        f"Galaxies changed until the target ({unit}, below each image) is as high, or as low, as a penalty on the "
        "change allows, no pixel by more than 8 sigma of the sky; images made from noise alone; and the dream of "
        f"{layer}, whose outputs are made large. Mean change by band [sigma]: higher "
        f"{', '.join(f'{value:+.3f}' for value in bands[0])}; lower {', '.join(f'{value:+.3f}' for value in bands[1])}."
    )
    draw = partial(made_panels, rows, [f"galaxy {number + 1}" for number in range(n)], unit)
    return [Entry(MADE, "made", caption, draw)]


def _captioned(images, values=None):
    """Images with the target below each."""
    return [(image, "" if values is None else f"{values[number]:.3g}") for number, image in enumerate(images)]


def latent_entries(latent, images, colours, texts, colour_of, method, trust):
    """Entries on the latent space: a map that can be explored.

    Parameters
    ----------
    latent : dict of ndarray
        `positions` and `alike` of the galaxies.
    images : ndarray, shape (n, rows, columns, n_bands)
        Of the same galaxies.
    colours : dict of str to array_like, shape (n,)
    texts : sequence of str
    colour_of : callable
    method : str
    trust : float
        See `explain.latent_space.isomap.trust`.

    Returns
    -------
    list of Entry
    """
    caption = (
        f"{len(images)} test galaxies on the plane of {method} that keeps the neighbours of the network's latent "
        f"space best (trustworthiness {trust:.2f}). Point at a galaxy for its image and numbers; a click shows those "
        "most like it."
    )
    piece = galaxy_map("latent", latent["positions"], colour_of(images), colours, texts, latent["alike"])
    return [Entry(LATENT, caption=caption), Entry(LATENT, html=piece)]
