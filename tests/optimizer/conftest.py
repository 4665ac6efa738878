"""Every test of the optimizer runs through the kernels and through the meaning of the rules."""

from __future__ import annotations

import sys

import pytest

import thalweg.optimizer  # noqa: F401 - so that every module that asks for Numba is there to be told otherwise
from thalweg.engine.numba_support import numba_available


@pytest.fixture(params=["kernels", "meaning"], autouse=True)
def way(request, monkeypatch):
    if request.param == "kernels":
        if not numba_available():
            pytest.skip("Numba is not available")
        return request.param
    for name, module in list(sys.modules.items()):
        if name.startswith("thalweg.") and vars(module).get("numba_available") is numba_available:
            monkeypatch.setattr(module, "numba_available", lambda: False)
    return request.param
