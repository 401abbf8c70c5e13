"""Morphology scores as text: Table 1 of the paper and the comparison of two arms, as Markdown, CSV and HTML rows.

Input are the dictionaries of `evaluation.scores.evaluate_morph`, by the name of the run, and of `compare_morph`.
Titles say whether the galaxies are simulated or real.
"""

from photoz_morph.morph.evaluation.comparison import arm_names
from photoz_morph.morph.predictions import SKY_DOMAINS
from photoz_morph.report.text import DATA_NAMES, SIGNIFICANT, markdown_table, p_text, with_error, with_interval

# Column of the scores and its title; the first four are Ciprijanovic et al. (2021), Table 1.
METRICS = {
    "accuracy": "accuracy",
    "precision": "precision (weighted)",
    "recall": "recall (weighted)",
    "f1": "F1 (weighted)",
    "macro_f1": "macro-F1",
    "brier": "Brier score",
    "nll": "NLL [nat]",
    "ece": "calibration error",
    "aurc": "risk-coverage area",
}
OF_ENSEMBLES = ("accuracy", "macro_f1", "brier", "nll", "ece", "aurc")


def table1_header(scores, second="metric"):
    """Column titles of tables with a column for each domain; `scores` as for `table1_rows`."""
    return ("training", second, *next(iter(by_arm(scores).values()))["domains"])


def by_arm(scores):
    """Scores by the name of their run: regular and MMD where they differ in adaptation, else the names of the configs.

    `scores` is a list of dictionaries from `evaluate_morph`; a dictionary of them stays as it is.
    """
    if isinstance(scores, dict):
        return scores
    return dict(zip(arm_names(scores), scores))


def table1_rows(scores):
    """Rows of Table 1: training, metric and a value in each domain, as text; then the majority class and the ceiling.

    Those of several seeds are means over single networks, followed by rows of their ensemble.

    Parameters
    ----------
    scores : dict of str to dict, or list of dict
        From `evaluate_morph`, by the name of the run, of the same galaxies; see `by_arm` for a list.

    Returns
    -------
    list of list of str
    """
    rows, scores = [], by_arm(scores)
    for run, part in scores.items():
        # The classes of the sky are unequal, and its macro-F1 is what others quote.
        as_text = dict.fromkeys(METRICS, with_error)
        if part["origin"] == "composites":
            as_text["macro_f1"] = with_interval
        for number, (name, title) in enumerate(METRICS.items()):
            cells = [as_text[name](of_domain["mean"][name]) for of_domain in part["domains"].values()]
            rows.append([run if number == 0 else "", title, *cells])
        if part["n_seeds"] > 1:
            for name in OF_ENSEMBLES:
                cells = [as_text[name](of_domain["ensemble"][name]) for of_domain in part["domains"].values()]
                rows.append(["", f"{METRICS[name]}, ensemble of {part['n_seeds']}", *cells])
    first = next(iter(scores.values()))
    majority, ceiling = first["majority"], first["label_ceiling"]
    of_domains = [part.get("majority_accuracy", majority["accuracy"]) for part in first["domains"].values()]
    rows.append([f"always {majority['class']}", "accuracy", *(f"{value:.3f}" for value in of_domains)])
    if ceiling:
        known = ["–" if name == "real" else with_error(ceiling) for name in first["domains"]]
        rows.append(["label ceiling", "agreement of i and g", *known])
    return rows


def table1_caption(scores):
    """Caption of Table 1: the galaxies and the definition of the errors."""
    scores = by_arm(scores)
    first = next(iter(scores.values()))
    counts = sorted({part["n_seeds"] for part in scores.values()})
    seeds = " and ".join(map(str, counts)) + (" seed" if counts == [1] else " seeds")
    text = (
        f"{first['n_galaxies']:,} {DATA_NAMES[first['data']]} (origin: {first['origin']}) in {first['n_groups']:,} "
        f"groups, mean over {seeds} ± standard error"
    )
    if first["origin"] == "composites":
        sizes = ", ".join(f"{part['n_galaxies']:,} {name}" for name, part in first["domains"].items())
        text = f"{sizes}: {text}"
    parts = "the test galaxies alone" if counts == [1] else "the test galaxies and the scatter of the seeds"
    return f"{text}, which includes {parts}; {first['n_unlabelled']:,} galaxies without label are left out."


def table1_markdown(scores):
    """Table 1 in the paper's layout as Markdown; `scores` as for `table1_rows`."""
    lines = [f"**{table1_caption(scores)}**", "", *markdown_table(table1_header(scores), table1_rows(scores))]
    return "\n".join(lines) + "\n"


def table1_csv(scores):
    """All numbers of Table 1 and of every seed as CSV, a line each.

    Parameters
    ----------
    scores : dict of str to dict, or list of dict
        From `evaluate_morph`; see `by_arm` for a list.

    Returns
    -------
    str
        Columns data, origin, training, seed (a number, "mean" or "ensemble"), domain, metric, value, error, low, high,
        sd_over_seeds (of the mean alone).
    """
    lines = ["data,origin,training,seed,domain,metric,value,error,low,high,sd_over_seeds"]
    for run, part in by_arm(scores).items():
        for domain, of_domain in part["domains"].items():
            sets = {"mean": of_domain["mean"], "ensemble": of_domain["ensemble"]}
            sets |= {str(number): seed for number, seed in enumerate(of_domain["seeds"], 1)}
            for seed, values in sets.items():
                for metric in METRICS:
                    score = values[metric]
                    scatter = score.get("sd_over_seeds")
                    numbers = [score["value"], score["error"], *score["interval"]]
                    cells = [part["data"], part["origin"], _quoted(run), seed, domain, metric, *map(repr, numbers)]
                    lines.append(",".join([*cells, "" if scatter is None else repr(scatter)]))
    return "\n".join(lines) + "\n"


def seeds_rows(scores):
    """Accuracy of every seed with its 95 % interval, then their mean: training, seed, Y10, Y1, as text."""
    rows = []
    for run, part in scores.items():
        domains = part["domains"].values()
        for number in range(part["n_seeds"]):
            cells = [with_interval(of_domain["seeds"][number]["accuracy"]) for of_domain in domains]
            rows.append([run if number == 0 else "", str(number + 1), *cells])
        rows.append(["", "mean", *(with_interval(of_domain["mean"]["accuracy"]) for of_domain in domains)])
    return rows


def truths_rows(scores):
    """Accuracy against other truths: training, truth, Y10, Y1, as text; unknown truths are left out."""
    titles = {"intended_type": "intended type of the simulation", "label_g": "label from g"}
    rows = []
    for run, part in scores.items():
        domains = part["domains"].values()
        for name, title in titles.items():
            cells = [of_domain["against"][name] for of_domain in domains]
            if all(cells):
                rows.append([run, title, *map(with_error, cells)])
    return rows


COMPARISON_HEADER = ("domain", "first", "second", "difference", "95 % interval", "p, ensembles", "p, groups vote")


def comparison_rows(comparison):
    """A row for each domain: the accuracies of both arms, their difference with its interval, and both tests."""
    rows = []
    for domain, part in comparison["domains"].items():
        difference, tests = part["difference"], part["mcnemar"]
        low, high = difference["interval"]
        rows.append([
            domain, *(f"{value:.3f}" for value in part["accuracy"]),
            f"{difference['value']:+.3f} ± {difference['error']:.3f}", f"{low:+.3f} to {high:+.3f}",
            p_text(tests["ensemble"]["p_value"]), p_text(tests["groups"]["p_value"]),
        ])  # fmt: skip
    return rows


def comparison_markdown(comparison):
    """The comparison of two arms with a verdict in plain words, as Markdown; from `compare_morph`."""
    first, second = comparison["arms"]
    header = [{"first": first, "second": second}.get(title, title) for title in COMPARISON_HEADER]
    lines = [
        f"**{second} against {first} on the same {comparison['n_galaxies']:,} {DATA_NAMES[comparison['data']]} "
        f"(origin: {comparison['origin']}) in {comparison['n_groups']:,} groups**",
        "",
        *markdown_table(header, comparison_rows(comparison)),
        "",
        *(f"- {sentence}" for sentence in morph_verdicts(comparison)),
    ]
    return "\n".join(lines) + "\n"


def morph_verdicts(comparison):
    """One sentence for each domain on which arm is more accurate, and one on the part of the drop that is recovered.

    A difference is significant where its 95 % interval excludes zero and the groups' vote has p < 0.05.
    """
    first, second = comparison["arms"]
    where = f"{comparison['n_galaxies']:,} {DATA_NAMES[comparison['data']]}"
    sentences = []
    for domain, part in comparison["domains"].items():
        if comparison["origin"] == "composites":
            where = f"{part['n_galaxies']:,} {domain} galaxies"
        points, winner = _points(part), _winner(part)
        if winner is None:
            verdict = f"the difference between {second} and {first} on {where} is not significant"
            sentences.append(f"In {domain} {verdict}: {points}.")
        else:
            words = "more" if winner == 1 else "less"
            sentences.append(f"In {domain} {second} is {words} accurate than {first} on {where}: {points}.")
    if comparison["recovered"] is not None:
        low, high = (100 * bound for bound in comparison["recovered"]["interval"])
        fraction = f"{100 * comparison['recovered']['value']:.0f} % ({low:.0f} to {high:.0f} %)"
        step = " to ".join(SKY_DOMAINS) if comparison["origin"] == "composites" else "Y10 to Y1"
        sentences.append(f"{second} recovers {fraction} of the accuracy that {first} loses from {step}.")
    seeds = comparison["n_seeds"]
    if 1 in seeds:
        sentences.append("With one seed the scatter between trainings is unknown and not included in these intervals.")
    return sentences


def baseline_verdicts(comparison):
    """One sentence for each domain on which of a baseline and a run wins, or that they tie, in plain words.

    Parameters
    ----------
    comparison : dict
        From `compare_morph` of a baseline with a run.

    Returns
    -------
    list of str
        A difference that `morph_verdicts` would not call significant is a tie.
    """
    arms, sentences = comparison["arms"], []
    where = f"{comparison['n_galaxies']:,} {DATA_NAMES[comparison['data']]}"
    for domain, part in comparison["domains"].items():
        winner = _winner(part)
        better, worse = (1, 0) if part["difference"]["value"] > 0 else (0, 1)
        accuracy = f"accuracy {part['accuracy'][better]:.3f} against {part['accuracy'][worse]:.3f}"
        outcome = (
            f"{arms[better]} and {arms[worse]} tie" if winner is None else f"{arms[better]} beats {arms[worse]}"
        )
        difference = f"{arms[1]} minus {arms[0]} {_points(part)}"
        sentences.append(f"In {domain} {outcome} on {where}: {accuracy}; {difference}.")
    return sentences


def baseline_words(comparison):
    """Outcome of a baseline against a run in one short sentence; argument as for `baseline_verdicts`."""
    baseline, run = comparison["arms"]
    outcomes = {0: "is more accurate", 1: "is less accurate", None: "does no worse and no better"}
    found = {domain: outcomes[_winner(part)] for domain, part in comparison["domains"].items()}
    if len(set(found.values())) == 1:
        (words,) = set(found.values())
        return f"Without a network, {baseline} on measurements of the stamps {words} than {run} at both depths."
    words = " and ".join(f"{words} in {domain}" for domain, words in found.items())
    return f"Without a network, {baseline} on measurements of the stamps, compared with {run}, {words}."


def baseline_caption(scores):
    """Sentence about the baselines among some scores, "" if there are none."""
    found = {name: part for name, part in scores.items() if part.get("baseline")}
    if not found:
        return ""
    number = next(iter(found.values()))["baseline"]
    trained = ", ".join(f"{name}: {part['train_on'].replace(',', ' and ')}" for name, part in found.items())
    return (
        f" Without a network: gradient boosting on {number} measurements of each stamp (colours, flux, concentration, "
        f"Gini, M20, asymmetry and area), trained on labelled images of {trained}; the networks have labels of Y10 "
        "alone."
    )


def _winner(part):
    """Arm, 0 or 1, of the significantly higher accuracy in one domain of a comparison; None if there is none."""
    low, high = part["difference"]["interval"]
    if low <= 0 <= high or part["mcnemar"]["groups"]["p_value"] >= SIGNIFICANT:
        return None
    return int(part["difference"]["value"] > 0)


def _points(part):
    """Difference of the accuracies in one domain of a comparison in percentage points, with interval and p."""
    value, (low, high) = part["difference"]["value"], part["difference"]["interval"]
    points = f"{100 * value:+.1f} points, 95 % interval {100 * low:+.1f} to {100 * high:+.1f}"
    return f"{points}, p of the groups {p_text(part['mcnemar']['groups']['p_value'])}"


def _quoted(text):
    """A CSV cell that may hold commas and quotes."""
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\n') else text
