"""Run folders: their files, lock, history, status and scores."""
