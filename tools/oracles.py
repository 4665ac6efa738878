"""The oracles: other people's optimizers, which the tests compare with. Run by the Python of the environment.

A torch, jax, optax or keras that this environment can import stays as it is; keras runs on jax. A torch that the Python
named as first argument can import is lent to the environment, so that nobody fetches gigabytes twice. The rest is
installed with the user's own configuration of pip.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from pathlib import Path

import lock

NAMES = ("torch", "jax", "optax", "keras")
SITE = Path(sysconfig.get_path("purelib"))
PROBE = """
import pathlib, sys, {0} as package
print(sys.version_info[:2], package.__version__, pathlib.Path(package.__file__).parents[1], sep="\\n")
"""
# Not a folder on sys.path: that would bring in the plugins of pytest, and whatever else announces itself, from there.
BORROWED = '''"""Written by `make oracles`: what no package here provides is looked for where a torch is."""

import sys
from importlib.machinery import PathFinder


class Borrowed:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return PathFinder.find_spec(name, [{folder!r}]) if path is None else None


sys.meta_path.append(Borrowed)
'''


def output(python: str, program: str) -> list[str] | None:
    """The lines that a short program prints; None if it fails."""
    answer = subprocess.run([python, "-c", program], capture_output=True, text=True, check=False, cwd=SITE)
    return answer.stdout.splitlines() if answer.returncode == 0 else None


def probe(python: str, name: str) -> list[str] | None:
    """The version of `python`, the version of its package `name`, and the folder of that; None if it has none."""
    return output(python, PROBE.format(name))


def borrow_torch(python: str) -> None:
    """Let the environment find the torch of another Python of the same version, behind all packages of its own."""
    found = probe(python, "torch")
    if found is None or found[0] != str(sys.version_info[:2]):
        return
    finder, start = SITE / "borrowed_torch.py", SITE / "borrowed_torch.pth"
    finder.write_text(BORROWED.format(folder=found[2]), encoding="utf-8")
    start.write_text("import borrowed_torch\n", encoding="utf-8")
    if output(sys.executable, "import torch; torch.zeros(1).numpy()") is None:  # it does not get on with our NumPy
        finder.unlink()
        start.unlink()


def install(names: list[str]) -> None:
    """Install the named oracles in the versions of the extra `oracles`; nothing of the lock changes its version."""
    project = tomllib.loads((lock.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [line for line in project["optional-dependencies"]["oracles"] if line.startswith(tuple(names))]
    print(f"oracles: installing {', '.join(wanted)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("\n".join(lock.pins()), encoding="utf-8")
        pip = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "--no-input", "-qq"]
        if subprocess.run([*pip, "install", "--constraint", str(constraints), *wanted], check=False).returncode:
            sys.exit(
                "oracles: pip could not install them, for the reason above. Where its index has no torch that fits,\n"
                "install one into .venv yourself and run this again. Without the oracles everything works: the tests\n"
                "that need them are skipped by name."
            )


def main() -> None:
    """Bring the oracles into the environment and say which ones are there."""
    os.environ["KERAS_BACKEND"] = "jax"  # its default is TensorFlow, which is not there
    found = {name: probe(sys.executable, name) for name in NAMES}
    if found["torch"] is None and sys.argv[1:]:
        borrow_torch(sys.argv[1])
        found["torch"] = probe(sys.executable, "torch")
    missing = [name for name in NAMES if found[name] is None]
    if missing:
        install(missing)
    for name in missing:
        found[name] = probe(sys.executable, name)
    for name, facts in found.items():
        if facts is None:
            say = "KERAS_BACKEND=jax .venv/bin/python" if name == "keras" else ".venv/bin/python"
            sys.exit(f"oracles: {name} is there and cannot be imported: {say} -c 'import {name}' says why.")
        print(f"oracles: {name} {facts[1]}")


if __name__ == "__main__":
    main()
