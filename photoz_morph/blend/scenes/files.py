"""Scenes of any files that users have: frames of SDSS, scenes of scarlet, FITS images of other programs.

The frames of an exposure in several bands are one scene: a field on the pixels of the survey, north up, from the
resampled frames, cut to where there are any. A frame in a single band, and every other image, keeps its own pixels.
"""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy.wcs import WCS

from photoz_morph.blend.scenes.frames import read_field_scene, read_image_scene
from photoz_morph.blend.scenes.scarlet import read_scarlet_scene
from photoz_morph.blend.scenes.scene import Scene
from photoz_morph.stacking.astrometry import celestial_wcs
from photoz_morph.stacking.frame_headers import read_headers, two_axes
from photoz_morph.stacking.frame_index import index_frames
from photoz_morph.stacking.frame_names import match_name
from photoz_morph.surveys import SDSS

IMAGES = (".fits", ".fit", ".fts", ".fz")  # also with .gz or .bz2 behind it


@dataclass(frozen=True)
class SkyScene:
    """A scene with its place on the sky.

    Attributes
    ----------
    scene : Scene
    wcs : WCS, optional
        Of its pixels.
    survey : Survey, optional
        Whose pixels, unit and bands it has; None of files that say no survey.
    has_sky : bool
        Whether the sky is still in it.
    unit : str
        Of its pixels, "" if nothing says it.
    pixel_scale : float, optional
        Side of a pixel [arcsec], None if nothing says it.
    """

    scene: Scene
    wcs: WCS | None = None
    survey: object = None
    has_sky: bool = False
    unit: str = ""
    pixel_scale: float | None = None


@dataclass(frozen=True)
class SceneFiles:
    """The files of one scene.

    Attributes
    ----------
    name : str
        Of the scene, for the names of outputs.
    paths : tuple of Path
    kind : {"field", "frame", "scarlet", "image"}
    """

    name: str
    paths: tuple
    kind: str

    def read(self, bands=None):
        """The scene; `bands` are the names of those of a plain image, by default numbers.

        Returns
        -------
        SkyScene

        Raises
        ------
        ValueError
            If a file is damaged, or has another number of bands.
        """
        if self.kind == "field":
            return _read_field(self.paths)
        path = self.paths[0]
        if self.kind == "scarlet":
            return SkyScene(read_scarlet_scene(path))
        if self.kind == "frame":
            scene = replace(read_image_scene(path, hdu=0), bands=(match_name(str(path), SDSS).band,))
            return _of_survey(scene, _image_wcs(path), SDSS.of_bands(scene.bands))
        scene, wcs = read_image_scene(path, bands), _image_wcs(path)
        return SkyScene(scene, wcs, None, True, *_unit_and_scale(path, wcs))


def find_scenes(paths):
    """Scenes of some files and folders.

    Parameters
    ----------
    paths : sequence of path-like
        Files, or folders whose FITS and .npz files are taken.

    Returns
    -------
    list of SceneFiles
        By name; frames of SDSS of one run, camera column and field are one scene.

    Raises
    ------
    FileNotFoundError
        If a path does not exist, or there is no file in a folder.
    ValueError
        If a file is none of these, a frame is there twice, or two scenes have one name.
    """
    fields, others = {}, []
    for path in _files(paths):
        name = match_name(str(path), SDSS)
        if name is None:
            stem = path.name.partition(".")[0]
            others.append(SceneFiles(stem, (path,), "scarlet" if path.suffix == ".npz" else "image"))
            continue
        frames = fields.setdefault("-".join(map(str, name.parts)), {})
        if name.band in frames:
            raise ValueError(f"{path}: the frame is there twice, also as {frames[name.band]}; give one of them")
        frames[name.band] = path
    scenes = others
    for parts, frames in fields.items():
        ordered = tuple(frames[band] for band in SDSS.bands if band in frames)
        if len(ordered) == 1:
            scenes.append(SceneFiles(f"frame-{next(iter(frames))}-{parts}", ordered, "frame"))
        else:
            scenes.append(SceneFiles(f"field-{parts}", ordered, "field"))
    scenes.sort(key=lambda scene: scene.name)
    for one, other in zip(scenes, scenes[1:]):
        if one.name == other.name:
            raise ValueError(f"{other.paths[0]}: has the name of {one.paths[0]}; rename it, or give another --out")
    return scenes


def _files(paths):
    """Files of some paths."""
    for path in map(Path, paths):
        if path.is_dir():
            found = sorted(one for one in path.iterdir() if _is_readable(one))
            if not found:
                raise FileNotFoundError(f"{path}: no FITS image and no .npz in it; give files, or another folder")
            yield from found
        elif not path.exists():
            raise FileNotFoundError(f"{path}: no such file; give frames of SDSS, FITS images or .npz of scarlet")
        elif not _is_readable(path):
            raise ValueError(f"{path}: neither FITS nor .npz by its name; give frames of SDSS, FITS images or scenes")
        else:
            yield path


def _is_readable(path):
    """Whether a file has the name of an image or of a scene."""
    suffixes = [suffix for suffix in path.suffixes if suffix not in (".gz", ".bz2")]
    return path.is_file() and bool(suffixes) and suffixes[-1] in (*IMAGES, ".npz")


def _image_wcs(path):
    """WCS of an image, None if it has none."""
    try:
        with warnings.catch_warnings():
            # Cards beyond the standard, such as ESO's log books, are no part of it.
            warnings.filterwarnings("ignore", message="The following header keyword is invalid")
            return celestial_wcs(str(path), two_axes(read_headers(path)[-1]))
    except ValueError:
        return None


def _of_survey(scene, wcs, survey):
    """A scene in the pixels and the unit of a survey."""
    return SkyScene(scene, wcs, survey, unit=survey.image_unit, pixel_scale=survey.pixel_scale)


def _unit_and_scale(path, wcs):
    """Unit of the pixels of an image, and their side [arcsec] by its WCS or else its card PIXSCALE."""
    header = read_headers(path)[-1]
    scale = header.get("PIXSCALE")
    if wcs is not None:
        scale = float(np.sqrt(wcs.proj_plane_pixel_area().to_value("arcsec2")))
    return str(header.get("BUNIT", "")).strip(), float(scale) if scale else None


def _read_field(paths):
    """Field of all frames of an exposure, cut to the pixels that some frame of each band has."""
    bands = tuple(match_name(str(path), SDSS).band for path in paths)
    index = index_frames(list(paths), SDSS, keep_bad=True)
    damage = [text for text in index["damage"] if text]
    if damage:
        raise ValueError(damage[0])
    middle = index["center"].mean(axis=0)
    ra, dec = np.degrees([np.arctan2(middle[1], middle[0]), np.arcsin(middle[2] / np.linalg.norm(middle))])
    scale = SDSS.pixel_scale / 3600
    # Half the extent of a frame to the north and to the east, and as much as the bands lie apart.
    half = np.einsum("nij,nj->ni", np.abs(index["cd"]), index["shape"][:, ::-1] / 2).max()
    apart = np.degrees(np.linalg.norm(index["center"] - middle, axis=1).max())
    size = 2 * int(np.ceil((half + apart) / scale))
    scene = read_field_scene(index, SDSS, ra % 360, dec, size, bands)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [ra % 360, dec]
    wcs.wcs.crpix, wcs.wcs.cdelt = [size / 2 + 0.5] * 2, [-scale, scale]
    is_there = np.isfinite(scene.sigma).all(axis=-1)
    rows, columns = (np.flatnonzero(is_there.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        raise ValueError(f"{paths[0]}: no pixel that all {len(paths)} frames have; give frames of one field")
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return _of_survey(replace(scene, image=scene.image[box], sigma=scene.sigma[box]), wcs[box], SDSS.of_bands(bands))
