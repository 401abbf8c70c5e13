"""What the report on maps, fields and parameters shows."""

from dataclasses import dataclass, field

import numpy as np

from photoz_morph.blend.report.results import ROLES
from photoz_morph.blend.report.style import NETWORK_STYLES

MAX_NETWORKS = len(NETWORK_STYLES)
MIN_PIXELS = 50  # our choice: that count in a galaxy that is shown


@dataclass(frozen=True)
class MapResults:
    """Contents of a report.

    Attributes
    ----------
    scores : dict of str to dict
        From `maps.scores.evaluate_answers`, by the name of a run, a file or a baseline; networks first.
    values : dict of str to ndarray
        Predictions by the same names, in the order of `truth`: maps or fields, shape (n, size, size, n_maps), or
        posteriors of parameters, shape (n, n_parameters, 2), as means and logarithms of standard deviations.
    truth : Truth
    metas : dict of str to dict
        Meta of the predictions.
    sigma : ndarray, shape (n_bands,), or None
        Noise of the images of galaxies.
    configs : dict of str to str
        Text of the config of each run, by its name.
    note : str
        Why there is no baseline.
    """

    scores: dict
    values: dict
    truth: object
    metas: dict
    sigma: np.ndarray | None = None
    configs: dict = field(default_factory=dict)
    note: str = ""

    @property
    def answer(self):
        """`maps`, `field` or `parameters`."""
        return self.truth.answer

    def check(self):
        """Raise a ValueError if there is too much, or of different images."""
        if len(self.scores) > MAX_NETWORKS:
            raise ValueError(f"{len(self.scores)} predictions; report {MAX_NETWORKS} at most together")
        (first, scores), *others = self.scores.items()
        for name, part in others:
            for key in ("dataset", "data", "answer", "n_images"):
                if part[key] != scores[key]:
                    raise ValueError(
                        f"{name}: {key} is {part[key]}, that of {first} is {scores[key]}; report predictions of the "
                        "same images together"
                    )


def choose_images(results):
    """The best, the median and the worst image of the first method, by the square error of its maps or field.

    Parameters
    ----------
    results : MapResults
        Of maps or fields.

    Returns
    -------
    dict of str to int
        Role -> row of the truth. Errors of each map are in units of the scatter of its true pixels.
    """
    truth, maps = results.truth, next(iter(results.values.values()))
    counts = truth.inside[..., None]
    error = np.where(counts, maps - truth.values, np.nan) / np.std(truth.values[truth.inside], axis=0)
    n_pixels = truth.inside.sum(axis=(1, 2))
    enough = np.flatnonzero(n_pixels >= min(MIN_PIXELS, n_pixels.max()))
    mean = np.nansum(error[enough] ** 2, axis=(1, 2, 3)) / n_pixels[enough]
    ranked = enough[np.argsort(mean, kind="stable")]
    chosen = dict.fromkeys((ranked[0], ranked[len(ranked) // 2], ranked[-1]))
    return dict(zip(ROLES if len(chosen) == len(ROLES) else ROLES[::2], map(int, chosen)))
