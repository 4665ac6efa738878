"""Ctrl-C, SIGTERM and kill -9, sent for real: records stay, nothing else stays behind, the same command resumes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

RUNS = 2 * 2 * 4
COMMAND = [sys.executable, "-W", "error", "-m", "thalweg", "compare", "--problem", "ravine", "--rules", "sgd,adam"]
COMMAND += ["--lrs", "0.1,0.01", "--seeds", "4", "--epochs", "1200", "-j", "2"]


def begin(out):
    """The command, once its first runs are recorded, and its workers."""
    process = subprocess.Popen(
        [*COMMAND, "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a terminal of its own, as far as signals go
    )
    patience = time.monotonic() + 60
    while len(records(out)) < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < patience
        time.sleep(0.005)
    return process, children(process.pid)


def records(out):
    folder = out / "records"
    return {p: p.stat().st_mtime_ns for p in folder.iterdir() if p.suffix == ".json"} if folder.is_dir() else {}


def children(pid):
    """The processes of that parent. Empty where there is no /proc, and then nothing is asserted of them."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def gone(pids, patience=20.0):
    """Whether those processes have ended (a zombie whose parent is init has)."""
    end = time.monotonic() + patience
    while any(Path(f"/proc/{pid}").exists() and state(pid) != "Z" for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def finish(out):
    command = [*COMMAND, "--out", str(out), "--json"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_command_ends_says_what_is_recorded_and_resumes(tmp_path, number, code):
    process, workers = begin(tmp_path)
    os.killpg(process.pid, number)  # Ctrl-C goes to everything in the foreground of a terminal
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == code, stderr
    assert stdout == ""
    kept = records(tmp_path)
    assert 2 <= len(kept) < RUNS, "the runs were over before the signal came: make them longer"
    assert f"{len(kept)} of {RUNS} runs are recorded in {tmp_path}; the same command resumes." in stderr
    assert "Traceback" not in stderr
    assert all(not Path(f"/proc/{pid}").exists() for pid in workers), "no worker and no zombie is left"
    for path in (tmp_path / "records").iterdir():
        json.loads(path.read_text())  # whole records, and nothing else

    done = finish(tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["runs"] == {"declared": RUNS, "missing": 0, "diverged": 0}
    assert {path: when for path, when in records(tmp_path).items() if path in kept} == kept
    assert len(records(tmp_path)) == RUNS


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_every_run_is_done_once(tmp_path):
    process, workers = begin(tmp_path)
    if not workers:
        pytest.skip("needs /proc to find the workers")
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    assert len(records(tmp_path)) == RUNS
    assert "failed" not in stderr


@pytest.mark.slow
def test_when_the_command_is_killed_its_workers_end_and_the_records_stay(tmp_path):
    process, workers = begin(tmp_path)
    process.kill()
    process.communicate()
    assert gone(workers)
    kept = records(tmp_path)
    assert 2 <= len(kept) < RUNS
    done = finish(tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path: when for path, when in records(tmp_path).items() if path in kept} == kept
