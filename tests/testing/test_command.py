"""`thalweg check`: what it prints, what it exits with, and what it does not do to the file."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from tests.testing.handwritten import ADAM, IMPORT, MOMENTUM, SGD, changed
from thalweg.cli import app

WRONG = changed(MOMENTUM, ("self.momentum * self.v", "self.momentum + self.v"))


@pytest.fixture
def check(tmp_path):
    """Write a file, run the command on it, and return what came of it."""

    def run(source, target="", *arguments):
        path = tmp_path / "my_optimizer.py"
        path.write_text(source, encoding="utf-8")
        return CliRunner().invoke(app, ["check", f"{path}{target}", *arguments])

    return run


def test_a_known_rule(check):
    done = check(IMPORT + ADAM, ":Adam")
    assert done.exit_code == 0
    first, *rest = done.stdout.splitlines()
    assert first == "Adam: is adam[book], equal to the last bit over 100 steps"
    assert rest[-1] == "  numbers  lr = 0.001, beta1 = 0.9, beta2 = 0.999, eps = 1e-07 (eps found by trying)"
    assert done.stderr == ""


def test_a_slip(check):
    done = check(IMPORT + WRONG, ":Momentum")
    assert done.exit_code == 1
    assert done.stdout == (
        "Momentum: differs from momentum[book] at step 1; equal to it with `+` for `*` in front of the velocity\n"
        "  the rule  v = momentum * v - lr * g\n"
        "  this one  v = momentum + v - lr * g\n"
        "  numbers   lr = 0.01, momentum = 0.9\n"
    )


def test_an_error(check):
    done = check(IMPORT + changed(MOMENTUM, ("keys()", "key()")), ":Momentum")
    assert done.exit_code == 1
    assert done.stdout.startswith(
        "Momentum: a dict has no `key`: `keys()` is meant\n"
        "  line 15  for key in params.key():\n"
        "  Python   AttributeError: 'dict' object has no attribute 'key'\n"
        "  then     with that put right, it is momentum[book], equal to the last bit over 100 steps\n"
    )


def test_every_optimizer_of_a_file(check):
    done = check(IMPORT + SGD + WRONG)
    assert done.exit_code == 1
    assert [line for line in done.stdout.splitlines() if line[:1].strip()] == [
        "SGD: is sgd[book], equal to the last bit over 100 steps",
        "Momentum: differs from momentum[book] at step 1; equal to it with `+` for `*` in front of the velocity",
    ]


def test_an_object_or_a_factory_by_its_name(check):
    source = SGD + "\nopt = SGD(lr=0.25)\n\n\ndef make():\n    return SGD(lr=0.75)\n"
    assert "lr = 0.25" in check(source, ":opt").stdout
    assert "lr = 0.75" in check(source, ":make").stdout


def test_json(check):
    done = check(IMPORT + WRONG + 'print("the file speaks")\n', "", "--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)["optimizers"][0]
    assert found["outcome"] == "slip"
    assert found["rules"] == [{"name": "momentum", "convention": "book"}]
    assert found["slip"] == "with `+` for `*` in front of the velocity"
    assert found["parting"]["step"] == 1
    assert "the file speaks" in done.stderr


def test_numbers_for_the_constructor(check):
    needy = changed(SGD, ("lr=0.01", "lr"))
    done = check(needy, ":SGD")
    assert done.exit_code == 2
    assert "--set lr=0.01" in " ".join(done.stderr.split())
    done = check(needy, ":SGD", "--set", "lr=0.5")
    assert done.exit_code == 0
    assert "lr = 0.5" in done.stdout


def test_the_file_runs_once_and_leaves_nothing_behind(check, tmp_path):
    (tmp_path / "beside.py").write_text("LR = 0.125\n", encoding="utf-8")
    head = "import beside\nwith open(beside.__file__ + '.log', 'a') as log:\n    log.write('run ')\n"
    done = check(head + changed(SGD, ("lr=0.01", "lr=beside.LR")))
    assert done.exit_code == 0
    assert "lr = 0.125" in done.stdout
    assert (tmp_path / "beside.py.log").read_text(encoding="utf-8") == "run "
    assert sorted(p.name for p in tmp_path.iterdir()) == ["beside.py", "beside.py.log", "my_optimizer.py"]


def test_a_main_block_is_not_run(check):
    assert check(SGD + '\nif __name__ == "__main__":\n    raise SystemExit(7)\n').exit_code == 0


def test_classes_that_are_there_for_others_are_left_out(check):
    """A base class that needs arguments, an abstract one, and a dict that has an `update` of another kind."""
    source = """
import abc
class Optimizer:
    def __init__(self, lr):
        self.lr = lr
    def update(self, params, grads):
        raise NotImplementedError
class Abstract(abc.ABC):
    @abc.abstractmethod
    def update(self, params, grads): ...
class Settings(dict):
    pass
class Descent(Optimizer):
    def __init__(self, lr=0.5):
        super().__init__(lr)
    def update(self, params, grads):
        for key in params:
            params[key] -= self.lr * grads[key]
"""
    done = check(source)
    assert done.exit_code == 0
    assert [line for line in done.stdout.splitlines() if line[:1].strip()] == [
        "Descent: is sgd[book], equal to the last bit over 100 steps",
        "Optimizer is left out: Descent derives from it; FILE:Optimizer checks it",
        "Abstract is left out: it is abstract",
    ]
    found = json.loads(check(source, "", "--json").stdout)
    assert found["left_out"]["Abstract"] == "it is abstract"
    assert "Optimizer needs `lr`" in " ".join(check(source, ":Optimizer").stderr.split())


def test_one_class_that_cannot_be_asked_does_not_keep_the_others_from_it(check):
    needy = changed(SGD, ("class SGD", "class Needy"), ("lr=0.01", "lr"))
    done = check(SGD + needy)
    assert done.exit_code == 2
    assert done.stdout.startswith("SGD: is sgd[book]")
    assert "Needy is not checked: Needy needs `lr`" in done.stdout
    assert check(SGD + needy, "", "--set", "lr=0.5").exit_code == 0


@pytest.mark.parametrize(
    "head", [b"\xef\xbb\xbf# \xc3\xa4\n", b"# -*- coding: latin-1 -*-\n# \xe4\n"], ids=["mark", "line"]
)
def test_a_file_is_read_as_python_reads_it(tmp_path, head):
    path = tmp_path / "my_optimizer.py"
    path.write_bytes(head + changed(SGD, ("grads[key]", "grad[key]")).encode())
    done = CliRunner().invoke(app, ["check", str(path)])
    assert "there is no `grad` here: `grads` is meant" in done.stdout
    path.write_bytes(head + b"1 / 0\n")
    assert "1 / 0" in CliRunner().invoke(app, ["check", str(path)]).stdout


def test_a_file_sees_what_a_script_sees(check, tmp_path):
    """Imports while a step is taken, and no arguments: those are the command's."""
    (tmp_path / "folder_beside").mkdir()
    (tmp_path / "folder_beside" / "same.py").write_text("def same(x):\n    return x\n", encoding="utf-8")
    head = "import argparse\nargparse.ArgumentParser().parse_args()\nimport sys\nassert sys.argv == [__file__]\n"
    own = "        from folder_beside.same import same\n        for key"
    done = check(head + changed(SGD, ("        for key", own), ("* grads[key]", "* same(grads[key])")))
    assert done.exit_code == 0, done.stdout


@pytest.mark.parametrize("speak", ["print('spoken')", "os.write(1, b'spoken')", "os.system('echo spoken')"])
def test_what_the_file_prints_is_no_part_of_the_answer(tmp_path, speak):
    path = tmp_path / "my_optimizer.py"
    path.write_text(f"import os\n{speak}\n" + changed(SGD, ("        for key", f"        {speak}\n        for key")))
    command = [sys.executable, "-m", "thalweg", "check", str(path), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout)["optimizers"][0]["outcome"] == "equal"
    assert done.stderr.count("spoken") == 101


@pytest.mark.parametrize("place", ["        for key", "        self.lr"])
def test_an_optimizer_that_ends_python(check, place):
    done = check("import sys\n" + changed(SGD, (place, f"        sys.exit()\n{place}")))
    assert done.exit_code == 1
    assert done.stdout.startswith("SGD: Python is ended here (`sys.exit`): an optimizer takes its step and returns\n")


@pytest.mark.parametrize("source, said", [
    ("class Adam:\n    def update(self, params, grads)\n", ["line 2", "SyntaxError"]),
    ("x = np.zeros(3)\n" + SGD, ["line 1", "`import numpy as np` is missing at the top of the file"]),
    ("import no_such_module_at_all\n", ["line 1", "ModuleNotFoundError: No module named 'no_such_module_at_all'"]),
    ("raise SystemExit(3)\n", ["line 1", "SystemExit: 3"]),
])  # fmt: skip
def test_a_file_that_cannot_be_run(check, source, said):
    done = check(source)
    assert done.exit_code == 1
    assert all(piece in done.stdout for piece in said)
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("arguments, said", [
    (["no_such_file.py"], "there is no file no_such_file.py"),
    (["{file}:Nadam"], "has no `Nadam`; it has: SGD"),
    (["{file}", "--set", "lr"], "--set takes a name and a number, such as --set lr=0.01, not 'lr'"),
    (["{file}", "--set", "lr=much"], "not 'lr=much'"),
    (["{file}", "--dtype", "int8"], "--dtype is float64 or float32, not 'int8'"),
    (["{empty}"], "has no class with `update(params, grads)`"),
])  # fmt: skip
def test_usage(tmp_path, arguments, said):
    (tmp_path / "my.py").write_text(SGD, encoding="utf-8")
    (tmp_path / "empty.py").write_text("x = 1\n", encoding="utf-8")
    filled = [a.format(file=tmp_path / "my.py", empty=tmp_path / "empty.py") for a in arguments]
    done = CliRunner(env={"COLUMNS": "400", "TERM": "dumb"}).invoke(app, ["check", *filled])
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.replace("│", "").split())
    assert done.stdout == ""


def test_in_a_terminal_the_same_words_are_drawn():
    from rich.console import Console

    from thalweg.report.checked import render
    from thalweg.testing import identify

    class SGD:
        def __init__(self):
            self.lr = 0.5

        def update(self, params, grads):
            for key in params:
                params[key] -= self.lr * grads[key]

    console = Console(width=80, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(render([identify(SGD)]))
    assert capture.get().split("\n")[0].rstrip() == "SGD: is sgd[book], equal to the last bit over 100 steps"
    assert "numbers  lr = 0.5" in capture.get()
