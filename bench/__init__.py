"""Benchmarks: written like tests, with the competitors as columns. `make bench` runs them."""
