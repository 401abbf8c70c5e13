"""What a run folder holds: its files, lock, history, status and scores."""
