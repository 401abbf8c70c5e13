"""One simulated field: many sources as in the sky, or a pair of isolated galaxies, with an image and full truth.

An image is a function of (settings, seed, index). Its sources and its noise have streams of their own, so that a field
has the same sources after one year and after ten.
"""

from dataclasses import dataclass

import numpy as np

from photoz_morph.catalogs.folds import assign_split
from photoz_morph.shards.blends import KINDS
from photoz_morph.simulation.blends.cameras import Camera, check_size
from photoz_morph.simulation.blends.population import BRIGHTEST_GALAXY, draw_field, draw_pair
from photoz_morph.simulation.blends.rendering import render
from photoz_morph.simulation.blends.truth import measure_sources
from photoz_morph.simulation.seeds import INDICES_PER_SEED

SIZES = {"scenes": 128, "pairs": 48}  # [pixel]
# Of the faintest galaxies in i and stars in r: S/N of 7 and less in ten years of LSST. In a pair, of the middle galaxy.
FAINTEST = {("scenes", "lsst"): 26.0, ("scenes", "sdss"): 22.5, ("pairs", "lsst"): 24.0, ("pairs", "sdss"): 20.5}
MARGIN = 16  # [pixel] around a field in which sources lie whose light reaches it
STREAMS = {"scenes": 5, "pairs": 6}  # of the sources, apart from those of other objects of the seed and index
NOISE_STREAM = 8


@dataclass(frozen=True)
class BlendSettings:
    """What is simulated.

    Attributes
    ----------
    kind : {"scenes", "pairs"}
    survey : {"lsst", "sdss"}
    years : float
        Of LSST.
    size : int, optional
        Side of an image [pixel]; 128 for scenes, 48 for pairs.
    faintest : float, optional
        Limit in i of galaxies, in r of stars [mag]; 26 for scenes of LSST, see `FAINTEST`.
    seed : int
    """

    kind: str = "scenes"
    survey: str = "lsst"
    years: float = 10.0
    size: int | None = None
    faintest: float | None = None
    seed: int = 1

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r}; choose one of {', '.join(KINDS)}")
        Camera(self.survey, self.years)  # checks both
        for name, default in (("size", SIZES[self.kind]), ("faintest", FAINTEST[self.kind, self.survey])):
            if getattr(self, name) is None:
                object.__setattr__(self, name, default)
        check_size(self.size)
        if not BRIGHTEST_GALAXY < self.faintest <= 28:
            raise ValueError(f"faintest is {self.faintest}; give a magnitude above {BRIGHTEST_GALAXY}, at most 28")

    @property
    def camera(self):
        """The survey as it sees the fields."""
        return Camera(self.survey, self.years)


@dataclass(frozen=True)
class SimulatedField:
    """An image with its truth; `shards.blends` has the columns.

    Attributes
    ----------
    obj_id, group_id : int
        The same: no two fields share anything but parents, and those within a split.
    split : str
        Whose parents it shows.
    image : ndarray, shape (size, size, 3), float32
        Sky subtracted [unit].
    instances : ndarray, shape (size, size), int16
    source_images : list of SourceImage
        The brightest in r first. Their sum is the image without noise.
    columns : dict of ndarray, shape (n_sources, ...)
    """

    obj_id: int
    group_id: int
    split: str
    image: np.ndarray
    instances: np.ndarray
    source_images: list
    columns: dict


def simulate_field(settings, index, parents):
    """Simulate the field of an index.

    Parameters
    ----------
    settings : BlendSettings
    index : int
    parents : Parents
        The pool of the same seed.

    Returns
    -------
    SimulatedField
    """
    obj_id = settings.seed * INDICES_PER_SEED + index
    split = str(assign_split(obj_id)[0])
    rng = np.random.default_rng([settings.seed, index, STREAMS[settings.kind]])
    camera, pool = settings.camera, parents.of_split(split)
    common = camera.pixel_scale, settings.survey, pool, settings.faintest, rng
    if settings.kind == "pairs":
        sources = draw_pair(settings.size, *common)
    else:
        sources = draw_field(settings.size, MARGIN, *common)
    seen = [(source, image) for source in sorted(sources, key=lambda source: source.mags[1])
            if (image := render(source, parents, camera, settings.size))]  # fmt: skip
    noise = np.random.default_rng([settings.seed, index, STREAMS[settings.kind], NOISE_STREAM])
    image, instances, columns = observe_sources([image for _, image in seen], camera, settings.size, noise)
    return SimulatedField(
        obj_id=obj_id,
        group_id=obj_id,
        split=split,
        image=image,
        instances=instances,
        source_images=[image for _, image in seen],
        columns=drawn_columns([source for source, _ in seen], camera) | columns,
    )


def observe_sources(images, camera, size, rng):
    """Noisy image of some noise-free sources, with the truth that follows from their pixels.

    Parameters
    ----------
    images : list of SourceImage
    camera : Camera
    size : int
        Side of the field [pixel].
    rng : numpy.random.Generator
        Draws the noise.

    Returns
    -------
    image : ndarray, shape (size, size, 3), float32
        [unit]
    instances : ndarray, shape (size, size), int16
    columns : dict of ndarray
        Of `measure_sources`.
    """
    expected = np.zeros((size, size, 3))
    for image in images:
        expected[image.where] += image.pixels
    instances, columns = measure_sources(images, (size, size), camera.sky_sigma, camera.variance(expected))
    return camera.observe(expected, rng), instances, columns


def drawn_columns(sources, camera):
    """Columns of what was drawn, shape (n_sources, ...)."""
    mags = np.array([source.mags for source in sources]).reshape(len(sources), 3)
    columns = {
        "kind": np.array([source.kind for source in sources], np.int16),
        "x": np.array([source.x for source in sources]),
        "y": np.array([source.y for source in sources]),
        "redshift": np.array([source.redshift for source in sources]),
        "mags": mags.astype(np.float32),
        "flux": camera.flux(mags).astype(np.float32),
    }
    columns |= {name: np.array([getattr(source, name) for source in sources], np.float32)
                for name in ("template", "size_arcsec")}  # fmt: skip
    return columns | {"parent": np.array([source.parent for source in sources], np.int32)}
