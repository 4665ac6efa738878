"""python -m tests.oracles: how many rows each rule has beside which library, live and recorded.

LBFGS has no row: it asks for gradients itself, and tests/quasi_newton compares it with torch.
"""

from __future__ import annotations

import importlib
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

from tests.oracles.base import LIVE, Case, is_installed
from tests.oracles.table import CASES

FILE = Path(__file__).parents[1] / "data" / "oracles.json"


def recorded() -> dict[str, Any]:
    """Return what tests/data/oracles.json holds, by the name of the row."""
    return json.loads(FILE.read_text("utf-8"))["cases"] if FILE.exists() else {}


def kind(one: Case, records: dict[str, Any]) -> str:
    """Return how a row is compared: "live" or "not installed", "recorded" or "missing"."""
    if one.library in LIVE:
        return "live" if is_installed(one.library) else "not installed"
    return "recorded" if one.name in records else "missing"


def counts(rows: list[Case], records: dict[str, Any]) -> str:
    """Return the counts by library: `torch 2 live, schedulefree 3 recorded`."""
    found = Counter((kind(one, records), one.library) for one in rows)
    return ", ".join(f"{library} {number} {how}" for (how, library), number in sorted(found.items()))


def of_lbfgs() -> str:
    """Return how LBFGS is compared, with the number of tests that are collected from its module."""
    if not is_installed("torch"):
        return "torch not installed"
    module = importlib.import_module("tests.quasi_newton.test_against_torch")
    tests = [vars(x).get("pytestmark", []) for name, x in vars(module).items() if name.startswith("test_")]
    rows = [[len(mark.args[1]) for mark in marks if mark.name == "parametrize"] for marks in tests]
    return f"torch {sum(map(math.prod, rows))} comparisons live"


def table() -> str:
    """Return one line a rule, and the sums."""
    records, rows = recorded(), list(CASES.values())
    rules = sorted({one.rule for one in rows})
    width = max(map(len, rules), default=0)
    lines = [f"{rule:{width}}  {counts([one for one in rows if one.rule == rule], records)}" for rule in rules]
    lines += ["", f"{len(rows)} rows of {len(rules)} rules: {counts(rows, records)}"]
    return "\n".join([*lines, f"lbfgs, call by call in tests/quasi_newton: beside {of_lbfgs()}"])


if __name__ == "__main__":
    print(table())  # noqa: T201
