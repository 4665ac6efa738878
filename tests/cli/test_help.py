"""Help and version: at once, and without what only the work needs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

import thalweg
from thalweg.cli import app


@pytest.mark.parametrize("arguments", [["--help"], ["compare", "--help"], ["--version"]])
def test_the_laboratory_is_not_imported_for_help(arguments):
    program = f"""
import sys
from thalweg.cli import app
try:
    app({arguments!r})
except SystemExit:
    pass
laboratory = {{"lab", "report", "problems", "nn", "engine", "optimizer", "rules.adam", "rules.descent"}}
print(sorted(name for name in sys.modules if name.split(".")[0] in ("numba", "sklearn", "scipy")
             or any(f"{{name}}.".startswith(f"thalweg.{{room}}.") for room in laboratory)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"


def test_version():
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.stdout) == (0, f"thalweg {thalweg.__version__}\n")


def test_help_names_every_option_and_the_default():
    text = CliRunner().invoke(app, ["compare", "--help"], env={"COLUMNS": "200"}).stdout
    for option in ("--problem", "--rules", "--lrs", "--seeds", "--epochs", "-j", "--json", "--out", "-n"):
        assert option in text
    assert "thalweg-compare" in text


def test_no_arguments_is_help():
    done = CliRunner().invoke(app, [])
    assert done.exit_code == 2
    assert "compare" in done.output
