"""Execution: work table, array gate, threads, kernel cache. The only place that knows Numba."""
