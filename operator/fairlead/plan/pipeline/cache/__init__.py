"""Results of earlier runs: what a step's result follows from, when one is taken, and why not."""
