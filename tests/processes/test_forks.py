"""Forks, with worker threads about."""

from __future__ import annotations

import os

import pytest

from tests.processes.harness import run
from thalweg.engine.numba_support import numba_available

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")


@pytest.mark.parametrize("how, repeats", [("between_steps", 6), ("grandchildren", 3), ("during_a_step", 6)])
def test_child_and_parent_take_the_same_steps(how, repeats):
    assert run("forks", how, repeats) == "done\n"


@pytest.mark.slow
@pytest.mark.skipif(not numba_available(), reason="Numba is not available")
def test_a_fork_while_another_thread_compiles():
    assert run("forks", "while_another_thread_compiles", 3) == "done\n"


@pytest.mark.slow
def test_an_interrupt_in_a_child_that_another_thread_forked():
    assert run("forks", "by_another_thread", 150) == "done\n"


@pytest.mark.slow
def test_the_interpreter_ends_whatever_threads_do():
    assert run("forks", "at_the_end", 6) == "done\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "how", ["between_steps", "grandchildren", "during_a_step", "while_another_thread_compiles", "at_the_end"]
)
def test_fifty_times(how):
    assert run("forks", how, 50, patience=1000) == "done\n"
