"""What the oracles of chains need."""

from __future__ import annotations

import os

import pytest

from tests.kernels.twins import through_the_meaning

os.environ.setdefault("KERAS_BACKEND", "jax")


@pytest.fixture
def meaning():
    """Chains run through their meaning: nothing is compiled, and `test_equal_bits` shows that it is the same."""
    with through_the_meaning():
        yield


@pytest.fixture
def double():
    """JAX computes in float32 unless it is told otherwise."""
    jax = pytest.importorskip("jax", reason="oracle jax is not installed")
    with jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64():
        yield
