"""Classes of a file that somebody wants checked: the file is run once, as an import would run it."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from thalweg.testing.diagnosis import Diagnosis
from thalweg.testing.subject import UsageError

_NAME = "thalweg_checked_"


class FileError(Exception):
    """The file itself raises an error; `diagnosis` says where and what was probably meant."""

    def __init__(self, diagnosis: Diagnosis) -> None:
        super().__init__(str(diagnosis))
        self.diagnosis = diagnosis


def run_file(path: Path) -> ModuleType:
    """Run a file and return it as a module; its own folder is where its imports are looked for.

    Raises UsageError if there is no such file, FileError if it cannot be run.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    name = _NAME + path.stem.replace(".", "_").replace("-", "_")
    spec = importlib.util.spec_from_loader(name, loader=None, origin=str(path))
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(path)
    sys.modules[name] = module  # where inspect looks for the source of its classes
    try:
        text = path.read_text(encoding="utf-8")
        with _folder(path.resolve().parent):
            exec(compile(text, str(path), "exec"), vars(module))  # noqa: S102  (what the user asks for)
    except SyntaxError as error:
        raise FileError(_of_syntax(error)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    except (Exception, SystemExit) as error:
        raise FileError(_of_module(error, path)) from error
    return module


def classes_in(module: ModuleType) -> list[Any]:
    """Return every class that a module defines and that has an `update`, in the order of the file."""
    return [
        x
        for x in vars(module).values()
        if isinstance(x, type) and x.__module__ == module.__name__ and callable(getattr(x, "update", None))
    ]


@contextlib.contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """Look for modules in a folder first, and write no compiled files into it."""
    written = sys.dont_write_bytecode
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = written
        sys.path.remove(str(folder))


def _of_syntax(error: SyntaxError) -> Diagnosis:
    return Diagnosis(f"SyntaxError: {error.msg}", "", error.lineno, (error.text or "").strip())


def _of_module(error: BaseException, path: Path) -> Diagnosis:
    """Return what an error at the top of the file means."""
    line, traceback = None, error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == str(path):
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    lines = path.read_text(encoding="utf-8").splitlines()
    code = lines[line - 1].strip() if line and line <= len(lines) else ""
    meant = ""
    if isinstance(error, NameError) and error.name in ("np", "numpy"):
        wanted = "import numpy as np" if error.name == "np" else "import numpy"
        meant = f"there is no `{error.name}` here: `{wanted}` is missing at the top of the file"
    return Diagnosis(f"{type(error).__name__}: {error}", meant, line, code)
