"""Every row of tests/oracles: ours beside the library where it is installed, and beside what it put out otherwise.

Where the library that a recorded row came from is installed, both are tests.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import thalweg as tw
from tests.language.agreement import without_numba
from tests.oracles import __main__ as command
from tests.oracles.__main__ import kind, recorded
from tests.oracles.base import LIVE, distance, is_installed, play, start
from tests.oracles.table import CASES
from tests.papers import PAPERS

os.environ.setdefault("KERAS_BACKEND", "jax")
ROOT = Path(__file__).parents[2]
RECORDED = recorded()
# Conventions without a row. "paper": no library has this form, and tests/transcribed has it from the paper.
WITHOUT_A_ROW = {}
# Numbers that the library has not, and which are its own there; eps_root is almost everywhere one of them.
FIXED = {
    ("adagrad", "book"): {"eps"},
    ("rmsprop", "book"): {"eps"},
    ("adam", "book"): {"eps"},
    ("rmsprop", "keras"): {"initial_accumulator"},
    ("rmsprop", "keras-centered"): {"initial_accumulator"},
    ("rmsprop", "tensorflow"): {"initial_accumulator"},
    ("yogi", "paper"): {"initial_accumulator"},
    ("dowg", "authors"): {"lr"},
    ("muon", "authors"): {"eps"},
    ("muon", "keras"): {"eps"},
    ("sophia", "authors"): {"eps"},
}
# Conventions whose own defaults no row has: the paper's numbers are not those of the library.
WITHOUT_DEFAULTS = {("prodigy", "paper"), ("sm3", "optax")}


class Ours:
    """An optimizer of thalweg with the call of the others."""

    def __init__(self, one):
        self.opt = tw.Optimizer(one.rule, convention=one.convention, **one.ours)
        self.params = None

    def update(self, params, grads, value=None, hessian=None):
        """Take one step in place."""
        self.params = params
        self.opt.update(params, grads, value=value, hessian=hessian)

    def averaged(self):
        """Return the points of evaluation."""
        with self.opt.averaged():
            return {name: w.copy() for name, w in self.params.items()}


def our_path(one):
    """By the meaning, whose bits the kernels of exact rules have, so that nothing is compiled."""
    with without_numba():
        return play(one, Ours(one))


def is_apart(one, path, theirs):
    """Return what is wrong with our path, or None."""
    apart = distance(path, theirs)
    if apart <= one.tolerance:
        return None
    return f"{one.name}: {apart:.1e} of the largest value, and {one.tolerance:.1e} is allowed"


@pytest.mark.parametrize(
    "name", [name for name, one in CASES.items() if one.library in LIVE or is_installed(one.library)]
)
def test_ours_is_theirs(name):
    one = CASES[name]
    if not is_installed(one.library):
        pytest.skip(f"oracle {one.library} is not installed")
    wrong = is_apart(one, our_path(one), play(one, one.make(start(one.shapes))))
    assert wrong is None, wrong


@pytest.mark.parametrize("name", sorted(RECORDED.keys() & CASES.keys()))
def test_ours_is_what_they_put_out(name):
    one, after = CASES[name], RECORDED[name]["after"]
    path = our_path(one)
    theirs = [{k: np.array(w) for k, w in point.items()} for point in after.values()]
    wrong = is_apart(one, [path[int(t) - 1] for t in after], theirs)
    assert wrong is None, wrong


@pytest.mark.parametrize("name", RECORDED)
def test_what_is_recorded_has_a_row_and_an_origin(name):
    record = RECORDED[name]
    assert name in CASES, "its row is gone; tools/record.py drops it"
    assert record["library"] == CASES[name].library not in LIVE
    assert ("source" in record) != ("version" in record)
    if "source" in record:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", record["source"])
        assert record["source"].startswith(CASES[name].source.replace(" ", "@"))
    assert record["licence"]
    assert str(CASES[name].steps) in record["after"]
    shapes = {k: w.shape for k, w in start(CASES[name].shapes).items()}
    for point in record["after"].values():
        assert {k: np.shape(w) for k, w in point.items()} == shapes


def test_every_row_runs_beside_ours_or_is_recorded():
    missing = [name for name, one in CASES.items() if kind(one, RECORDED) == "missing"]
    assert not missing, f"not recorded; tools/record.py says why: {', '.join(missing)}"
    assert {one.library for one in CASES.values()} >= set(LIVE)


def test_every_convention_has_a_row_or_a_reason():
    forms = {(rule, name) for rule, of in tw.RULES.items() for name in of.conventions}
    rows = {(one.rule, one.convention) for one in CASES.values()}
    assert rows <= forms, f"no such convention: {rows - forms}"
    assert forms - rows == WITHOUT_A_ROW.keys(), f"without a row or a reason: {forms - rows - WITHOUT_A_ROW.keys()}"
    assert all(form in PAPERS for form, reason in WITHOUT_A_ROW.items() if reason == "paper")


def test_every_number_of_a_convention_is_another_one_in_some_row():
    for rule, of in tw.RULES.items():
        for convention, form in of.conventions.items():
            given = [one.ours for one in CASES.values() if (one.rule, one.convention) == (rule, convention)]
            changed = [{k for k, x in ours.items() if k in form.defaults and x != form.defaults[k]} for ours in given]
            if not given:
                continue
            fixed = FIXED.get((rule, convention), set())
            assert form.defaults.keys() - set().union(*changed) - {"eps_root"} == fixed, f"{rule}[{convention}]"
            assert set() in changed or (rule, convention) in WITHOUT_DEFAULTS, f"{rule}[{convention}] by default"


def test_the_command_counts_the_rows():
    argv = [sys.executable, "-m", "tests.oracles"]
    *lines, of_lbfgs = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    found = {line.split()[0]: Counter() for line in lines[:-2]}
    for line in lines[:-2]:
        for library, number, how in re.findall(r"(\S+) (\d+) (live|recorded|not installed)", line):
            found[line.split()[0]][library, how] += int(number)
    expected = {one.rule: Counter() for one in CASES.values()}
    for one in CASES.values():
        expected[one.rule][one.library, kind(one, RECORDED)] += 1
    assert found == expected
    assert lines[-1].startswith(f"{len(CASES)} rows of {len(expected)} rules: ")
    how = r"beside torch [1-9]\d+ comparisons live" if is_installed("torch") else "beside torch not installed"
    assert re.fullmatch(f"lbfgs, call by call in tests/quasi_newton: {how}", of_lbfgs)


def test_the_command_says_what_is_not_installed(monkeypatch):
    monkeypatch.setattr(command, "is_installed", lambda library: library != "torch")
    first = command.table().splitlines()
    assert [line for line in first if re.search(r"torch \d+ live", line)] == []
    assert re.search(r"optax \d+ live", first[-2])
    assert re.search(r"torch \d+ not installed", first[-2])
    assert first[-1].endswith("beside torch not installed")
