"""Model card of an exported model: training set, scores, limits of use, and papers to cite."""

from photoz_morph.photoz.report.tables.scores import scores_markdown

TRAINED_ON = {
    "simulated": (
        "simulated SDSS Main Galaxy Sample stacks with known redshift (`photoz simulate`; see DATA_CARD.md of the "
        "package). It has never seen a real galaxy: use it to try the chain and to compare methods, not for science."
    ),
    "stacked": "stacks of real survey frames with spectroscopic redshifts (`photoz stack`).",
}
IMPORTED = {  # whether the files are the published ones
    True: (
        "These are the files of the authors' repository: real SDSS Main Galaxy Sample stacks. Which of the paper's "
        "folds they were trained on is not published, so a galaxy of that sample may have been in training, and "
        "scores on it may be too good."
    ),
    False: (
        "Names and shapes are those of the published network, the bytes are not the files of the authors' repository: "
        "nothing here proves what it was trained on."
    ),
}


def model_card(description, scores=None):
    """Markdown of the card.

    Parameters
    ----------
    description : dict
        What `estimator.json` holds.
    scores : dict, optional
        From `evaluation.scores.evaluate`, of the run the model was exported from.

    Returns
    -------
    str
    """
    redshift, n_members = description["redshift"], description["n_members"]
    networks = f"the mean of {n_members} networks" if n_members > 1 else "one network"
    size, bands, is_sdss = description["image_size"], "".join(description["bands"]), description["survey"] == "sdss"
    limit = " r up to 17.8 for the Main Galaxy Sample," * is_sdss
    survey = ", and the Sloan Digital Sky Survey" if is_sdss else ", and the survey of the images"
    evaluated = "Of the galaxies no network had seen:" if scores else "Not evaluated yet; see `photoz evaluate`."
    return f"""# Photometric redshift model `{description["model"]}`

**What it does.** From a {size}x{size} *{bands}* stack and E(B-V) to the probability of {redshift["n_bins"]} redshift
bins between {redshift["z_min"]} and {redshift["z_max"]}: {networks} of the family of Pasquet et al. (2019). `z_phot` is
the mean of the PDF over bin {description["z_phot_bins"].replace("-", " ")}. Run it with `photoz infer`, or load it with
TensorFlow alone and call `serve(image, ebv)`.

**Input.** {description["survey"].upper()} stacks, pixels of {description["pixel_scale_arcsec"]}" in
{description["image_unit"]}, north up, east left, the galaxy at the centre, float32 of shape
(n, {size}, {size}, {len(bands)}); E(B-V) of Schlegel et al. (1998) in mag, shape (n,). `estimator.json` says the same
to programs.

**Training data.** {_training_data(description)}

**Identity.** `model_id` {description.get("model_id", "unknown")}, `data_id` {description.get("data_id") or "unknown"},
code {description.get("code", "unknown")}; every prediction of this model carries them.

**Scores.** {evaluated}

{scores_markdown(scores) if scores else ""}

**Limits.** It knows galaxies like those it was trained on: redshift up to {redshift["z_max"]},{limit} one survey's
pixels, noise and seeing. {_calibration(description)}

**Cite** Pasquet et al. (2019, A&A 621, A26) for the method, Schlegel, Finkbeiner & Davis (1998, ApJ 500, 525) for
E(B-V){survey}; `CITATION.cff` of photoz-morph has the rest.
"""


def _calibration(description):
    """What is known of a galaxy that it was not made for, and how far the PDFs can be trusted."""
    found = description.get("calibration")
    if not found:
        return (
            "It does not know that it is looking at a star, an artefact or an off-centre target, and will\ngive a "
            "redshift all the same. PDFs are as calibrated as the PIT of its test galaxies says."
        )
    levels = ", ".join(f"{100 * interval['coverage']:g}" for interval in found["intervals"])
    target = f", and re-weighted to the n(z) of `{found['target_nz']['file']}`" if "target_nz" in found else ""
    return (
        "It gives a star, an artefact or an off-centre target a redshift all the same, but\n`quality` has bit 4 where "
        "the stamp is unlike those of training galaxies (`ood_score` above 1), and other bits\nfor wide PDFs and bad "
        f"pixels. PDFs are calibrated on {found['n_galaxies']} galaxies not trained on{target}; `z_lower_68` ...\n"
        f"`z_upper_95` are conformal intervals of {levels} % coverage for galaxies like those."
    )


def _training_data(description):
    """Training set of the networks: folds of a dataset, or the published one of the authors' checkpoint."""
    trained_on = description["trained_on"]
    if "source" not in description:
        sizes, fold = trained_on["galaxies_per_fold"], description["fold"]
        return (
            f"About {sum(sizes) - sizes[fold]:,} galaxies of `{trained_on['name']}` (fold {fold} held out):\n"
            f"{TRAINED_ON[trained_on['origin']]}"
        )
    source = description["source"]
    files = ", ".join(f"`{name}` (SHA-256 {sha256})" for name, sha256 in source["sha256"].items())
    return f"""Imported from the TensorFlow 1 checkpoint `{source["checkpoint"]}`: {files}.
{IMPORTED[source["is_published"]]}"""
