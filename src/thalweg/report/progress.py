"""What a person sees while a comparison runs: the rules side by side, learning; plain lines where no terminal is."""

from __future__ import annotations

import math
import statistics
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from thalweg import problems
from thalweg.lab import formats
from thalweg.lab.measure import Measure
from thalweg.lab.records import Record
from thalweg.lab.study import Study
from thalweg.report.style import styles
from thalweg.rules import RULES

LEVELS = "▁▂▃▄▅▆▇"
"""From what knows nothing to as good as it gets. The full block is left out: it would touch the line above."""
NEARLY_PERFECT = 0.99
PLAIN_SECONDS = 5.0
"""Where there is no terminal, at most one line in this many seconds."""
_PACE = 3  # runs of each worker, before anything is said of the time left
_RECENT = 50  # runs from which the pace is taken
_CURVE_WIDTH = 21
_BAR_WIDTH = 30


class Display(Protocol):
    """What shows the progress of a study."""

    def show(self, record: Record | None) -> None:
        """Another run is done; without a record, it has failed."""


@contextmanager
def watch(study: Study, recorded: Iterable[Record], workers: int, console: Console) -> Iterator[Display]:
    """Show the progress of a study's runs while the block lasts.

    In a terminal a panel is redrawn in place, and gone in the end; elsewhere lines are written, a few a minute.

    Args:
        study: what is declared.
        recorded: the runs that were there before.
        workers: how many processes are at work.
        console: where to; its standard error, since standard output is for results.
    """
    board = Board(study, recorded, workers)
    # What cannot show the blocks of a sparkline is not a terminal for this purpose.
    if console.is_terminal and not console.is_dumb_terminal and not console.options.ascii_only:
        with Live(board, console=console, refresh_per_second=5, transient=True):
            yield board
    else:
        yield Lines(board, console)


class Board:
    """The state of a comparison, and how it looks in a terminal. `show` and drawing may happen in different threads."""

    def __init__(self, study: Study, recorded: Iterable[Record], workers: int) -> None:
        problem = problems.get(study.problem)
        self._study = study
        self._title = problem.title
        self._measure = Measure.of(problem)
        self._workers = workers
        self._records: dict[str, dict[float, list[Record]]] = {
            rule: {lr: [] for lr in study.lrs[rule]} for rule in study.rules
        }
        self._titles = {rule: RULES[rule].title for rule in study.rules}
        self._colours = {rule: style.colour for rule, style in styles(study.rules).items()}
        self.total = len(study.rules) * study.rates * len(study.seeds)
        self.done = 0
        self.failed = 0
        for record in recorded:
            self._add(record)
        self._start = time.monotonic()
        self._taken: list[float] = []
        self._lock = threading.Lock()

    def show(self, record: Record | None) -> None:
        """As in `Display`."""
        with self._lock:
            if record:
                self._add(record)
                self._taken.append(record["seconds"]["total"])
            else:
                self.failed += 1

    def _add(self, record: Record) -> None:
        self._records[record["rule"]][record["lr"]].append(record)
        self.done += 1

    def times(self) -> str:
        """Elapsed, and what is left at the pace of late."""
        elapsed = f"{clock(time.monotonic() - self._start)} elapsed"
        left = self.total - self.done - self.failed
        if not left:
            return elapsed
        if not self._taken:
            return f"{elapsed}, starting {formats.plural(self._workers, 'worker')}"
        if len(self._taken) < _PACE * self._workers:
            return elapsed
        # The median, because the first run of a rule may wait for its kernel to be compiled.
        seconds = left * statistics.median(self._taken[-_RECENT:]) / self._workers
        return f"{elapsed}, about {clock(seconds)} left"

    def best(self) -> tuple[str, float, float] | None:
        """Rule, learning rate and mean validation metric of the best so far, of runs that finished."""
        found = [(rule, *best) for rule in self._study.rules if (best := self._best(rule))]
        return max(found, key=lambda entry: self._measure.score(entry[2]), default=None)

    def best_text(self) -> str:
        """The best so far in words."""
        best = self.best()
        if best is None:
            return "nothing has finished yet"
        rule, lr, value = best
        return f"best so far {self._titles[rule]} at {formats.number(lr)}, validation {self._value_text(value)}"

    def _best(self, rule: str) -> tuple[float, float] | None:
        """Learning rate and mean validation metric: fewest diverged, then the best mean, as the summary chooses."""
        tried = []
        for lr, records in self._records[rule].items():
            finished = [record["curve"]["val_metric"][-1] for record in records if record["status"] == "ok"]
            if spread := self._measure.spread(finished):
                mean = spread.centre
                tried.append((len(records) - len(finished), -self._measure.score(mean), lr, mean))
        return min(tried)[2:] if tried else None

    def _value_text(self, value: float) -> str:
        return f"{self._measure.title} {self._measure.text(value)}"

    # How it looks -----------------------------------------------------------------------------------------------------

    def __rich__(self) -> RenderableType:
        with self._lock:
            return Group(self._head(), self._progress(), Text(), self._table(), Text(), self._foot())

    def _head(self) -> Text:
        study = self._study
        matrix = f"{formats.plural(len(study.rules), 'rule')} × {formats.plural(study.rates, 'rate')} × "
        matrix += f"{formats.plural(len(study.seeds), 'seed')}, {formats.plural(study.epochs, 'epoch')} each"
        return Text.assemble((self._title, "bold"), (f"  {matrix}", "dim"))

    def _progress(self) -> Table:
        line = Table.grid(padding=(0, 2, 0, 0))
        bar = ProgressBar(
            self.total,
            self.done + self.failed,
            width=_BAR_WIDTH,
            complete_style="cyan",
            finished_style="cyan",
            style="dim",
        )
        failed = f", {self.failed} failed" if self.failed else ""
        line.add_row(bar, Text(f"{formats.of(self.done, self.total)} runs{failed}"), Text(self.times(), style="dim"))
        return line

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", show_edge=False)
        # Fixed widths: columns that move while one looks at them are no display.
        points = min(self._study.epochs + 1, _CURVE_WIDTH)
        table.add_column("rule", no_wrap=True)
        table.add_column("rates →", no_wrap=True)
        table.add_column("best", justify="right", no_wrap=True, min_width=len("0.00316"))
        table.add_column(self._measure.title, justify="right", no_wrap=True, min_width=len("1.2e-100"))
        table.add_column("learning curve", no_wrap=True, min_width=points)
        table.add_column("diverged", justify="right", no_wrap=True)
        best = self.best()
        for rule in self._study.rules:
            table.add_row(*self._row(rule, leads=best is not None and best[0] == rule))
        return table

    def _row(self, rule: str, *, leads: bool) -> Iterator[Text]:
        colour = self._colours[rule]
        style = "default" if colour.startswith("var(") else colour
        best = self._best(rule)
        diverged = sum(r["status"] == "diverged" for records in self._records[rule].values() for r in records)
        yield Text(self._titles[rule], style=f"bold {style}")
        yield self._strip(rule, style)
        yield Text(formats.number(best[0]) if best else "-")
        yield Text(self._measure.text(best[1]) if best else "-", style="bold" if leads else "")
        yield self._curve(self._records[rule][best[0]] if best else (), style)
        yield Text(str(diverged) if diverged else "-", style="red" if diverged else "dim")

    def _strip(self, rule: str, style: str) -> Text:
        """One character a learning rate: how high it got, × where a seed diverged, · where nothing has run yet."""
        strip = Text()
        for records in self._records[rule].values():
            if not records:
                strip.append("·", "dim")
            elif any(record["status"] == "diverged" for record in records):
                strip.append("×", "red")
            else:
                strip.append(self._level([record["curve"]["val_metric"][-1] for record in records]), style)
        return strip

    def _curve(self, records: Sequence[Record], style: str) -> Text:
        """The validation metric over the epochs, mean of the seeds that finished, at the best rate."""
        curves = [record["curve"]["val_metric"] for record in records if record["status"] == "ok"]
        points = list(zip(*curves, strict=True))
        width = min(len(points), _CURVE_WIDTH)
        chosen = [points[round(i * (len(points) - 1) / max(width - 1, 1))] for i in range(width)]
        return Text("".join(map(self._level, chosen)), style=style)

    def _level(self, values: Sequence[float]) -> str:
        """The mean of some values as a block. Of accuracies, powers of the error count: 0.98 is well above 0.95."""
        measure = self._measure

        def score(value: float) -> float:
            return measure.score(value) if measure.logarithmic else -math.log(1 - min(value, NEARLY_PERFECT))

        low = score(measure.chance)
        high = score(measure.targets[-1] if measure.logarithmic else NEARLY_PERFECT)
        height = (statistics.fmean(map(score, values)) - low) / (high - low)
        return LEVELS[round(min(max(height, 0.0), 1.0) * (len(LEVELS) - 1))]

    def _foot(self) -> Text:
        return Text("Ctrl-C stops; the same command goes on from there.", style="dim")


class Lines:
    """A comparison as plain lines: what was done, how long it takes, the best so far."""

    def __init__(self, board: Board, console: Console) -> None:
        self._board = board
        self._console = console
        self._next = time.monotonic() + PLAIN_SECONDS
        done = f"{board.done} of them recorded already" if board.done else "none of them recorded yet"
        self._write(f"{formats.plural(board.total, 'run')}, {done}")

    def show(self, record: Record | None) -> None:
        """As in `Display`."""
        board = self._board
        board.show(record)
        if time.monotonic() >= self._next or board.done + board.failed == board.total:
            self._next = time.monotonic() + PLAIN_SECONDS
            failed = f", {board.failed} failed" if board.failed else ""
            self._write(f"{formats.of(board.done, board.total)} runs{failed}, {board.times()}, {board.best_text()}")

    def _write(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def clock(seconds: float) -> str:
    """Minutes and seconds, 2:05; hours where there are any, 1:02:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
