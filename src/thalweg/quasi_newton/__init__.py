"""Quasi-Newton methods: what asks for values and gradients as often as it needs, and so is no rule."""

from thalweg.quasi_newton.lbfgs import LBFGS

__all__ = ["LBFGS"]
