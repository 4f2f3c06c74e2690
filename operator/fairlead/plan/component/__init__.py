"""Components: programs that are described once and used in many Pipelines."""
