"""Help texts of commands are plain text: what reStructuredText would take for markup is escaped for sphinx-click."""

import re

EVENTS = ("description", "options", "arguments", "epilog")


def setup(app):
    """Called by Sphinx."""
    for event in EVENTS:
        app.connect(f"sphinx-click-process-{event}", _escape)
    return {"parallel_read_safe": True}


def _escape(app, context, lines):
    """Escape a trailing underscore (modelMag_), which would be a link, and bars, which would be a substitution."""
    lines[:] = [re.sub(r"(?<=\w)_(?!\w)", r"\\_", line).replace("|", r"\|") for line in lines]
