"""Classes of a file that somebody wants checked: the file is run once, as an import would run it."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import os
import sys
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from thalweg.testing.diagnosis import Diagnosis
from thalweg.testing.subject import RAISED, UsageError, has_update

_NAME = "thalweg_checked_"


class FileError(Exception):
    """The file itself raises an error; `diagnosis` says where and what was probably meant."""

    def __init__(self, diagnosis: Diagnosis) -> None:
        super().__init__(str(diagnosis))
        self.diagnosis = diagnosis


def run_file(path: Path) -> ModuleType:
    """Run a file and return it as a module, within `as_script` where it imports files beside it.

    Raises UsageError if there is no such file, FileError if it cannot be run.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{path} cannot be read: you have no right to")
    name = _NAME + path.stem.replace(".", "_").replace("-", "_")
    spec = importlib.util.spec_from_loader(name, loader=None, origin=str(path))
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(path)
    sys.modules[name] = module  # where inspect looks for the source of its classes
    try:
        # Bytes: Python finds the coding line and the mark of UTF-8 itself.
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))  # noqa: S102  (what the user asks for)
    except SyntaxError as error:
        raise FileError(_of_syntax(error)) from error
    except RAISED as error:
        raise FileError(_of_module(error, path)) from error
    return module


def classes_in(module: ModuleType) -> list[Any]:
    """Return every class that a module defines and that has an `update`, in the order of the file."""
    own = [x for x in vars(module).values() if isinstance(x, type) and x.__module__ == module.__name__]
    return [x for x in dict.fromkeys(own) if has_update(x)]


def why_not_alone(cls: type, classes: Sequence[type]) -> str:
    """Return why a class of a file is there for others, or nothing: it is abstract, or others derive from it."""
    if inspect.isabstract(cls):
        return "it is abstract"
    derived = [x.__name__ for x in classes if x is not cls and issubclass(x, cls)]
    if not derived:
        return ""
    return f"{' and '.join(derived)} derive{'' if derived[1:] else 's'} from it; FILE:{cls.__name__} checks it"


@contextlib.contextmanager
def as_script(path: Path) -> Iterator[None]:
    """Let Python be as where `python path` is called, but for what is printed: that goes to standard error.

    Modules are looked for in the file's folder first, no compiled files are written into it, and there are no
    arguments.
    """
    folder = str(path.resolve().parent)
    written, arguments = sys.dont_write_bytecode, sys.argv
    sys.path.insert(0, folder)
    sys.dont_write_bytecode, sys.argv = True, [str(path)]
    try:
        with contextlib.redirect_stdout(sys.stderr), _output_of_the_system():
            yield
    finally:
        sys.dont_write_bytecode, sys.argv = written, arguments
        with contextlib.suppress(ValueError):  # the file may have taken it out itself
            sys.path.remove(folder)


@contextlib.contextmanager
def _output_of_the_system() -> Iterator[None]:
    """Let what is written to file 1 go to file 2: by `os.write`, `sys.__stdout__` or another program."""
    try:
        kept = os.dup(1)
    except OSError:  # there is none
        yield
        return
    try:
        _flush()
        os.dup2(2, 1)
        yield
    finally:
        _flush()
        os.dup2(kept, 1)
        os.close(kept)


def _flush() -> None:
    if sys.__stdout__ is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.__stdout__.flush()


def _of_syntax(error: SyntaxError) -> Diagnosis:
    return Diagnosis(f"SyntaxError: {error.msg}", "", error.lineno, (error.text or "").strip())


def _of_module(error: BaseException, path: Path) -> Diagnosis:
    """Return what an error at the top of the file means."""
    line, traceback = None, error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == str(path):
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    with tokenize.open(path) as file:
        lines = file.read().splitlines()
    code = lines[line - 1].strip() if line and line <= len(lines) else ""
    meant = ""
    if isinstance(error, NameError) and error.name in ("np", "numpy"):
        wanted = "import numpy as np" if error.name == "np" else "import numpy"
        meant = f"there is no `{error.name}` here: `{wanted}` is missing at the top of the file"
    return Diagnosis(f"{type(error).__name__}: {error}", meant, line, code)
