"""Tables of the morphology report, as Markdown, CSV and HTML."""
