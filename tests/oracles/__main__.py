"""python -m tests.oracles: how many rows each rule has beside which library, live and recorded."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.oracles.base import LIVE, Case
from tests.oracles.table import CASES

FILE = Path(__file__).parents[1] / "data" / "oracles.json"


def recorded() -> dict[str, Any]:
    """Return what tests/data/oracles.json holds, by the name of the row."""
    return json.loads(FILE.read_text("utf-8"))["cases"] if FILE.exists() else {}


def kind(one: Case, records: dict[str, Any]) -> str:
    """Return how a row is compared: "live", "recorded" or "missing"."""
    return "live" if one.library in LIVE else "recorded" if one.name in records else "missing"


def counts(rows: list[Case], records: dict[str, Any]) -> str:
    """Return the counts by library: `torch 2 live, schedulefree 3 recorded`."""
    found = Counter((kind(one, records), one.library) for one in rows)
    return ", ".join(f"{library} {number} {how}" for (how, library), number in sorted(found.items()))


def table() -> str:
    """Return one line a rule, and the sums."""
    records, rows = recorded(), list(CASES.values())
    rules = sorted({one.rule for one in rows})
    width = max(map(len, rules), default=0)
    lines = [f"{rule:{width}}  {counts([one for one in rows if one.rule == rule], records)}" for rule in rules]
    return "\n".join([*lines, "", f"{len(rows)} rows of {len(rules)} rules: {counts(rows, records)}"])


if __name__ == "__main__":
    print(table())  # noqa: T201
