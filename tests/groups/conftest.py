"""Groups are the same whoever computes: the meaning of the rules, without compilation, unless kernels are asked for."""

from __future__ import annotations

import sys

import pytest

import thalweg.optimizer  # noqa: F401 - so that every module that asks for Numba is there to be told otherwise
from thalweg.engine.numba_support import numba_available


@pytest.fixture
def kernels():
    """Ask for kernels."""
    if not numba_available():
        pytest.skip("Numba is not available")


@pytest.fixture(autouse=True)
def meaning(request, monkeypatch):
    """Let steps be taken by the meaning of the rules, unless kernels are asked for."""
    if "kernels" in request.fixturenames:
        return
    for name, module in list(sys.modules.items()):
        if name.startswith("thalweg.") and vars(module).get("numba_available") is numba_available:
            monkeypatch.setattr(module, "numba_available", lambda: False)
