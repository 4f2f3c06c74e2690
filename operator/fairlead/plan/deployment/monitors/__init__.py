"""The live version, for as long as it is live: what is asked of its recorders, what a window shows, what is told."""
