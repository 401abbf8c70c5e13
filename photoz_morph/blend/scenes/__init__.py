"""Images of several sources, read from files of others, with the truth where it is known."""
