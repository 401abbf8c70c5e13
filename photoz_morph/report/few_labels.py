"""Page of a few-label curve: scores against the number of labelled galaxies, with and without transfer.

The source itself, which has seen none of the labels, is a level with its interval.
"""

from functools import partial

from matplotlib.figure import Figure

from photoz_morph.report import html
from photoz_morph.report.page import Entry, Overview, write_page
from photoz_morph.report.style import BLACK, BLUE, GREEN, GREY, ORANGE, legend_below, logarithmic_x, marks_of

STYLES = {
    "all": {"color": ORANGE, "marker": "o"}, "lora": {"color": BLUE, "marker": "s", "linestyle": "--"},
    "frozen": {"color": GREEN, "marker": "^", "linestyle": ":"}, "blocks": {"color": BLACK, "marker": "D"},
    "scratch": {"color": GREY, "marker": "x", "linewidth": 2.2}, "source": {"color": BLACK, "linestyle": "-."},
}  # fmt: skip
NAMES = {
    "all": "all layers", "lora": "LoRA", "frozen": "frozen features", "blocks": "last blocks",
    "scratch": "from scratch", "source": "source, no labels",
}  # fmt: skip
SPREAD = 0.03  # of the points of different methods at one size


def write_few_labels(curve, out_dir, columns, banner, is_real, progress=True):
    """Write `report.html` and its figure as PNG and PDF.

    Parameters
    ----------
    curve : dict
        `entries` from `metrics.few_labels.label_curve`; `galaxies` and `source`, in words; `no_source`, why
        none of them is the source itself; `n_galaxies`, `n_groups` of the test, `n_repeats`, `n_resamples`, and `code`.
    out_dir : path-like
    columns : dict of str to (str, float, int)
        Title of each score that is shown, factor and digits.
    banner : str
    is_real, progress : bool

    Returns
    -------
    Path
        The page.
    """
    errors = (
        f"Mean of {curve['n_repeats']} repeats; 95 % intervals resample the {curve['n_groups']:,} parents of "
        f"{curve['n_galaxies']:,} test galaxies and the repeats, {curve['n_resamples']} times."
    )
    caption = (
        f"Scores of {curve['galaxies']} against the number of labelled galaxies that trained the networks: started "
        f"from {curve['source']}, and the same networks from random weights. {_of_source(curve)} {errors}"
    )
    entries = [
        Entry("Few labels", "few_labels", caption, partial(few_label_figure, curve["entries"], columns)),
        Entry("Few labels", html=_table(curve["entries"], "scores", columns, f"Scores. {errors}")),
        Entry("Few labels", html=_table(
            [entry for entry in curve["entries"] if "differences" in entry], "differences", columns,
            f"Gain of transfer: its score less that from random weights, paired. {errors}",
        )),
    ]  # fmt: skip
    first = next(entry for entry in curve["entries"] if "differences" in entry)
    score = next(iter(columns))
    numbers = {title: _text(first["differences"][name], factor, digits, "+")
               for name, (title, factor, digits) in columns.items()}  # fmt: skip
    overview = Overview(
        f"{NAMES[first['method']]} less from scratch, on {first['n_labels']:,} labels: {columns[score][0]} "
        f"{numbers[columns[score][0]]}.", numbers, errors, ("few_labels",),
    )  # fmt: skip
    return write_page(
        entries, out_dir, title="Few labels", banner=banner, is_real=is_real, overview=overview, progress=progress,
        footer=f"Written on {{date}}. Code: photoz-morph {curve['code']}.",
    )  # fmt: skip


def few_label_figure(entries, columns):
    """Scores of each method against the number of labels, a panel each.

    Parameters
    ----------
    entries, columns
        As for `write_few_labels`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(3.6 * len(columns), 4.2), layout="constrained")
    panels = figure.subplots(1, len(columns), squeeze=False)[0]
    methods = list(dict.fromkeys(entry["method"] for entry in entries if entry["n_labels"]))
    for axes, (score, (title, factor, _)) in zip(panels, columns.items()):
        for number, method in enumerate(methods):
            own = [entry for entry in entries if entry["method"] == method]
            shift = 1 + SPREAD * (number - (len(methods) - 1) / 2)
            parts = [entry["scores"][score] for entry in own]
            value = [factor * part["value"] for part in parts]
            ends = [[factor * part["interval"][end] for part in parts] for end in (0, 1)]
            bars = [[max(one - low, 0) for one, low in zip(value, ends[0])],
                    [max(high - one, 0) for one, high in zip(value, ends[1])]]  # fmt: skip
            axes.errorbar([shift * entry["n_labels"] for entry in own], value, bars, label=NAMES[method], capsize=2,
                          markersize=5, **STYLES[method])  # fmt: skip
        for entry in (entry for entry in entries if not entry["n_labels"]):
            part, style = entry["scores"][score], STYLES[entry["method"]]
            axes.axhspan(*(factor * end for end in part["interval"]), color=style["color"], alpha=0.12, linewidth=0)
            axes.axhline(factor * part["value"], label=NAMES[entry["method"]], **style)
        logarithmic_x(axes)
        axes.set_xlabel("labelled galaxies")
        axes.set_ylabel(title)
    marks = marks_of(panels[0])
    legend_below(figure, marks, len(marks))
    return figure


def _of_source(curve):
    """A sentence about the networks of the source without any label."""
    if curve["no_source"]:
        return f"What the source does without labels is not shown: {curve['no_source']}."
    return "The level is the source on the same galaxies, before it has learnt from any label of theirs."


def _table(entries, part, columns, caption):
    """A row for each method and number of labels."""
    sign = "+" if part == "differences" else ""
    rows = [
        [f"{entry['n_labels']:,}", NAMES[entry["method"]],
         *(_text(entry[part][name], factor, digits, sign) for name, (_, factor, digits) in columns.items())]
        for entry in entries
    ]  # fmt: skip
    return html.table(["labels", "", *(title for title, _, _ in columns.values())], rows, caption)


def _text(value, factor, digits, sign):
    """A number and its interval."""
    middle, low, high = (f"{factor * number:{sign}.{digits}f}" for number in (value["value"], *value["interval"]))
    return f"{middle} ({low} to {high})"
