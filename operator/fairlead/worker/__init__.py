"""Programs that run inside Jobs, one file each."""
