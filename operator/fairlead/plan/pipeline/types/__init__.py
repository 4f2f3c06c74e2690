"""What a step can be: one file a type."""
