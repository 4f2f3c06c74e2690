"""In what a candidate may be worse: one subject a metric."""
