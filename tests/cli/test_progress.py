"""What is shown while runs are done: a panel that counts right, plain lines where there is no terminal."""

from __future__ import annotations

import io
import os
import re
import sys

import pytest
from rich.console import Console

from thalweg.lab.records import CURVES
from thalweg.lab.study import Study
from thalweg.report import progress
from thalweg.report.progress import Board, clock, watch
from thalweg.rules import RULES

STUDY = Study.declare("digits", ["sgd", "adam"], [0.01, 0.1, 1.0], 2, 3)


def record(rule, lr, seed, metrics, status="ok", seconds=0.5):
    """As much of a record as is shown."""
    curve = {"epoch": list(range(len(metrics)))} | dict.fromkeys(CURVES, metrics)
    return {"rule": rule, "lr": lr, "seed": seed, "status": status, "curve": curve, "seconds": {"total": seconds}}


DONE = [
    record("sgd", 0.1, 0, [0.1, 0.5, 0.6, 0.70]),
    record("adam", 0.1, 0, [0.1, 0.8, 0.9, 0.95]),
    record("sgd", 0.01, 0, [0.1, 0.1, 0.1, 0.12]),
    record("adam", 0.1, 1, [0.1, 0.8, 0.9, 0.99]),
    record("adam", 1.0, 0, [0.1, 0.99], "diverged"),
]


def drawn(board):
    console = Console(file=io.StringIO(), width=80, color_system=None, legacy_windows=False)
    console.print(board)
    return console.file.getvalue()


def row(text, rule):
    return next(line for line in text.splitlines() if line.startswith(rule))


def test_the_panel_says_what_is_known_so_far():
    board = Board(STUDY, DONE[:1], 2)
    for one in DONE[1:]:
        board.show(one)
    board.show(None)
    text = drawn(board)
    assert "5 of 12 runs, 1 failed" in text
    # Heights, worked by hand: of six steps between an error of 0.9 and one of 0.01, by powers; errors of 0.2, 0.1 and,
    # for the two seeds together, 0.05 and 0.01, are 2.0, 2.9 and 4.9; errors of 0.5, 0.4 and 0.3 are 0.8, 1.1 and 1.5.
    assert row(text, "Adam").split()[1:] == ["·▆×", "0.1", "0.970", "▁▃▄▆", "1"]
    assert row(text, RULES["sgd"].title).split()[1:] == ["▁▂·", "0.1", "0.700", "▁▂▂▂", "-"]
    assert board.best() == ("adam", 0.1, pytest.approx(0.97))


def test_a_rate_at_which_a_seed_diverged_comes_after_those_at_which_none_did():
    ok = [record("adam", 0.1, 0, [0.1, 0.2, 0.3, 0.5])]
    both = [record("adam", 1.0, 0, [0.1, 0.9, 0.9, 0.9]), record("adam", 1.0, 1, [0.1], "diverged")]
    assert Board(STUDY, ok + both, 2).best() == ("adam", 0.1, 0.5)


def test_lower_is_better_on_the_ravine():
    study = Study.declare("ravine", ["sgd", "adam"], [0.01, 0.1], 1, 3)
    board = Board(study, [record("sgd", 0.1, 0, [6.0, 5.0, 4.0, 3.0]), record("adam", 0.1, 0, [6.0, 3.0, 1.0, 0.5])], 2)
    assert board.best() == ("adam", 0.1, 0.5)
    assert "best so far Adam at 0.1, validation f(x, y) 0.50" in board.best_text()


def test_before_anything_has_finished_there_is_no_best():
    board = Board(STUDY, [record("adam", 1.0, 0, [0.1], "diverged")], 2)
    assert board.best() is None
    assert board.best_text() == "nothing has finished yet"
    assert row(drawn(board), RULES["sgd"].title).split()[1:] == ["···", "-", "-", "-"]


def test_the_panel_keeps_its_columns_and_fits_80():
    widths = set()
    study = Study.declare()
    board = Board(study, [], 2)
    for config in study.runs():
        board.show(record(config.rule, config.lr, config.seed, [0.1] + [0.5 + config.lr / 30] * 20))
        lines = drawn(board).splitlines()
        assert max(map(len, lines)) <= 80
        head = next(line for line in lines if line.startswith("rule"))
        widths.add(tuple(head.index(word) + len(word) for word in ("best", "accuracy", "diverged")))
    assert len(widths) == 1


def test_the_time_left_follows_the_pace(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    board = Board(STUDY, DONE[:1], 2)
    now[0] += 1
    assert board.times() == "0:01 elapsed, starting 2 workers"
    runs = [config for config in STUDY.runs() if (config.rule, config.lr, config.seed) != ("sgd", 0.1, 0)]
    for config, seconds in zip(runs[:6], [60.0, 50.0, 4.0, 4.0, 6.0, 4.0], strict=True):
        assert board.times() == "0:01 elapsed" or not board._taken
        board.show(record(config.rule, config.lr, config.seed, [0.1, 0.9], seconds=seconds))
    # 7 of 12 are done. 5 are left, of a median of (4 + 6) / 2 seconds each, for two workers.
    assert board.times() == "0:01 elapsed, about 0:12 left"
    board.show(None)
    assert board.times() == "0:01 elapsed, about 0:10 left"
    for config in runs[7:]:
        board.show(record(config.rule, config.lr, config.seed, [0.1, 0.9]))
    assert board.times() == "0:01 elapsed"


def test_without_a_terminal_there_are_plain_lines_and_few(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    runs = STUDY.runs()
    with watch(STUDY, [], 2, console) as display:
        for config in runs:
            now[0] += 1.0
            display.show(record(config.rule, config.lr, config.seed, [0.1, 0.9]))
    lines = console.file.getvalue().splitlines()
    assert lines[0] == "12 runs, none of them recorded yet"
    assert [re.match(r"\d+", line).group() for line in lines[1:]] == ["5", "10", "12"]
    assert "12 of 12 runs" in lines[-1]
    assert "\x1b" not in console.file.getvalue()


@pytest.mark.parametrize("environment, colours", [({}, True), ({"NO_COLOR": "1"}, False)])
def test_in_a_terminal_the_panel_is_drawn_and_gone_in_the_end(environment, colours):
    environ = {"TERM": "xterm-256color", "COLUMNS": "80", **environment}
    console = Console(file=io.StringIO(), force_terminal=True, _environ=environ, legacy_windows=False)
    with watch(STUDY, DONE, 2, console):
        pass
    shown = console.file.getvalue()
    assert "5 of 12 runs" in shown
    assert shown.endswith("\x1b[2K"), "the panel is erased, line by line"
    assert bool(re.search(r"\x1b\[[\d;]*38;", shown)) == colours


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"TERM": "unknown"}])
def test_a_terminal_that_cannot_redraw_gets_lines(environment):
    console = Console(file=io.StringIO(), force_terminal=True, _environ=environment, legacy_windows=False)
    with watch(STUDY, DONE, 2, console):
        pass
    assert console.file.getvalue().startswith("12 runs, 5 of them recorded already")


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals of POSIX")
def test_a_terminal_without_unicode_gets_lines():
    leader, follower = os.openpty()
    with os.fdopen(follower, "w", encoding="ascii") as file, os.fdopen(leader, "rb"):
        console = Console(file=file, _environ={"TERM": "xterm"})
        assert console.is_terminal
        with watch(STUDY, DONE, 2, console) as display:
            assert isinstance(display, progress.Lines)


@pytest.mark.parametrize(
    "seconds, text", [(0, "0:00"), (9.4, "0:09"), (125, "2:05"), (3599.6, "1:00:00"), (3725, "1:02:05")]
)
def test_clock(seconds, text):
    assert clock(seconds) == text
