"""Build Fairlead's images and install the chart on the cluster in use: for the demo, the tests and the benchmarks."""
