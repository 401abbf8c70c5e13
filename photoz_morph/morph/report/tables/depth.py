"""Accuracy against survey depth as text: a row for each depth, and a sentence on each run against the first.

Takes the dictionaries of `evaluation.depth.read_depth` by the name of the run, of the same galaxies.
"""

from photoz_morph.morph.evaluation.depth import depth_differences
from photoz_morph.report.text import count, markdown_table, with_interval


def depth_header(results):
    """Column titles of `depth_rows`."""
    first, *others = results
    return ["years", *results, *(f"{run} − {first}" for run in others)]


def depth_rows(results):
    """A row for each depth that a run has, as text: accuracy of each run, and its difference from the first.

    Parameters
    ----------
    results : dict of str to dict

    Returns
    -------
    list of list of str
        "–" where a run lacks the depth.

    Raises
    ------
    ValueError
        If the runs were scored on different galaxies.
    """
    first, *others = results.values()
    differences = [depth_differences(result, first) for result in others]
    rows = []
    for years in depths_of(results):
        scores = [result["years"].get(years, {}).get("accuracy") for result in results.values()]
        cells = [with_interval(score) if score else "–" for score in scores]
        rows.append([years, *cells, *(with_interval(part[years]) if years in part else "–" for part in differences)])
    return rows


def depths_of(results):
    """Numbers of years, as text, of all runs, from the smallest."""
    return sorted({years for result in results.values() for years in result["years"]}, key=float)


def depth_caption(results, data):
    """Caption of the table of depths; `data` names the galaxies, such as "simulated galaxies"."""
    first = next(iter(results.values()))
    galaxies, n_groups = first["galaxies"], len(set(first["galaxies"]["group_id"]))
    seeds = ", ".join(f"{run} {len(result['settings']['networks'])}" for run, result in results.items())
    return (
        f"Accuracy against years of observation on {len(galaxies['label']):,} {data} of the test set, in "
        f"{count(n_groups, 'group')}, means over seeds ({seeds}) with 95 % intervals over groups and seeds. No label "
        "of a depth other than Y10 enters the training. The noise of the depths is independent. Differences are paired "
        "by galaxy."
    )


def depth_verdicts(results):
    """One sentence for each run but the first: at which depths it is more or less accurate than the first."""
    (first, reference), *others = results.items()
    sentences = []
    for run, result in others:
        found = depth_differences(result, reference)
        better = [years for years, part in found.items() if part["interval"][0] > 0]
        worse = [years for years, part in found.items() if part["interval"][1] < 0]
        parts = [f"{word} accurate than {first} after {_listed(years)}"
                 for word, years in (("more", better), ("less", worse)) if years]  # fmt: skip
        if not found:
            continue
        sentences.append(f"{run} is {' and '.join(parts)}." if parts else
                         f"{run} and {first} do not differ significantly at any of {_listed(found)}.")  # fmt: skip
    return sentences


def depth_markdown(results, data):
    """The table of depths and its verdicts as Markdown; arguments as for `depth_caption`."""
    lines = [f"**{depth_caption(results, data)}**", "", *markdown_table(depth_header(results), depth_rows(results))]
    return "\n".join([*lines, "", *(f"- {sentence}" for sentence in depth_verdicts(results))]) + "\n"


def _listed(years):
    """Numbers of years in words."""
    years = list(years)
    *before, last = years
    return f"{', '.join(before)}{' and ' * bool(before)}{last} year{'s' * (years != ['1'])}"
