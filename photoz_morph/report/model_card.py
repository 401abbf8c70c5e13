"""The card that lies in an exported model: what it was trained on, how it scored, where not to use it, whom to cite."""

from photoz_morph.report.tables import scores_markdown

TRAINED_ON = {
    "simulated": (
        "simulated SDSS Main Galaxy Sample stacks with known redshift (`photoz simulate`; see DATA_CARD.md of the "
        "package). It has never seen a real galaxy: use it to try the chain and to compare methods, not for science."
    ),
    "stacked": "stacks of real survey frames with spectroscopic redshifts (`photoz stack`).",
}


def model_card(description, scores=None):
    """Markdown of the card.

    Parameters
    ----------
    description : dict
        What `estimator.json` holds.
    scores : dict, optional
        From `evaluation.evaluate`, of the run the model was exported from.

    Returns
    -------
    str
    """
    redshift, trained_on = description["redshift"], description["trained_on"]
    n_galaxies = sum(trained_on["galaxies_per_fold"]) - trained_on["galaxies_per_fold"][description["fold"]]
    size, bands = description["image_size"], "".join(description["bands"])
    evaluated = "Of the galaxies no network had seen:" if scores else "Not evaluated yet; see `photoz evaluate`."
    return f"""# Photometric redshift model `{description["model"]}`

**What it does.** From a {size}x{size} *{bands}* stack and E(B-V) to the probability of {redshift["n_bins"]} redshift
bins between {redshift["z_min"]} and {redshift["z_max"]}: the mean of {description["n_members"]} networks of the family
of Pasquet et al. (2019). Run it with `photoz infer`, or load it with TensorFlow alone and call `serve(image, ebv)`.

**Input.** {description["survey"].upper()} stacks, pixels of {description["pixel_scale_arcsec"]}" in
{description["image_unit"]}, north up, east left, the galaxy at the centre, float32 of shape
(n, {size}, {size}, {len(bands)}); E(B-V) of Schlegel et al. (1998) in mag, shape (n,). `estimator.json` says the same
to programs.

**Training data.** About {n_galaxies:,} galaxies of `{trained_on["name"]}` (fold {description["fold"]} held out):
{TRAINED_ON[trained_on["origin"]]}

**Scores.** {evaluated}

{scores_markdown(scores) if scores else ""}

**Limits.** It knows galaxies like those it was trained on: redshift up to {redshift["z_max"]}, r up to 17.8 for the
Main Galaxy Sample, one survey's pixels, noise and seeing. It does not know that it is looking at a star, an artefact
or an off-centre target, and will give a redshift all the same. PDFs are as calibrated as the PIT of its test galaxies
says.

**Cite** Pasquet et al. (2019, A&A 621, A26) for the method, Schlegel, Finkbeiner & Davis (1998, ApJ 500, 525) for
E(B-V), and the Sloan Digital Sky Survey; `CITATION.cff` of photoz-morph has the rest.
"""
