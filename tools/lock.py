"""The lock file: which packages, in which versions and with which hashes, a setup consists of.

`make lock` writes it (with --upgrade: to the newest versions) once every promised Python finds a wheel of every package
on every promised platform. `make check` only asks whether it still belongs to pyproject.toml, without a network.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PLATFORMS = (
    "x86_64-manylinux_2_28",
    "aarch64-manylinux_2_28",
    "aarch64-apple-darwin",
    "x86_64-apple-darwin",
    "x86_64-pc-windows-msvc",
)
EXTRAS = ("lab", "test", "check")


def asked() -> list[str]:
    """What the lock has to fulfil: the requirements of the build backend, of the project and of a setup's extras."""
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = tables["project"]
    extras = [requirement for extra in EXTRAS for requirement in project["optional-dependencies"][extra]]
    return [*tables["build-system"]["requires"], *project["dependencies"], *extras]


def header() -> str:
    """The head of the lock file: it repeats what was asked, so that a change of pyproject.toml shows in it."""
    lines = [
        f"Every package of a setup, CPython {PYTHONS[0]} to {PYTHONS[-1]}, wheels only. `make lock` writes this file.",
        *(f"  for {platform}" for platform in PLATFORMS),
        *(f"  asked: {requirement}" for requirement in asked()),
    ]
    return "".join(f"# {line}\n" for line in lines)


def pins() -> list[str]:
    """The lock as constraints: `name==version`, each with its marker, without hashes."""
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    return [line.rstrip("\\ ") for line in lines if line[:1].isalnum()]


def is_fresh() -> bool:
    """Whether the lock was made from what pyproject.toml asks for now."""
    if not LOCK.exists():
        return False
    lines = LOCK.read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if line.startswith("#")) == header()


def run_uv(*arguments: str, stdin: str = "") -> None:
    """Run uv in the project's folder, without the settings of this machine.

    Raises:
        SystemExit: there is no uv, or it found no solution; its own message stands above.
    """
    uv = shutil.which("uv")
    if uv is None:
        sys.exit("The lock is made with uv, and there is none on the PATH: `pip install uv`, then again.")
    if subprocess.run(
        [uv, "--no-config", "--quiet", *arguments], cwd=ROOT, input=stdin, text=True, check=False
    ).returncode:
        sys.exit(f"requirements.lock stays as it was: uv {' '.join(arguments)}")


def write(*, upgrade: bool) -> None:
    """Resolve for all Pythons and platforms at once; replace the lock if each of them can install what came out."""
    wheels_only = "--only-binary=:all:"
    for_all = ("--universal", f"--python-version={PYTHONS[0]}", "--fork-strategy=fewest", wheels_only)
    form = ("--generate-hashes", "--no-header", "--no-annotate")
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "draft.txt"
        if LOCK.exists() and not upgrade:
            shutil.copy(LOCK, draft)  # pins that still fit are kept
        run_uv("pip", "compile", "-", *for_all, *form, f"--output-file={draft}", stdin="\n".join(asked()))
        for platform in PLATFORMS:
            for python in PYTHONS:
                print(f"wheels for {platform}, Python {python}", flush=True)
                machine = (f"--python-platform={platform}", f"--python-version={python}", f"--target={folder}")
                run_uv("pip", "install", "--dry-run", f"-r={draft}", "--require-hashes", wheels_only, *machine)
        LOCK.write_text(header() + draft.read_text(encoding="utf-8"), encoding="utf-8")


def main() -> None:
    """Write the lock, or with --check say whether it is fresh (exit code 1 if not)."""
    parser = argparse.ArgumentParser(description="Write requirements.lock from pyproject.toml.")
    parser.add_argument("--check", action="store_true", help="only say whether the lock belongs to pyproject.toml")
    parser.add_argument("--upgrade", action="store_true", help="the newest versions, instead of keeping those that fit")
    options = parser.parse_args()
    if not options.check:
        write(upgrade=options.upgrade)
    elif not is_fresh():
        sys.exit("requirements.lock was made from another pyproject.toml: run `make lock` and commit what it writes.")


if __name__ == "__main__":
    main()
