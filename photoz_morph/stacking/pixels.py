"""Pixels of the frames of a run, of which the last are held in memory, and which turn out to be damaged or blank."""

from collections import Counter, OrderedDict
from pathlib import Path

import numpy as np

from photoz_morph.stacking.frames import blank_value, read_frame
from photoz_morph.stacking.noise import FrameNoise


class FramePixels:
    """Pixels of frames and what is wrong with them.

    Parameters
    ----------
    survey : Survey
    held_bytes : int
        Frames in memory have so many bytes at most, or there is one.

    Attributes
    ----------
    unusable : dict of str to list of str
        Path of a frame -> what is wrong with it, and once more for each further stamp that it spoils.
    not_finite : dict of str to int
        Path of a frame -> number of its pixels that are not finite.
    n_read : int
        Frames read so far.
    """

    def __init__(self, survey, held_bytes):
        self.side_arcsec = survey.stamp_size * survey.pixel_scale
        self.unusable, self.not_finite, self.n_read = {}, {}, 0
        self._held, self._held_bytes, self._n_bytes = OrderedDict(), held_bytes, 0

    def __call__(self, frame):
        """Pixels of a frame and their noise; a ValueError if it is damaged."""
        if frame["damage"]:
            raise ValueError(frame["damage"])
        key = (frame["path"], frame["hdu"], frame["plane"])
        if key in self._held:
            self._held.move_to_end(key)
        else:
            self._hold(key, self._read(frame))
        image, noise, error = self._held[key]
        if error:
            raise ValueError(error)
        return image, noise

    def _hold(self, key, item):
        """Keep a frame, and as many of those before as there is room for; a damaged one is read once, too."""
        self._held[key] = item
        self._n_bytes += item[0].nbytes
        while self._n_bytes > self._held_bytes and len(self._held) > 1:
            _, (image, *_) = self._held.popitem(last=False)
            self._n_bytes -= image.nbytes

    def _read(self, frame):
        """Pixels, their noise and "", or an error at the end."""
        self.n_read += 1
        try:
            image = read_frame(frame)
        except ValueError as error:
            return np.empty(0), None, str(error)
        n_bad = np.count_nonzero(~np.isfinite(image))
        if n_bad:
            self.not_finite[frame["path"]] = n_bad
        return image, FrameNoise(image), ""

    def why_blank(self, frame, image, ra, dec):
        """Reason why a frame has no noise around a position, or ""."""
        blank = blank_value(frame, image, ra, dec, self.side_arcsec)
        return "" if blank is None else (
            f"{frame['path']}: blank ({blank:g} where there should be noise); download it again"
        )

    def take_remarks(self):
        """What was found since the last call: (unusable, not_finite)."""
        found = self.unusable, self.not_finite
        self.unusable, self.not_finite = {}, {}
        return found

    def spoils(self, frame, reason):
        """Count a stamp that a frame spoils; the reason as it is kept in a table: without the folder."""
        self.unusable.setdefault(frame["path"], []).append(reason)
        return reason.split("; download")[0].replace(frame["path"], Path(frame["path"]).name)


def remarks_on(unusable, not_finite):
    """One line for each frame with bad pixels; see `FramePixels`."""
    lines = [
        f"{path}: {n_bad} pixels are not finite; a stamp that no other frame covers there is flagged"
        for path, n_bad in not_finite.items()
    ]
    for reasons in unusable.values():
        reason, n_stamps = Counter(reasons).most_common(1)[0][0], len(reasons)
        lines.append(f"{reason}, or remove it, and run the same command again: {n_stamps} galaxies are flagged")
    return lines
