"""Where the predictions of a page come from."""

import json

from photoz_morph.report import html
from photoz_morph.report.page import Entry

NOT_SHOWN = ("settings", "classes", "checksum")  # of the meta of predictions; settings are printed by themselves


def provenance_entries(results):
    """Origin and settings of all predictions, and the configs of runs.

    Parameters
    ----------
    results : BlendResults, DeblendingResults or MapResults
        With `metas`, the meta of the predictions by their names, and `configs`, the text of those of runs.

    Yields
    ------
    Entry
    """
    for name, meta in results.metas.items():
        shown = {str(key): str(value) for key, value in meta.items() if key.lower() not in NOT_SHOWN}
        yield Entry("Provenance", html=html.facts({"predictions": name, **shown}))
        if "settings" in meta:
            yield Entry("Provenance", html=html.code(json.dumps(json.loads(meta["settings"]), indent=1)))
        if name in results.configs:
            yield Entry("Provenance", html=html.code(results.configs[name]))
