"""Exported networks of `blend` without the run: sources of images, galaxies out of blends, maps, parameters."""

import numpy as np

from photoz_morph.blend.config import BlendConfig, DetectionConfig, FieldNetworkConfig
from photoz_morph.blend.deblended import HEAD
from photoz_morph.blend.finding.finder import measured_sources
from photoz_morph.blend.predict_galaxies import draws_of, latent_noise, with_pixel_noise
from photoz_morph.models.exports.described_model import DescribedModel

BATCH_SIZE = 8  # images of 128 x 128 pixels; as many pixels of smaller ones
BATCH_PIXELS = BATCH_SIZE * 128**2
NEEDED = ("channels", "image_size", "model", "gives", "n_members")  # keys of `estimator.json`, and of images of light:
OF_LIGHT = ("bands", "pixel_scale_arcsec", "image_unit", "sky_sigma")
# What the networks do, by what they give.
DOES = {
    "sources": "finds sources", HEAD: "takes blends apart", "maps": "maps the stars and the dust of galaxies",
    "field": "restores fields", "parameters": "estimates parameters",
}  # fmt: skip


class ExportedBlendModel(DescribedModel):
    """An exported ensemble, loaded with its description.

    Parameters
    ----------
    folder : path-like
        Written by `export_blend`.

    Attributes
    ----------
    gives : str
        Key of `DOES`.
    channels : tuple of str
        Of images: their bands, where they are of light.
    bands : tuple of str
        Empty where images are not of light.
    size : int
        Side of an image [pixel].
    sigma : ndarray, shape (n_bands,)
        Noise of the sky in the training images [image unit].
    names : tuple of str
        Of the maps or parameters; empty of other networks.

    Raises
    ------
    FileNotFoundError
        If `folder` holds no exported model.
    ValueError
        If the model is damaged or is not one of `blend export`.
    """

    def __init__(self, folder):
        super().__init__(folder, "blend", NEEDED)

    def _understand(self):
        said = self.description
        self.channels, self.size, self.gives = tuple(said["channels"]), said["image_size"], said["gives"]
        missing = [key for key in OF_LIGHT if "bands" in said and key not in said]
        if self.gives not in DOES or missing:
            reason = f"{', '.join(missing)} missing" if missing else f"gives {self.gives!r}, which is unknown here"
            raise ValueError(f"{self.folder / 'estimator.json'}: {reason}; export the model again")
        self.bands, self.names = tuple(said.get("bands", ())), tuple(said.get("names", ()))
        self.sigma = np.array(said.get("sky_sigma", ()), float)
        self.n_latent = said.get("n_latent")
        self._config = BlendConfig(
            model=FieldNetworkConfig(name=said["model"] if self.gives == "sources" else "unet"),
            detection=DetectionConfig(**said.get("detection", {})),
        )
        self._batch = max(BATCH_PIXELS // self.size**2, 1)

    @property
    def map_score(self):
        """Least score of a source to which pixels can belong."""
        return self._config.option("detection.map_score")

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
            If it finds no sources, or the images have the wrong shape or a pixel that is not finite.
        """
        self.check_gives("sources", "the export of a finder")
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
            If it takes no blends apart, or the images have the wrong shape or a pixel that is not finite.
        """
        self.check_gives(HEAD, "the export of a deblender")
        images, galaxies, samples = self._checked(images, source), [], []
        obj_ids = np.arange(len(images)) if obj_ids is None else np.asarray(obj_ids)
        draws = bool(n_samples and self.n_latent)
        for start in range(0, max(len(images), 1), self._batch):
            part = slice(start, start + self._batch)
            galaxies.append(self._model.serve(images[part])[HEAD].numpy())
            if draws:
                samples.append(self._samples(images[part], obj_ids[part], n_samples))
        return np.concatenate(galaxies), np.concatenate(samples) if draws else None

    def answer(self, images, source="images"):
        """Maps, fields or parameters of images.

        Parameters
        ----------
        images : ndarray, shape (n, size, size, n_channels)
            Galaxies, sky subtracted [image unit of the model]; or logarithms of fields of matter.
        source : str
            Name of the images in errors.

        Returns
        -------
        ndarray
            Maps or fields, shape (n, size, size, n_names), or means and the logarithms of standard deviations of
            parameters, (n, n_names, 2), in the order of `names`.

        Raises
        ------
        ValueError
            If it gives something else, or the images have the wrong shape or a pixel that is not finite.
        """
        if not self.names:
            self.check_gives("maps", "the export of a network of maps, fields or parameters")
        images = self._checked(images, source)
        starts = range(0, max(len(images), 1), self._batch)
        return np.concatenate(
            [self._model.serve(images[start : start + self._batch])[self.gives].numpy() for start in starts]
        )

    def check_gives(self, gives, remedy):
        """Raise a ValueError, which says what to give instead, unless the networks give `gives`."""
        if self.gives != gives:
            raise ValueError(f"{self.folder}: {DOES[self.gives]}; give {remedy}")

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
        shape = (self.size, self.size, len(self.channels))
        if images.ndim != 4 or images.shape[1:] != shape:
            raise ValueError(
                f"{source}: images of shape {images.shape}; {self.folder} takes (n, {', '.join(map(str, shape))}), "
                f"the last axis {','.join(self.channels)}"
            )
        bad = ~np.isfinite(images).all(axis=(1, 2, 3))
        if bad.any():
            raise ValueError(
                f"{source}: image {np.argmax(bad)} has pixels that are not finite ({bad.sum()} such images in total); "
                "replace them"
            )
        return images
