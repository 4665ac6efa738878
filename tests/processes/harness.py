"""Programs in processes of their own; one that hangs is ended with all that it has started, and fails the test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0  # seconds, for what takes one or two


def run(program, *arguments, patience=PATIENCE):
    """Run `python -m tests.processes.PROGRAM`; return its output. It has to end well, without a complaint."""
    command = [sys.executable, "-W", "error", "-X", "faulthandler", "-m", f"tests.processes.{program}"]
    ran = finished([*command, *map(str, arguments)], patience)
    assert (ran.stderr, ran.returncode) == ("", 0)
    return ran.stdout


def finished(command, patience=PATIENCE):
    """Run a command to its end, or fail."""
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        output, complaints = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGABRT)  # faulthandler shows where each thread is
        output, complaints = process.communicate()
        pytest.fail(f"{command} hangs after {patience} seconds\n{output}\n{complaints}")
    return subprocess.CompletedProcess(command, process.returncode, output, complaints)
