"""The commands: there, documented, and within what GNU make 3.81 knows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
DOCUMENTED = re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE)


def make(*arguments, cwd=ROOT):
    program = shutil.which("make")
    if program is None:
        pytest.skip("there is no make")
    # A make that runs these tests must not speak to the one that they run.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run([program, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_target_is_phony_and_explained():
    targets = re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE)
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE).group(1).split()
    assert targets == DOCUMENTED == phony


def test_make_alone_lists_the_commands():
    listed = re.findall(r"^make ([a-z-]+)", make(), re.MULTILINE)
    assert listed == DOCUMENTED


@pytest.mark.parametrize("target", DOCUMENTED)
def test_each_command_can_be_planned_in_a_folder_with_spaces(target, tmp_path):
    folder = tmp_path / "a folder" / "with spaces"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    assert make("-n", target, cwd=folder).strip()


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", ".ci/run"])
def test_the_documents_name_commands_that_exist(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    lines = re.findall(r"`make ((?:[a-z-]+ ?)+)`|^ *make ((?:[a-z-]+ ?)+)", text, re.MULTILINE)
    named = {name for line in lines for part in line for name in part.split()}
    assert named
    assert named <= set(DOCUMENTED)


def test_nothing_that_make_3_81_does_not_know():
    newer = r"!=|&:|::=|^\.ONESHELL|^undefine|\$\(file |\$\(guile |\$\(let |\$\(intcmp |\.SHELLFLAGS|^-?load "
    assert not re.search(newer, MAKEFILE, re.MULTILINE)


def test_nothing_is_exported():
    assert not re.search(r"^\s*(?:export|unexport|\.EXPORT)", MAKEFILE, re.MULTILINE)
