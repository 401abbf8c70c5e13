"""A verdict on an explanation, with the thresholds it rests on, and the warnings that commands print."""

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Thresholds:
    """Limits of what passes, all our choices. Each is for the median over galaxies.

    Attributes
    ----------
    completeness : float
        Largest error of the sum of the attributions, as a share of the change of the target that they explain.
    removal : float
        Least area of a deletion or insertion curve above that of pixels in random order.
    fidelity : float
        Least MuFidelity.
    randomisation : float
        Largest rank correlation with the map of a network whose weights are all shuffled.
    agreement : float
        Least mean rank correlation between the members of an ensemble.
    """

    completeness: float = 0.05
    removal: float = 0.05
    fidelity: float = 0.2
    randomisation: float = 0.5
    agreement: float = 0.2


# Check -> whether a larger number is better, and what it means to fail.
CHECKS = {
    "completeness": (False, "its parts do not add up to the change that they explain; take more steps"),
    "removal": (True, "the pixels that it ranks first matter little more to the network than others"),
    "fidelity": (True, "its sums over random patches do not tell what removing them does"),
    "randomisation": (False, "it looks the same for a network that has learnt nothing"),
    "agreement": (True, "members of the ensemble that answer alike are explained differently"),
}


@dataclass(frozen=True)
class Verdict:
    """Outcome of some checks of one map.

    Attributes
    ----------
    method : str
        Of the explanation.
    medians : dict of str to float
        Of each check over the galaxies; NaN where it could not be made for any.
    failed : tuple of str
        Names of the checks that failed.
    warnings : tuple of str
        A line for each of them.
    """

    method: str
    medians: dict
    failed: tuple
    warnings: tuple

    @property
    def is_faithful(self):
        """Whether no check failed."""
        return not self.failed


def verdict(method, thresholds=Thresholds(), **measured):
    """Verdict on a map from measured checks.

    Parameters
    ----------
    method : str
        Name for the warnings.
    thresholds : Thresholds
    **measured : array_like, shape (n,)
        Any of `completeness` (size of the error over that of the change), `removal` (area less that of random order),
        `fidelity`, `randomisation` and `agreement`.

    Returns
    -------
    Verdict
        A check whose median is not finite fails: it says nothing for the map.

    Raises
    ------
    ValueError
        If there is no such check, or none is given.
    """
    unknown = [name for name in measured if name not in CHECKS]
    if unknown or not measured:
        raise ValueError(f"no check {', '.join(unknown) or 'given'}; there are {', '.join(CHECKS)}")
    medians, failed, warnings = {}, [], []
    for name in (field.name for field in fields(Thresholds)):
        if name not in measured:
            continue
        values, limit = np.asarray(measured[name], float).ravel(), getattr(thresholds, name)
        finite = values[np.isfinite(values)]
        medians[name] = float(np.median(finite)) if len(finite) else np.nan
        larger_is_better, meaning = CHECKS[name]
        passes = medians[name] >= limit if larger_is_better else medians[name] <= limit
        if not passes:
            failed.append(name)
            bound = "at least" if larger_is_better else "at most"
            warnings.append(f"{method} fails {name}: {medians[name]:.3f}, must be {bound} {limit:g}; {meaning}")
    return Verdict(method, medians, tuple(failed), tuple(warnings))
