"""Pixels of the frames of a run, and which frames turn out to be damaged or blank."""

import functools
from collections import Counter
from pathlib import Path

import numpy as np

from photoz_morph.stacking.frames import blank_value, read_frame

CACHED_FRAMES = 80  # 12 MB each, 1 GB in all; in Stripe 82 up to 64 frames of a band overlap


class FramePixels:
    """Pixels of frames, of which the last are held in memory, and what is wrong with them.

    Attributes
    ----------
    unusable : dict of str to list of str
        Path of a frame -> what is wrong with it, and once more for each further stamp that it spoils.
    """

    def __init__(self, survey):
        self.side_arcsec = survey.stamp_size * survey.pixel_scale
        self.unusable, self._n_not_finite = {}, {}
        self._held = functools.lru_cache(maxsize=CACHED_FRAMES)(self._read)

    def __call__(self, path):
        """Pixels of a frame; a ValueError if it is damaged."""
        image, error = self._held(path)
        if error:
            raise ValueError(error)
        return image

    def _read(self, path):
        """Pixels and "", or None and the error; a damaged frame is read once, too."""
        try:
            image = read_frame(path)
        except ValueError as error:
            return None, str(error)
        n_bad = np.count_nonzero(~np.isfinite(image))
        if n_bad:
            self._n_not_finite[path] = n_bad
        return image, ""

    def why_unusable(self, frames, ra, dec):
        """Reasons why a stamp cannot be made of frames, as they are kept in a table: without their folder."""
        reasons = []
        for frame in frames:
            reason = frame["damage"]
            try:
                blank = None if reason else blank_value(frame, self(frame["path"]), ra, dec, self.side_arcsec)
            except ValueError as error:
                reason = str(error)
            else:
                if blank is not None:
                    reason = f"{frame['path']}: blank ({blank:g} where there should be noise); download it again"
            if reason:
                self.unusable.setdefault(frame["path"], []).append(reason)
                reasons.append(reason.split("; download")[0].replace(frame["path"], Path(frame["path"]).name))
        return reasons

    def remarks(self):
        """One line for each frame with bad pixels."""
        lines = [
            f"{path}: {n_bad} pixels are not finite; a stamp that no other frame covers there is flagged"
            for path, n_bad in self._n_not_finite.items()
        ]
        for reasons in self.unusable.values():
            reason, n_stamps = Counter(reasons).most_common(1)[0][0], len(reasons)
            lines.append(f"{reason}, or remove it, and run the same command again: {n_stamps} galaxies are flagged")
        return lines
