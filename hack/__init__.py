"""What a maintainer runs: the local cluster, generators, benchmarks."""
