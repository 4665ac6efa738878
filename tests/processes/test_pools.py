"""Pools of processes and of threads, inside of each other, that take steps after worker threads exist."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor

import pytest

import thalweg as tw
from tests.processes.harness import run
from tests.processes.kinds import KINDS, gradients, large, on_threads, picture, pictures

METHODS = multiprocessing.get_all_start_methods()
PATIENCE = 60.0


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_tasks_of_pools_inside_of_pools(method):
    assert run("pools", method, 1, 12) == "done\n"


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_fifty_pools(method):
    assert run("pools", method, 50, 4, patience=2000) == "done\n"


def steps_of(kind, count=3):
    opt, params = large() if kind == "large" else KINDS[kind]()
    for step in range(count):
        opt.update(params, gradients(params, step))
    return picture(opt, params)


def test_threads_inside_of_threads():
    """More threads than cores, each of which shares its work out, and has threads of its own that do."""
    kinds = ["shared_out", "numbers", "chained", "whole_model"]
    expected = {kind: pictures(KINDS[kind], 3)[-1] for kind in kinds}

    def outer(k):
        with ThreadPoolExecutor(2) as inner:
            mine, theirs = steps_of(kinds[k % 4]), list(inner.map(steps_of, kinds, timeout=PATIENCE))
        return mine == expected[kinds[k % 4]] and theirs == [expected[kind] for kind in kinds]

    with on_threads(4), ThreadPoolExecutor(8) as pool:
        assert all(pool.map(outer, range(50), timeout=PATIENCE))
    tw.set_num_threads(1)
