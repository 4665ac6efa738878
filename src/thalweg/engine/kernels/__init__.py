"""Kernels written by hand, and the words of all kernels. They import Numba: `cache.compiled("NAME")` gives a module."""
