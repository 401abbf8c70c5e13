"""Exported networks on images of any size: a finder, and a deblender, for `blend.infer`."""

import warnings
from dataclasses import dataclass

import numpy as np

from photoz_morph.blend.baselines.stamps import cut_stamps
from photoz_morph.blend.export.tiles import Tiling, joined_sources
from photoz_morph.blend.scenes.scene import sigma_map

N_SAMPLES = 39  # of each galaxy; our choice
SAME_SCALE = 0.01  # relative difference of pixel scales that is none
SAME_DEPTH = 1.5  # factor between levels of noise up to which nothing is remarked; our choice


@dataclass(frozen=True)
class NetworkFinder:
    """Sources by an exported ensemble.

    Attributes
    ----------
    model : ExportedBlendModel
    min_score : float, optional
        Sources of a lower score are left out; by default those that can own no pixel.
    """

    model: object
    min_score: float | None = None

    @property
    def facts(self):
        """What a catalogue says of how it was made."""
        description = self.model.description
        return {"model": description["model"], "model_id": self.model.model_id, "networks": description["n_members"],
                "minscore": self._min_score}  # fmt: skip

    @property
    def _min_score(self):
        return self.model.map_score if self.min_score is None else self.min_score

    def check(self, sky, name):
        """Raise a ValueError unless the model knows such images; see `check_scene`."""
        check_scene(self.model, sky, name)

    def __call__(self, scene):
        """Table of the sources of a scene, its sky subtracted, and the map of their pixels.

        They are found in the bands of the model and measured in all.
        """
        used = [scene.bands.index(band) for band in self.model.bands]
        is_good = np.isfinite(scene.image) & np.isfinite(sigma_map(scene.sigma, scene.image.shape))
        light = np.where(is_good, scene.image, np.float32(0))
        tiling = Tiling(scene.image.shape[:2], self.model.size)
        parts = []
        for low in range(0, len(tiling.origins), 8):  # few at once, so that images of all bands need no memory
            numbers = range(low, min(low + 8, len(tiling.origins)))
            tiles = np.stack([tiling.cut(light, number) for number in numbers])
            parts += self.model.find(tiles[..., used], tiles, scene.name)
        sources, segmentation = joined_sources(tiling, parts, self._min_score)
        sources["kind"] = np.asarray(sources["probability"]).argmax(axis=1).astype(np.int16)
        return sources, segmentation


@dataclass(frozen=True)
class NetworkDeblender:
    """Galaxies without their neighbours, by an exported ensemble.

    Attributes
    ----------
    model : ExportedBlendModel
    """

    model: object

    @property
    def facts(self):
        """What a catalogue says of how it was made."""
        return {"deblend": self.model.description["model"], "deb_id": self.model.model_id}

    @property
    def bands(self):
        """Bands of the galaxies."""
        return self.model.bands

    def check(self, sky, name):
        """Raise a ValueError unless the model knows such images; see `check_scene`."""
        check_scene(self.model, sky, name)

    def __call__(self, scene, sources):
        """Galaxies of the sources of a scene, its sky subtracted.

        Parameters
        ----------
        scene : Scene
        sources : Table
            With `y` and `x` [pixel].

        Returns
        -------
        galaxies : ndarray, shape (n, size, size, n_bands)
            Noise-free, each within half a pixel of the middle, in the bands of the model; NaN where the image does not
            hold the whole stamp.
        columns : dict of str to ndarray, shape (n, n_bands)
            `flux_deblended`, and of networks that draw samples their standard deviation, `flux_deblended_error`.
        """
        model, size = self.model, self.model.size
        used = [scene.bands.index(band) for band in model.bands]
        image, sigma = scene.image[..., used], sigma_map(scene.sigma, scene.image.shape)[..., used]
        image = np.where(np.isfinite(sigma), image, np.nan)
        shift = 0.5 if size % 2 == 0 else 0.0  # see `baselines.stamps.replaced_stamps`
        places = [np.clip(np.asarray(sources[axis], float) + shift, 0, n - 1) for axis, n in zip("yx", image.shape)]
        stamps = cut_stamps(image.astype(np.float32), *places, size, fill=np.nan)
        is_whole = np.isfinite(stamps).all(axis=(1, 2, 3))
        galaxies = np.full(stamps.shape, np.nan, np.float32)
        columns = {"flux_deblended": np.full((len(stamps), len(used)), np.nan)}
        if model.n_latent:
            columns["flux_deblended_error"] = columns["flux_deblended"].copy()
        rows = np.flatnonzero(is_whole)
        for low in range(0, len(rows), 64):  # the samples of few galaxies at once
            part = rows[low : low + 64]
            galaxies[part], samples = model.deblend(stamps[part], part, N_SAMPLES, scene.name)
            if samples is not None:
                fluxes = samples.sum(axis=(2, 3), dtype=float)
                columns["flux_deblended_error"][part] = fluxes.std(axis=1, ddof=1)
        columns["flux_deblended"][rows] = galaxies[rows].sum(axis=(1, 2), dtype=float)
        return galaxies, columns


def check_scene(model, sky, name):
    """Refuse images that are not like those a model was trained on.

    Parameters
    ----------
    model : ExportedBlendModel
    sky : SkyScene
    name : str
        Of the scene, for errors.

    Raises
    ------
    ValueError
        If the images lack a band of the model, or their pixel scale or unit is another or unknown.

    Warns
    -----
    UserWarning
        If they are much deeper or shallower.
    """
    folder, unit, scale = model.folder, model.description["image_unit"], model.description["pixel_scale_arcsec"]
    bands = sky.scene.bands
    if not set(model.bands) <= set(bands):
        remedy = "name those of a FITS image with --bands" if sky.survey is None else "give frames in all of them"
        raise ValueError(f"{name}: has bands {','.join(bands)}, {folder} needs {','.join(model.bands)}; {remedy}")
    if sky.unit != unit:
        found = f"pixels are in {sky.unit}" if sky.unit else "says no unit of its pixels"
        raise ValueError(
            f"{name}: {found}, {folder} takes {unit}; convert the image and write BUNIT = '{unit}' in its header, or "
            "give a model trained on such images"
        )
    if sky.pixel_scale is None or abs(sky.pixel_scale / scale - 1) > SAME_SCALE:
        found = f"pixels have {sky.pixel_scale:.4g} arcsec" if sky.pixel_scale else "says no size of its pixels"
        raise ValueError(
            f"{name}: {found}, those of {folder} {scale:g}; "
            + ("resample it, or give a model trained on such pixels" if sky.pixel_scale
               else "write a WCS, or PIXSCALE [arcsec], in its header")
        )  # fmt: skip
    noise = np.array([_typical(sky.scene, band) for band in model.bands]) / model.sigma
    if noise.max() > SAME_DEPTH or noise.min() < 1 / SAME_DEPTH:
        factors = ", ".join(f"{factor:.2g} in {band}" for factor, band in zip(noise, model.bands))
        warnings.warn(
            f"{name}: its noise is that of the training images of {folder} times {factors}; scores and fluxes of other "
            "depths are untested", stacklevel=2,
        )  # fmt: skip


def _typical(scene, band):
    """Median of the finite noise of a band."""
    sigma = np.asarray(scene.sigma, float)[..., scene.bands.index(band)]
    return np.median(sigma[np.isfinite(sigma)])
