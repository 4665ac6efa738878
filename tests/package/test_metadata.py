"""What pyproject.toml promises is what is there."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import thalweg
from tools import lock

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "thalweg"
TEXT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PROJECT = tomllib.loads(TEXT)["project"]

# What stands in `import` -> the package that brings it.
CORE = {"numpy": "numpy", "numba": "numba", "llvmlite": "numba", "ml_dtypes": "ml_dtypes"}
LAB = {"typer": "typer", "click": "typer", "rich": "rich", "sklearn": "scikit-learn"}
LAB_FILES = ("problems/", "lab/", "report/", "cli.py")


def names(requirements):
    return {re.match(r"[\w.-]+", line).group() for line in requirements}


def foreign_imports(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found = [node.module]
        else:
            continue
        yield from (
            top for top in (name.split(".")[0] for name in found) if top not in {*sys.stdlib_module_names, "thalweg"}
        )


def test_every_import_belongs_to_a_declared_package():
    core, lab = names(PROJECT["dependencies"]), names(PROJECT["optional-dependencies"]["lab"])
    seen = set()
    for file in SOURCE.rglob("*.py"):
        place = file.relative_to(SOURCE).as_posix()
        for top in foreign_imports(file):
            seen.add(top)
            if top in LAB:
                assert LAB[top] in lab
                assert place.startswith(LAB_FILES), f"{place} imports {top}, which only the laboratory may ask for"
            elif top == "scipy":
                assert top in names(PROJECT["optional-dependencies"]["scipy"])
                assert place.startswith("minimization/"), f"{place} imports scipy, which only `minimize` may ask for"
            else:
                assert CORE.get(top) in core, f"{place} imports {top}, which pyproject.toml does not ask for"
    assert {"numpy", "numba"} <= seen


def test_the_version_is_said_once_and_the_same_everywhere():
    assert thalweg.__version__ == PROJECT["version"]
    try:
        installed = importlib.metadata.version("thalweg")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("thalweg is not installed here, only on the path")
    assert installed == PROJECT["version"]


def test_the_promised_pythons_are_those_of_the_lock():
    said = tuple(line.rsplit(" ", 1)[1] for line in PROJECT["classifiers"] if "Python :: 3." in line)
    assert said == lock.PYTHONS
    assert PROJECT["requires-python"] == f">={lock.PYTHONS[0]}"


def test_each_rule_that_ruff_leaves_out_has_its_reason():
    table = TEXT[TEXT.index("[tool.ruff.lint]") : TEXT.index("[tool.ruff.lint.mccabe]")]
    left_out = re.findall(r'^ +"[A-Z]+\d*",(.*)$', table, re.MULTILINE)
    assert len(left_out) > 20
    assert all(re.match(r" *# \S", rest) for rest in left_out)


def test_the_wheel_holds_the_package_and_nothing_else(tmp_path):
    pytest.importorskip("hatchling", reason="the build backend hatchling is not installed")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
        entry_points = archive.read(f"thalweg-{PROJECT['version']}.dist-info/entry_points.txt").decode()
    info = {name for name in held if ".dist-info/" in name}
    assert any(name.endswith("/licenses/LICENSE") for name in info)
    assert "thalweg = thalweg.__main__:main" in entry_points
    assert "thalweg/py.typed" in held
    wanted = {f"thalweg/{file.relative_to(SOURCE).as_posix()}" for file in SOURCE.rglob("*.py")}
    assert wanted <= held - info
    assert all(name.startswith("thalweg/") for name in held - info)
