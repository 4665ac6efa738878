"""Functions instead of networks: `minimize`, and `scipy_method` for `scipy.optimize.minimize`."""

from __future__ import annotations

from thalweg.minimization.direct import minimize
from thalweg.minimization.method import scipy_method

__all__ = ["minimize", "scipy_method"]
