"""Tables of the photo-z report, as Markdown, CSV and HTML."""
