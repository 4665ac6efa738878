"""The setup: what is repeated when, what an interruption leaves behind, and what it says where it cannot work."""

from __future__ import annotations

import importlib.util
import shutil
import sys

import pytest

from tools import install

ENVIRONMENT = ["venv", "pip of the lock"]
PROJECT = ["pip of the project"]


class Checkout:
    """A checkout in which a step is only noted down, or fails."""

    def __init__(self, root):
        self.root = root
        self.done = []
        self.failing = None
        (root / "requirements.lock").write_text("numpy==2.0 --hash=sha256:0\n")
        (root / "pyproject.toml").write_text("[project]\n")

    def run(self, what, *command):
        del what
        name = (
            "venv"
            if "venv" in command
            else "pip of the lock"
            if "--require-hashes" in command
            else "pip of the project"
        )
        if name == self.failing:
            sys.exit("failed")
        self.done.append(name)
        if name == "venv":
            shutil.rmtree(install.VENV, ignore_errors=True)
            install.PYTHON.parent.mkdir(parents=True, exist_ok=True)
            install.PYTHON.touch()

    def setup(self):
        self.done.clear()
        install.main()
        return self.done


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    root = tmp_path / "a folder with spaces"
    root.mkdir()
    fake = Checkout(root)
    monkeypatch.setattr(install, "ROOT", root)
    monkeypatch.setattr(install, "VENV", root / ".venv")
    monkeypatch.setattr(install, "LOCK", root / "requirements.lock")
    monkeypatch.setattr(install, "PROJECT", root / "pyproject.toml")
    monkeypatch.setattr(install, "PYTHON", root / ".venv" / "bin" / "python")
    monkeypatch.setattr(install, "run", fake.run)
    return fake


def test_what_is_done_is_not_done_again(checkout):
    assert checkout.setup() == ENVIRONMENT + PROJECT
    assert checkout.setup() == []


def test_another_lock_means_another_environment(checkout):
    checkout.setup()
    install.LOCK.write_text("numpy==2.1 --hash=sha256:1\n")
    assert checkout.setup() == ENVIRONMENT + PROJECT
    assert checkout.setup() == []


def test_another_pyproject_means_the_project_only(checkout):
    checkout.setup()
    install.PROJECT.write_text("[project]\nname = 'other'\n")
    assert checkout.setup() == PROJECT


def test_another_python_or_folder_means_another_environment(checkout, monkeypatch):
    checkout.setup()
    monkeypatch.setattr(sys, "version_info", (3, sys.version_info[1] + 1, 0))
    assert checkout.setup() == ENVIRONMENT + PROJECT
    moved = checkout.root / "moved"
    monkeypatch.setattr(install, "ROOT", moved)
    assert checkout.setup() == ENVIRONMENT + PROJECT


def test_an_environment_whose_python_is_gone_is_made_again(checkout):
    checkout.setup()
    install.PYTHON.unlink()
    assert checkout.setup() == ENVIRONMENT + PROJECT


@pytest.mark.parametrize("step", ENVIRONMENT + PROJECT)
def test_what_failed_is_repaired_by_the_next_run(checkout, step):
    checkout.setup()
    install.LOCK.write_text("numpy==2.1 --hash=sha256:1\n")
    checkout.failing = step
    with pytest.raises(SystemExit):
        checkout.setup()
    checkout.failing = None
    assert checkout.setup() == (PROJECT if step in PROJECT else ENVIRONMENT + PROJECT)


@pytest.mark.parametrize(
    "file, step", [("requirements.lock", "pip of the lock"), ("pyproject.toml", "pip of the project")]
)
def test_going_back_after_a_failure_does_the_step_again(checkout, file, step):
    checkout.setup()
    before = (checkout.root / file).read_text()
    (checkout.root / file).write_text("something else\n")
    checkout.failing = step
    with pytest.raises(SystemExit):
        checkout.setup()
    checkout.failing = None
    (checkout.root / file).write_text(before)
    assert step in checkout.setup()


def test_a_python_that_is_too_old_is_told_which_one_is_needed(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 13))
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer; this is Python 3\.10 .*\n.*make PYTHON="):
        install.main()


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_where_venv_is_missing_the_message_names_the_package(monkeypatch, module):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == module else find_spec(name))
    with pytest.raises(SystemExit, match=rf"has no {module}(?s:.*)python3\.\d+-venv \(or python3-venv\)"):
        install.main()


def test_a_failing_step_says_which_one_it_was(capfd):
    with pytest.raises(SystemExit, match=r"failed, for the reason above: an example\.\nThe next run starts again"):
        install.run("an example", sys.executable, "-c", "raise SystemExit('the reason')")
    assert "the reason" in capfd.readouterr().err


def test_settings_that_would_break_the_setup_do_not_reach_it(monkeypatch, capfd):
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    program = "import os; print(os.environ['PIP_USER'], os.environ.get('PYTHONPATH'))"
    install.run("an example", sys.executable, "-c", program)
    assert "0 None" in capfd.readouterr().out
