"""Scores of one or several predictions side by side, as a Markdown table."""

from photoz_morph.report.text import DATA_NAMES, count, markdown_table

RANGES = {"all": "all", "blended": "blendedness > 1 %", "strongly_blended": "blendedness > 10 %"}


def scores_markdown(columns):
    """Table of the scores of `evaluation.evaluate_blend`, with their 95 % intervals over images.

    Parameters
    ----------
    columns : dict of str to dict
        Title of a column -> scores, all of the same images.

    Returns
    -------
    str
    """
    lines = markdown_table(("score", *columns), scores_rows(columns))
    name, sizes = scored_images(columns)
    return "\n".join([f"**{name}** ({sizes})", "", *lines])


def scored_images(columns):
    """Name of the dataset with what it is of, and numbers of its images and targets, for `columns` of the table."""
    first = next(iter(columns.values()))
    sizes = f"{count(first['n_images'], 'image')}, {count(first['n_targets'], 'target')}; 95 % intervals over images"
    return f"{first['dataset']}, {DATA_NAMES[first['data']]}", sizes


def scores_rows(columns):
    """Rows of that table: the name of a score, and its text of each column."""
    first = next(iter(columns.values()))
    kinds = [name for name in first["classes"][1:] if first["class_iou"][name]["value"] is not None]
    rows = [
        *((f"completeness at purity {first['purity']:g}, {text}", ("completeness", name))
          for name, text in RANGES.items()),
        ("AP50 of boxes", ("ap50",)),
        *((f"AP50, {name}", ("ap50_by_class", name)) for name in kinds),
        ("precision at 80 % recall", ("precision_at_80_recall",)),
        *((f"IoU of sources, {text}", ("source_iou", name)) for name, text in RANGES.items()),
        *((f"IoU of pixels, {name}", ("class_iou", name)) for name in (*kinds, "mean")),
        *((f"median absolute flux error, {text}", ("flux_error", name, "of_all", "median_absolute"))
          for name, text in RANGES.items()),
        *((f"mean absolute flux error of found ones, {text}", ("flux_error", name, "of_found", "mean_absolute"))
          for name, text in RANGES.items()),
        *((f"median absolute colour error [mag], {text}", ("colour_error", name, "median_absolute"))
          for name, text in RANGES.items()),
    ]  # fmt: skip
    return [(title, *(_cell(scores, keys) for scores in columns.values())) for title, keys in rows]


def deblending_markdown(columns):
    """Table of the scores of `deblending_scores.evaluate_deblended`, with their 95 % intervals over images.

    Parameters
    ----------
    columns : dict of str to dict
        Title of a column -> scores, all of the same images.

    Returns
    -------
    str
    """
    name, sizes = deblended_images(columns)
    lines = markdown_table(("score", *columns), deblending_rows(columns))
    return "\n".join([f"**{name}** ({sizes})", "", *lines])


def deblended_images(columns):
    """Name of the dataset with what it is of, and numbers of its galaxies, for `columns` of that table."""
    first = next(iter(columns.values()))
    sizes = f"{count(first['n_images'], 'galaxy in the middle')}; 95 % intervals over images"
    sizes = sizes.replace("galaxy in the middles", "galaxies in the middle")
    return f"{first['dataset']}, {DATA_NAMES[first['data']]}", sizes


def deblending_rows(columns):
    """Rows of that table: the name of a score, and its text of each column."""
    first = next(iter(columns.values()))
    ranges = {**RANGES, "isolated": "blendedness < 1 %"}
    rows = [
        *((f"median absolute flux error, {text}", ("flux_error", name, "of_all", "median_absolute"))
          for name, text in ranges.items()),
        *((f"mean absolute flux error of found ones, {text}", ("flux_error", name, "of_found", "mean_absolute"))
          for name, text in ranges.items()),
        *((f"bias of the flux, {text}", ("flux_error", name, "of_all", "median")) for name, text in ranges.items()),
        *((f"median absolute colour error [mag], {text}", ("colour_error", name, "median_absolute"))
          for name, text in ranges.items()),
        *((f"median absolute error of {shape}, {text}", ("shape_error", shape, name, "median_absolute"))
          for shape in ("size", "e1") for name, text in ranges.items()),
    ]  # fmt: skip
    cells = [(title, *(_cell(scores, keys) for scores in columns.values())) for title, keys in rows]
    for kind in ("flux", "pixels"):
        for number, level in enumerate(first.get("coverage", {}).get("levels", ())):
            values = [scores.get("coverage", {}).get(kind, [])[number:] for scores in columns.values()]
            title = f"{kind} within the interval of {100 * level:g} %"
            cells.append((title, *(_cell(value[0], ()) if value else "-" for value in values)))
    return cells


def _cell(scores, keys):
    """A score and its interval as text."""
    for key in keys:
        scores = scores[key]
    if scores["value"] is None:
        return "-"
    low, high = scores["interval"]
    return f"{scores['value']:.3f}" + (f" ({low:.3f} to {high:.3f})" if low is not None else "")
