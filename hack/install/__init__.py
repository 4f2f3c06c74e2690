"""Build Fairlead's images and install the chart on the local cluster; used by the demo, the tests and the benchmarks."""
