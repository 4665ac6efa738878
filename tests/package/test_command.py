"""What is imported when, and what the command says where the laboratory is not installed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("numba", "llvmlite", "sklearn", "scipy", "typer", "rich", "safetensors", "ml_dtypes")


def python(program, *arguments):
    command = [sys.executable, "-W", "error", "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def imported_by(program):
    done = python(f"import json, sys\n{program}\nprint(json.dumps(sorted(sys.modules)))")
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_thalweg_costs_numpy_at_most():
    modules = imported_by("import thalweg")
    assert modules.isdisjoint(HEAVY)
    assert not any(name.startswith("thalweg.rules.") for name in modules)


@pytest.mark.parametrize("arguments", [["--help"], ["compare", "--help"], ["--version"]])
def test_help_imports_no_numerical_library(arguments):
    modules = imported_by(f"""
import contextlib, io, sys
sys.argv = ["thalweg", *{arguments!r}]
from thalweg.__main__ import main
try:
    with contextlib.redirect_stdout(io.StringIO()):
        main()
except SystemExit as end:
    assert not end.code, end.code
""")
    assert "typer" in modules
    assert modules.isdisjoint({"numba", "llvmlite", "sklearn", "scipy"})


@pytest.mark.parametrize("blocked, package", [("typer", "typer"), ("rich", "rich"), ("sklearn", "scikit-learn")])
def test_without_the_laboratory_the_command_says_what_to_install(blocked, package):
    done = python(f"""
import runpy, sys
sys.modules[{blocked!r}] = None  # as if it were not installed
sys.argv = ["thalweg", "compare"]
runpy.run_module("thalweg", run_name="__main__", alter_sys=True)
""")
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"no {package}" in done.stderr
    assert 'pip install "thalweg[lab]"' in done.stderr
    assert "Traceback" not in done.stderr
