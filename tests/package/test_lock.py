"""The lock file: complete, hashed, without an address of any host, and made from the pyproject.toml beside it."""

from __future__ import annotations

import re
import shutil
import sys

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import lock

TEXT = lock.LOCK.read_text(encoding="utf-8")
PIN = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[\w.!]+)(?P<marker> ; .+)?")


def entries():
    """Of each package its pin and its hashes."""
    body = TEXT.removeprefix(lock.header()).replace(" \\\n", "")
    return [re.split(r" +--hash=", line) for line in body.splitlines()]


def test_each_package_has_one_version_and_hashes():
    for pin, *hashes in entries():
        assert PIN.fullmatch(pin), pin
        assert hashes, f"{pin} has no hash"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", value) for value in hashes), pin


def test_it_names_no_host_and_no_file_of_a_machine():
    assert not re.search(
        r"://|@ |\bfile:|--(?:extra-)?index|--find-links|\.(?:com|org|net|io)\b|^/|[ =]/", TEXT, re.MULTILINE
    )


def test_it_fulfils_what_the_project_asks_for():
    pinned = {found["name"]: found["version"] for pin, *_ in entries() if (found := PIN.fullmatch(pin))}
    assert len(pinned) == len(entries())
    for line in lock.asked():
        requirement = Requirement(line)
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier


def test_constraints_are_the_pins_without_hashes():
    assert lock.pins() == [pin for pin, *_ in entries()]


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A copy of the two files, which the lock's script takes for the project's."""
    shutil.copy(lock.ROOT / "pyproject.toml", tmp_path)
    shutil.copy(lock.LOCK, tmp_path)
    monkeypatch.setattr(lock, "ROOT", tmp_path)
    monkeypatch.setattr(lock, "LOCK", tmp_path / lock.LOCK.name)
    monkeypatch.setattr(sys, "argv", ["lock.py", "--check"])
    return tmp_path


def test_it_is_fresh(elsewhere):
    lock.main()


@pytest.mark.parametrize(
    "old, new",
    [
        ('"numpy>=', '"numpy>2.'),
        ('"rich>=', '"textual", "rich>='),
        ("hatchling>=", "hatchling>1."),
        ('    "ruff', '    # "ruff'),
    ],
)
def test_a_change_of_what_is_asked_for_makes_it_stale(elsewhere, old, new):
    project = elsewhere / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    assert old in text
    project.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(SystemExit, match="make lock"):
        lock.main()


def test_a_change_of_something_else_does_not(elsewhere):
    project = elsewhere / "pyproject.toml"
    project.write_text(
        project.read_text(encoding="utf-8").replace("line-length = 120", "line-length = 100"), encoding="utf-8"
    )
    lock.main()


def test_without_uv_it_says_what_to_install(elsewhere, monkeypatch):
    monkeypatch.setenv("PATH", str(elsewhere))
    with pytest.raises(SystemExit, match="pip install uv"):
        lock.run_uv("--version")
