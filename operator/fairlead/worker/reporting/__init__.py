"""The page of a run: what a step with `report` makes."""
