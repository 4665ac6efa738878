"""Record what other people's optimizers put out: tests/data/oracles.json, for the rows of tests/oracles.

python tools/record.py [NAME ...], from the repository's root and by any Python that has some of the libraries; NAME is
a row, a rule or a library. torch, optax and keras run beside the tests and are not recorded. What this Python cannot
play stays as it was recorded elsewhere, and is named with the reason. Nothing of thalweg is imported.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "tests" / "data" / "oracles.json"
AFTER = (1, 2, 5, 10, 20, 40)
# The licences of what does not say it itself: checkouts, and packages whose metadata are vague.
NOT_STATED = "none is stated; these are outputs of the program"
LICENCES = {
    "adabelief_pytorch": "BSD-2-Clause",
    "adabound": "Apache-2.0",
    "adam_atan2_pytorch": "MIT",
    "adamod": "Apache-2.0",
    "adan": "Apache-2.0",
    "ademamix": "MIT",
    "adopt": "Apache-2.0",
    "common.optimizer": "MIT",
    "diffGrad_v2": NOT_STATED,
    "distributed_shampoo": "BSD-3-Clause",
    "dog": "MIT",
    "dowg": NOT_STATED,
    "fromage": "CC-BY-NC-SA-4.0; these are outputs of the program",
    "grams": "Apache-2.0",
    "laprop": "MIT",
    "mars": "Apache-2.0",
    "muon": "MIT",
    "Padam": "Apache-2.0",
    "qhoptim": "MIT",
    "soap": "MIT",
    "sophia": "MIT",
    "sps": "MIT",
    "torch_optimizer": "Apache-2.0",
}


class CannotPlayError(Exception):
    """Why a row cannot be played here."""


def found(library: str) -> importlib.machinery.ModuleSpec | None:
    """Where a module is, None if it is not here."""
    try:
        return importlib.util.find_spec(library)
    except ModuleNotFoundError:  # of its parent
        return None


def folder(library: str) -> Path:
    """The folder that a module is imported from."""
    spec = found(library)
    assert spec is not None
    return Path(next(iter(spec.submodule_search_locations or [str(spec.origin)]))).resolve().parent


def package(library: str) -> importlib.metadata.Distribution | None:
    """The installed package that a module comes from; None where a checkout of the same name is found before it."""
    for name in importlib.metadata.packages_distributions().get(library, []):
        distribution = importlib.metadata.distribution(name)
        if folder(library) == Path(str(distribution.locate_file(""))).resolve():
            return distribution
    return None


def licence(distribution: importlib.metadata.Distribution) -> str:
    """The licence of a package, as short as its metadata have it."""
    read = distribution.metadata.get_all
    kinds = [line.rpartition(" :: ")[2] for line in read("Classifier") or [] if line.startswith("License :: ")]
    names = [*(read("License-Expression") or []), *(read("License") or []), *kinds]
    return next((name.removesuffix(" License") for name in names if name != "UNKNOWN" and len(name) < 60), "")


def commit(library: str) -> str | None:
    """The commit of the checkout that a module is imported from, if it is one."""
    git = ["git", "-C", str(folder(library)), "rev-parse", "HEAD"]
    answer = subprocess.run(git, capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else None


def origin(one: Any) -> dict[str, str]:
    """Where the library of a row comes from, and under which licence.

    Raises:
        CannotPlayError: that is not known.
    """
    installed = package(one.library)
    if installed is not None:
        where = {"version": installed.version, "licence": LICENCES.get(one.library) or licence(installed)}
    else:
        name, _, asked = one.source.replace(" ", "@").partition("@")
        there = commit(one.library)
        if there is None or not asked or not there.startswith(asked):
            raise CannotPlayError(f"the checkout is at {there}, and the row says {one.source or 'nothing'}")
        where = {"source": f"{name}@{there}", "licence": LICENCES.get(one.library, "")}
    if not where["licence"]:
        raise CannotPlayError(f"its licence is not known; LICENCES in {Path(__file__).name} is the place for it")
    return {"library": one.library, **where}


def played(one: Any, base: Any) -> dict[str, Any]:
    """What the library of a row puts out, with its origin.

    Raises:
        CannotPlayError: the library is not here, fails, or puts out what is no number.
    """
    if found(one.library) is None:
        raise CannotPlayError(f"there is no {one.library} here")
    record = origin(one)
    try:
        path = base.play(one, one.make(base.start(one.shapes)))
    except Exception as error:
        raise CannotPlayError(f"{type(error).__name__}: {error}") from error
    for point in path:
        for name, array in point.items():
            if str(array.dtype) != "float64" or not (abs(array) < float("inf")).all():
                raise CannotPlayError(f"{name} is {array.dtype}, or not finite")
    steps = [t for t in AFTER if t < one.steps] + [one.steps]
    return {**record, "after": {str(t): {name: w.tolist() for name, w in path[t - 1].items()} for t in steps}}


def text(cases: dict[str, Any]) -> str:
    """The file: one line a step, so that a change shows where it is."""
    parts = []
    for name, case in sorted(cases.items()):
        head = json.dumps({key: case[key] for key in sorted(case) if key != "after"})[1:-1]
        after = sorted(case["after"].items(), key=lambda item: int(item[0]))
        lines = ",\n".join(f"   {json.dumps(t)}: {json.dumps(point, sort_keys=True)}" for t, point in after)
        parts.append(f'  {json.dumps(name)}: {{{head}, "after": {{\n{lines}\n  }}}}')
    return '{\n "cases": {\n' + ",\n".join(parts) + "\n }\n}\n"


def main() -> None:
    """Play the rows and merge what came out into the file."""
    parser = argparse.ArgumentParser(description="Record what other people's optimizers put out.")
    parser.add_argument("name", nargs="*", help="a row of tests/oracles, a rule or a library; without one, all")
    names = parser.parse_args().name
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    sys.path.insert(0, str(ROOT))
    base, table = (importlib.import_module(f"tests.oracles.{name}") for name in ("base", "table"))
    rows = {name: one for name, one in table.CASES.items() if one.library not in base.LIVE}
    unknown = [name for name in names if not any(name in (n, one.rule, one.library) for n, one in rows.items())]
    if unknown:
        sys.exit(f"no row, rule or library of the rows to record: {', '.join(unknown)}")
    before = json.loads(FILE.read_text("utf-8"))["cases"] if FILE.exists() else {}
    cases = {name: case for name, case in before.items() if name in rows}
    recorded = 0
    for name, one in rows.items():
        if names and not {name, one.rule, one.library} & set(names):
            continue
        try:
            cases[name] = played(one, base)
            recorded += 1
        except CannotPlayError as reason:
            print(f"{name}: {'as recorded before' if name in cases else 'NOT RECORDED'}: {reason}")
    FILE.write_text(text(cases), encoding="utf-8")
    gone = sorted(before.keys() - cases.keys())
    print(*(f"{name}: gone, as its row" for name in gone), sep="\n", end="\n" if gone else "")
    print(f"{FILE.name}: {recorded} recorded now, {len(cases)} of {len(rows)} rows in all")


if __name__ == "__main__":
    main()
