"""`thalweg compare`, as a person types it: what is printed where, what is refused, what is done again and what not."""

from __future__ import annotations

import functools
import json
import re

import pytest
from typer.testing import CliRunner

from thalweg import problems
from thalweg.cli import app
from thalweg.lab import matrix, pool, timing
from thalweg.lab.run import run
from thalweg.lab.study import Study

TINY = ["--problem", "ravine", "--rules", "sgd,adam", "--lrs", "0.1,0.01", "--seeds", "2", "--epochs", "3"]
STUDY = Study.declare("ravine", ["sgd", "adam"], [0.1, 0.01], 2, 3)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "a folder"


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """Messages are looked for in lines that are not broken."""
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("TERMINAL_WIDTH", "300")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Updates are timed for a moment instead of a second, and an epoch for the preview not at all."""
    monkeypatch.setattr(timing, "measure", functools.partial(timing.measure, seconds=0.01))
    monkeypatch.setattr(matrix, "epoch_seconds", lambda *_: 0.01)


@pytest.fixture
def started(monkeypatch):
    """How many runs there were to do, call by call. They are done here: what workers do is not what is looked at."""
    counts = []

    def run_here(configs, store, workers, on_event):
        counts.append(len(configs))
        for config in configs:
            store.write(run(config))
            on_event(pool.Done(config, store.read(config.key)))
        return []

    monkeypatch.setattr(pool, "run_all", run_here)
    return counts


def compare(*arguments):
    return CliRunner().invoke(app, ["compare", *map(str, arguments)])


def records(out):
    return {path.name: path.stat().st_mtime_ns for path in (out / "records").iterdir()}


def test_it_runs_prints_a_table_and_writes_a_page(out):
    done = compare(*TINY, "--out", out, "-j", 2)
    assert done.exit_code == 0, done.output
    assert records(out).keys() == {f"{config.key}.json" for config in STUDY.runs()}
    assert "Adam" in done.stdout
    assert done.stdout.splitlines()[-1] == str(out / "report.html")
    assert (out / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert json.loads((out / "study.json").read_text())["command"] == STUDY.command
    assert set(json.loads((out / "timing.json").read_text())) == {"sgd", "adam"}
    assert sorted(path.name for path in out.iterdir()) == ["records", "report.html", "study.json", "timing.json"]
    assert "8 of 8 runs" in done.stderr
    assert "\x1b" not in done.output


def test_the_same_command_does_only_the_rest(out, started):
    compare(*TINY, "--out", out)
    before = records(out)
    for name in list(before)[:3]:
        (out / "records" / name).unlink()
    done = compare(*TINY, "--out", out)
    assert done.exit_code == 0
    assert started == [8, 3]
    after = records(out)
    assert after.keys() == before.keys()
    assert {name: after[name] for name in list(before)[3:]} == {name: before[name] for name in list(before)[3:]}


def test_a_finished_comparison_is_only_shown_again(out, started):
    first = compare(*TINY, "--out", out)
    before = records(out), (out / "timing.json").stat().st_mtime_ns
    (out / "report.html").unlink()
    again = compare(*TINY, "--out", out)
    assert again.exit_code == 0
    assert again.stdout == first.stdout
    assert again.stderr == ""
    assert started == [8]
    assert (records(out), (out / "timing.json").stat().st_mtime_ns) == before
    assert (out / "report.html").exists()


def test_another_study_in_the_same_folder_uses_what_it_shares(out, started):
    compare(*TINY, "--out", out)
    done = compare(*TINY, "--seeds", 3, "--out", out)
    assert done.exit_code == 0
    assert started == [8, 4]


def test_a_damaged_record_is_named_and_done_again(out, started):
    compare(*TINY, "--out", out)
    name = next(iter(records(out)))
    (out / "records" / name).write_text("half a rec")
    done = compare(*TINY, "--out", out)
    assert done.exit_code == 0
    assert name in done.stderr
    assert "its run is done again" in done.stderr
    assert started == [8, 1]
    json.loads((out / "records" / name).read_text())


def test_the_preview_runs_nothing_and_writes_nothing(out, started):
    done = compare(*TINY, "--out", out, "-n")
    assert done.exit_code == 0, done.output
    assert "2 rules × 2 rates × 2 seeds = 8 runs of 3 epochs (1 step each)" in done.stdout
    assert re.search(r"(?i)^SGD +0\.01 0\.1 +4 +0$", done.stdout, re.MULTILINE)
    assert re.search(r"8 runs to do: about \d:\d\d on ", done.stdout)
    assert started == []
    assert not out.exists()


def test_the_preview_counts_what_is_recorded(out, started):
    compare(*TINY, "--out", out)
    done = compare(*TINY, "--seeds", 3, "--out", out, "-n")
    assert re.search(r"^Adam +0\.01 0\.1 +6 +4$", done.stdout, re.MULTILINE)
    assert "4 runs to do" in done.stdout
    assert "nothing is left to run" in compare(*TINY, "--out", out, "-n").stdout
    assert len(records(out)) == 8


def test_the_preview_as_json(out, started):
    done = compare(*TINY, "--out", out, "-n", "--json", "-j", 3)
    preview = json.loads(done.stdout)
    assert (preview["runs"], preview["left"], preview["workers"]) == (8, 8, 3)
    assert preview["seconds"] == pytest.approx(8 * 3 * 0.01 / 3)
    assert preview["rows"][0]["lrs"] == [0.01, 0.1]


def test_json_is_all_that_is_on_standard_output(out, started):
    done = compare(*TINY, "--out", out, "--json")
    assert done.exit_code == 0
    summary = json.loads(done.stdout)
    assert {rule["rule"] for rule in summary["rules"]} == {"sgd", "adam"}
    assert str(out / "report.html") in done.stderr


def test_a_run_that_fails_is_named_the_rest_is_shown_and_the_code_is_1(out):
    first = STUDY.runs()[0]
    (out / "records" / f"{first.key}.json").mkdir(parents=True)
    done = compare(*TINY, "--out", out)
    assert done.exit_code == 1
    assert re.search(rf"1 failed: .*{first.key}.*: {re.escape(first.label)}", done.stderr)
    assert "Adam" in done.stdout
    assert (out / "report.html").exists()


def test_workers_that_cannot_start_are_said_and_the_code_is_1(out, monkeypatch):
    monkeypatch.setattr(pool, "_BOOT", "raise SystemExit('no numbers today')")
    done = compare(*TINY, "--out", out)
    assert done.exit_code == 1
    assert "no numbers today" in done.stderr
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--rules", "adamm"], "'adamm' is not a rule here. Did you mean 'adam'? Legal: sgd, momentum"),
        (["--rules", "adam[lr]"], "'adam[lr]' is not a rule here. Did you mean 'adam'?"),
        (["--rules", ","], "at least one rule"),
        (["--problem", "digts"], "'digts' is not a problem here. Did you mean 'digits'?"),
        (["--lrs", "nan"], "A learning rate is a finite number above 0, such as 0.01 or 1e-3, not nan"),
        (["--lrs", "0.1,inf"], "A learning rate is a finite number above 0, such as 0.01 or 1e-3, not inf"),
        (["--lrs", "-1"], "A learning rate is a finite number above 0, such as 0.01 or 1e-3, not -1.0"),
        (["--lrs", "0"], "A learning rate is a finite number above 0, such as 0.01 or 1e-3, not 0.0"),
        (["--lrs", "0.1,abc"], "A learning rate is a finite number above 0, such as 0.01 or 1e-3, not 'abc'"),
        (["--lrs", ","], "at least one"),
        (["--seeds", "0"], "seeds must be a whole number, 1 or more, not 0"),
        (["--seeds", "many"], "--seeds"),
        (["--epochs", "-5"], "epochs must be a whole number, 1 or more, not -5"),
        (["-j", "0"], "-j must be a whole number, 1 or more, not 0"),
        (["--frobnicate"], "--frobnicate"),
    ],
)
@pytest.mark.parametrize("preview", [[], ["-n"]])
def test_what_is_not_legal_is_refused_with_what_is(out, started, arguments, message, preview):
    done = compare(*TINY, "--out", out, *arguments, *preview)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stdout == ""
    assert started == []
    assert not out.exists()


@pytest.mark.parametrize("below", ["", "records", "deep/er"])
@pytest.mark.parametrize("preview", [[], ["-n"]])
def test_a_folder_that_is_a_file_is_refused(tmp_path, below, preview):
    file = tmp_path / "file"
    file.write_text("mine")
    done = compare(*TINY, "--out", file / below, *preview)
    assert done.exit_code == 2
    assert f"{file} is a file" in done.stderr
    assert file.read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    done = compare(*TINY, "--out", tmp_path / ("x" * 300))
    assert done.exit_code == 2
    assert "--out is" in done.stderr


def test_a_folder_in_which_nothing_can_be_written_is_refused(out, monkeypatch):
    monkeypatch.setattr("os.access", lambda place, mode: False)
    done = compare(*TINY, "--out", out)
    assert done.exit_code == 2
    assert "cannot be written to" in done.stderr


def test_a_file_in_the_place_of_the_records_is_refused(out, started):
    out.mkdir()
    (out / "records").write_text("mine")
    done = compare(*TINY, "--out", out)
    assert done.exit_code == 2
    assert "cannot be written to" in done.stderr
    assert (out / "records").read_text() == "mine"


def test_a_full_disk_is_a_message_and_no_traceback(out, monkeypatch, started):
    compare(*TINY, "--out", out)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("thalweg.report.page.write", full)
    done = compare(*TINY, "--out", out)
    assert done.exit_code == 1
    assert "No space left on device" in done.stderr


def test_all_runs_diverged_is_a_result(out, started):
    done = compare("--rules", "sgd", "--lrs", "1e6,1e7", "--seeds", 1, "--epochs", 1, "--out", out)
    assert done.exit_code == 0, done.output
    found = [json.loads((out / "records" / name).read_text())["status"] for name in records(out)]
    assert found == ["diverged"] * 2
    assert "RuntimeWarning" not in done.output


@pytest.mark.parametrize("problem", problems.NAMES)
def test_every_problem_can_be_previewed_without_options(out, problem, started):
    done = compare("--problem", problem, "--out", out, "-n", "--json")
    assert json.loads(done.stdout)["runs"] == 162
