"""Steps that use Components: which ones there are, and the ordinary steps that they stand for."""
