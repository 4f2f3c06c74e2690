"""What a maintainer runs: the local cluster, generators, benchmarks."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  (whoever has an older one should read why nothing works)
    sys.exit("error: Python 3.11 or later is needed; this is " + sys.version.split()[0])
