"""What starts a run: one file a trigger."""
