"""Build Fairlead's images and install the chart on the local cluster: for the demo, the tests and the benchmarks."""
