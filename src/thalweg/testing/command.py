"""`thalweg check FILE[:CLASS]`: what is looked at, and what is said about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.testing.files import FileError, as_script, classes_in, run_file, why_not_alone
from thalweg.testing.identity import Identity
from thalweg.testing.judge import identify
from thalweg.testing.subject import UsageError


@dataclass(frozen=True)
class Checked:
    """What was found out about the classes of a file.

    left_out: those that are there for others, by name, with the reason. refused: those that cannot be asked, with how
    to ask them.
    """

    path: Path
    identities: tuple[Identity, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0 if each is a known rule, 1 if not, 2 if all that were asked are, and some could not be asked."""
        return 1 if not all(self.identities) else 2 if self.refused else 0

    @property
    def remarks(self) -> list[str]:
        """A line for each class that was not checked."""
        left_out = [f"{name} is left out: {why}" for name, why in self.left_out.items()]
        return [*left_out, *(f"{name} is not checked: {why}" for name, why in self.refused.items())]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "file": str(self.path),
            "optimizers": [identity.to_json() for identity in self.identities],
            "left_out": dict(self.left_out),
            "refused": dict(self.refused),
        }

    def text(self) -> str:
        """Return it as plain text: a line for each optimizer, with its evidence indented below."""
        blocks = []
        for identity in self.identities:
            rows = rows_of(identity)
            width = max((len(label) for label, _ in rows), default=0)
            lines = [f"  {label.ljust(width)}  {text}" for label, text in rows]
            blocks.append("\n".join([f"{identity.subject}: {headline(identity)}", *lines]))
        return "\n\n".join([*blocks, *(["\n".join(self.remarks)] if self.remarks else [])])


def check(target: str, settings: Sequence[str] = (), *, dtype: str = "float64") -> Checked:
    """Check what stands in a file.

    target: `path.py:Name`, a class, a function without arguments, or an optimizer; or `path.py` for every class in it
    that has an `update` and from which no other derives. settings: hyper-parameters, each as `name=number`. dtype:
    float64 or float32. What the file prints goes to standard error. Raises UsageError for a target or a setting that
    cannot be read, and if none of the classes can be asked.
    """
    path, name = _parted(target)
    numbers = dict(_setting(text) for text in settings)
    if dtype not in ("float32", "float64"):
        raise UsageError(f"--dtype is float64 or float32, not {dtype!r}")
    with as_script(path):
        try:
            module = run_file(path)
        except FileError as error:
            return Checked(path, (Identity(name or path.name, "error", diagnosis=error.diagnosis),))
        if name is not None:
            return Checked(path, (identify(_named(vars(module), name, path), dtype=dtype, **numbers),))
        classes = classes_in(module)
        if not classes:
            raise UsageError(f"{path} has no class with `update(params, grads)`")
        left_out = {cls.__name__: why for cls in classes if (why := why_not_alone(cls, classes))}
        found, refused = [], {}
        for cls in (x for x in classes if x.__name__ not in left_out):
            try:
                found.append(identify(cls, dtype=dtype, **numbers))
            except UsageError as error:
                refused[cls.__name__] = str(error)
    if not found:
        raise UsageError("; ".join(refused.values()) or f"{path} has no class that is not abstract")
    return Checked(path, tuple(found), left_out, refused)


def _parted(target: str) -> tuple[Path, str | None]:
    file, colon, name = target.rpartition(":")
    if colon and name.isidentifier():
        return Path(file), name
    return Path(target), None


def _setting(text: str) -> tuple[str, float]:
    name, _, value = (part.strip() for part in text.partition("="))
    try:
        number = float(value)
    except ValueError:
        number = np.nan
    if not name.isidentifier() or np.isnan(number):
        raise UsageError(f"--set takes a name and a number, such as --set lr=0.01, not {text!r}")
    return name, number


def _named(names: dict[str, Any], name: str, path: Path) -> Any:
    if name not in names:
        there = [x for x, value in names.items() if hasattr(value, "update") and not isinstance(value, dict)]
        raise UsageError(f"{path} has no `{name}`; it has: {', '.join(there) or 'nothing with an `update`'}")
    return names[name]


# Words ----------------------------------------------------------------------------------------------------------------


def headline(identity: Identity) -> str:
    """Return the answer in one line."""
    if identity.outcome == "equal":
        return f"is {identity}"
    if identity.outcome == "error" and identity.diagnosis:
        return identity.diagnosis.meant or identity.diagnosis.error
    return str(identity)


def rows_of(identity: Identity) -> list[tuple[str, str]]:
    """Return the evidence as (label, text); a row without a label goes on with the one before."""
    rows: list[tuple[str, str]] = []
    for title, texts in (("the rule", identity.lines[0]), ("this one", identity.lines[1])):
        rows += [(title if i == 0 else "", text) for i, text in enumerate(texts)]
    diagnosis = identity.diagnosis
    if diagnosis is not None:
        rows += [(f"line {diagnosis.line}", diagnosis.code)] if diagnosis.line else []
        rows += [("Python", diagnosis.error)] if diagnosis.meant else []
    if identity.repaired:
        rows += [("then", f"with that put right, it {headline(identity.repaired)}"), *rows_of(identity.repaired)]
    if identity.same_text and identity.outcome == "equal":
        rows.append(("also", f"{', '.join(identity.same_text)}: the same formula"))
    if identity.hyperparams:
        shown = ", ".join(f"{k} = {x:g}" for k, x in identity.hyperparams.items())
        tried = f" ({', '.join(identity.fitted)} found by trying)" if identity.fitted and identity.rule else ""
        rows.append(("numbers", shown + (tried if identity.outcome in ("equal", "slip") else "")))
    return [*rows, *(("note", note) for note in identity.notes)]
