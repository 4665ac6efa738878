"""What a comparison would run, what is there already, and how long the rest will take."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from thalweg import problems
from thalweg.lab.pool import epoch_seconds
from thalweg.lab.records import Record, Store
from thalweg.lab.study import Study
from thalweg.rules import RULES


@dataclass(frozen=True)
class Row:
    """One rule of the matrix."""

    rule: str
    title: str
    lrs: tuple[float, ...]
    runs: int
    recorded: int


@dataclass(frozen=True)
class Matrix:
    """The preview of a study.

    Attributes:
        title: the problem, in words.
        seconds: the estimate for the runs that are left, None where there are none.
        measured: what the estimate rests on, in words.
    """

    title: str
    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    epochs: int
    steps_per_epoch: int
    runs: int
    left: int
    workers: int
    seconds: float | None
    measured: str

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def matrix(study: Study, store: Store, recorded: Iterable[Record], workers: int) -> Matrix:
    """The preview of a study. Runs nothing; where nothing is recorded, one epoch is timed, with no rule and no trace.

    Raises WorkersError if it cannot be timed.
    """
    recorded = list(recorded)
    problem = problems.get(study.problem)
    each = study.rates * len(study.seeds)
    runs = each * len(study.rules)
    left = runs - len(recorded)
    if recorded:
        measured = "by the runs that are recorded"
        a_run = statistics.fmean(record["seconds"]["total"] for record in recorded)
    else:
        measured = "by an epoch without updates, timed now"
        a_run = study.epochs * epoch_seconds(study.problem, store, workers)
    return Matrix(
        title=problem.title,
        rows=tuple(
            Row(
                rule=name,
                title=RULES[name].title,
                lrs=tuple(study.lrs[name]),
                runs=each,
                recorded=sum(record["rule"] == name for record in recorded),
            )
            for name in study.rules
        ),
        seeds=study.seeds,
        epochs=study.epochs,
        steps_per_epoch=problem.steps_per_epoch,
        runs=runs,
        left=left,
        workers=min(workers, max(left, 1)),
        seconds=left * a_run / min(workers, left) if left else None,
        measured=measured,
    )
