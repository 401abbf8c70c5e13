"""Exported networks of `blend`: sources of images, or galaxies taken out of blends, without the run."""

from pathlib import Path

import numpy as np

from photoz_morph.blend.config import BlendConfig, DetectionConfig, FieldNetworkConfig
from photoz_morph.blend.deblended import HEAD
from photoz_morph.blend.finding.finder import measured_sources
from photoz_morph.blend.predict_galaxies import draws_of, latent_noise, with_pixel_noise
from photoz_morph.models.saved_model import load_saved_model, model_hash, read_description
from photoz_morph.system.provenance import code_version, described_facts

BATCH_SIZE = 8  # images of 128 x 128 pixels; as many pixels of smaller ones
BATCH_PIXELS = BATCH_SIZE * 128**2
NEEDED = ("bands", "pixel_scale_arcsec", "image_size", "image_unit", "sky_sigma", "model", "gives", "n_members")


class ExportedBlendModel:
    """An exported ensemble, loaded with its description.

    Parameters
    ----------
    folder : path-like
        Written by `export_blend`.

    Attributes
    ----------
    bands : tuple of str
    size : int
        Side of an image [pixel].
    sigma : ndarray, shape (n_bands,)
        Noise of the sky in the training images [image unit].
    deblends : bool
        Whether it gives the galaxy in the middle of an image, or finds sources.

    Raises
    ------
    FileNotFoundError
        If `folder` holds no exported model.
    ValueError
        If the model is damaged or is not one of `blend export`.
    """

    def __init__(self, folder):
        self.folder, path = Path(folder), Path(folder) / "estimator.json"
        self.description = read_description(folder, "blend")
        if self.description.get("task") != "blend":
            raise ValueError(f"{path}: not a model of blend; give the folder of a `blend export`")
        missing = [key for key in NEEDED if key not in self.description]
        if missing:
            raise ValueError(f"{path}: {', '.join(missing)} missing; export the model again")
        self.bands, self.size = tuple(self.description["bands"]), self.description["image_size"]
        self.sigma = np.array(self.description["sky_sigma"], float)
        self.deblends = self.description["gives"] == HEAD
        self.n_latent = self.description.get("n_latent")
        self._config = BlendConfig(
            model=FieldNetworkConfig(name="unet" if self.deblends else self.description["model"]),
            detection=DetectionConfig(**self.description.get("detection", {})),
        )
        self._model = load_saved_model(folder)
        self.model_id = self.description.get("model_id") or model_hash(folder)
        self.trained_on = described_facts(self.description)
        self._batch = max(BATCH_PIXELS // self.size**2, 1)

    @property
    def map_score(self):
        """Least score of a source to which pixels can belong."""
        return self._config.option("detection.map_score")

    def provenance(self):
        """Keys of the model for the header of what it finds; see `system.provenance`."""
        return {
            "code": code_version(), "model_id": self.model_id, "data_id": self.description.get("data_id") or "",
            **{key: self.trained_on[key] for key in ("survey", "bands", "unit")},
        }  # fmt: skip

    def find(self, images, light=None, source="images"):
        """Sources of images.

        Parameters
        ----------
        images : ndarray, shape (n, size, size, n_bands)
            Sky subtracted [image unit of the model].
        light : ndarray, shape (n, size, size, n), optional
            Images in which fluxes are measured, perhaps of more bands; by default the same.
        source : str
            Name of the images in errors.

        Returns
        -------
        list of (Table, ndarray)
            As from `finding.finder.SourceFinder`.

        Raises
        ------
        ValueError
            If it takes blends apart, or the images have the wrong shape or a pixel that is not finite.
        """
        if self.deblends:
            raise ValueError(f"{self.folder}: takes blends apart and finds no sources; give the export of a finder")
        images, found = self._checked(images, source), []
        light = images if light is None else light
        for start in range(0, len(images), self._batch):
            part = slice(start, start + self._batch)
            outputs = self._model.serve(images[part])
            found += measured_sources(images[part], outputs, self._config, self.sigma, light[part])
        return found

    def deblend(self, images, obj_ids=None, n_samples=0, source="images"):
        """Galaxies in the middle of images.

        Parameters
        ----------
        images : ndarray, shape (n, size, size, n_bands)
            Sky subtracted [image unit of the model].
        obj_ids : sequence of int, optional
            Of which the samples are a function; by default numbers from 0.
        n_samples : int
            Samples of an image, of networks that draw any.
        source : str
            Name of the images in errors.

        Returns
        -------
        galaxies : ndarray, shape (n, size, size, n_bands)
        samples : ndarray, shape (n, n_samples, size, size, n_bands), or None
            With the noise of their pixels; the same as from the run.

        Raises
        ------
        ValueError
            If it finds sources, or the images have the wrong shape or a pixel that is not finite.
        """
        if not self.deblends:
            raise ValueError(f"{self.folder}: finds sources and takes no blend apart; give the export of a deblender")
        images, galaxies, samples = self._checked(images, source), [], []
        obj_ids = np.arange(len(images)) if obj_ids is None else np.asarray(obj_ids)
        draws = bool(n_samples and self.n_latent)
        for start in range(0, max(len(images), 1), self._batch):
            part = slice(start, start + self._batch)
            galaxies.append(self._model.serve(images[part])[HEAD].numpy())
            if draws:
                samples.append(self._samples(images[part], obj_ids[part], n_samples))
        return np.concatenate(galaxies), np.concatenate(samples) if draws else None

    def _samples(self, images, obj_ids, n_samples):
        """Samples of a batch by all networks."""
        draws = draws_of(n_samples, self.description["n_members"])
        shape = (draws[0], self.n_latent)  # the first network draws the most
        noise = np.stack([latent_noise(obj_ids, number, shape) for number in range(len(draws))], axis=1)
        outputs = {name: values.numpy() for name, values in self._model.serve_samples(images, noise).items()}
        return np.concatenate([
            with_pixel_noise(*(outputs[name][:, number, :n] for name in ("samples", "sample_sigmas")), obj_ids, number)
            for number, n in enumerate(draws)
        ], axis=1)  # fmt: skip

    def _checked(self, images, source):
        """Images as an array of the right shape and of finite numbers."""
        images = np.asarray(images, np.float32)
        shape = (self.size, self.size, len(self.bands))
        if images.ndim != 4 or images.shape[1:] != shape:
            raise ValueError(
                f"{source}: images of shape {images.shape}; {self.folder} takes (n, {', '.join(map(str, shape))}) in "
                f"bands {','.join(self.bands)}, the bands last"
            )
        bad = ~np.isfinite(images).all(axis=(1, 2, 3))
        if bad.any():
            raise ValueError(
                f"{source}: image {np.argmax(bad)} has pixels that are not finite ({bad.sum()} such images in total); "
                "replace them"
            )
        return images
