"""A namespace as a team has it, on the local cluster: shared by the tests and the benchmarks."""
