"""`import fairlead` is cheap, and has what its documentation names."""

from __future__ import annotations

import subprocess
import sys

import pytest

import fairlead
from fairlead import sdk


def test_the_sdk_is_loaded_when_it_is_used():
    code = (
        "import sys; before = set(sys.modules); import fairlead; "
        "first = sorted(set(sys.modules) - before); assert fairlead.step and fairlead.In; "
        "print(first, 'fairlead.sdk' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['__future__', 'fairlead'] True\n" or done.stdout == "['fairlead'] True\n"


def test_names():
    assert set(fairlead.__all__) == {*sdk.__all__, "__version__"}
    assert set(fairlead.__all__) <= set(dir(fairlead))
    for name in sdk.__all__:
        assert getattr(fairlead, name) is getattr(sdk, name)
    with pytest.raises(AttributeError, match="module 'fairlead' has no attribute 'stepp'"):
        getattr(fairlead, "step" + "p")
