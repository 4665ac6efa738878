"""Set up the checkout: a virtual environment of its own in .venv, the packages of the lock, and the project itself.

`make` runs this before everything else, with the Python it is told; what is done already is not done again. It is
written so that an older Python can read it, and say that it is too old.
"""

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
PROJECT = ROOT / "pyproject.toml"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def check_interpreter() -> None:
    """Exit with instructions where this Python cannot make the environment."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if sys.version_info < OLDEST:
        sys.exit(
            f"thalweg needs Python {OLDEST[0]}.{OLDEST[1]} or newer; this is Python {version} ({sys.executable}).\n"
            "Name another one: make PYTHON=python3.13 ..."
        )
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(
            f"This Python ({sys.executable}) has no {' and no '.join(missing)}: it can make no virtual environment.\n"
            f"Debian and Ubuntu keep it in a package: sudo apt install python{version}-venv (or python3-venv).\n"
            "Elsewhere: install Python from python.org, or name another one: make PYTHON=python3.13 ..."
        )


def run(what: str, *command: str) -> None:
    """Run one step of the setup; where it fails, exit with what was being done."""
    print(f"setup: {what}", flush=True)
    # Two settings that people have for good reasons and that have no business here: a pip that installs for the user
    # refuses to work in a virtual environment, and a PYTHONPATH puts other packages in front of those of the lock.
    environment = {**os.environ, "PIP_USER": "0"}
    environment.pop("PYTHONPATH", None)
    if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
        sys.exit(f"setup: this step failed, for the reason above: {what}.\nThe next run starts again from here.")


def pip_install(what: str, *arguments: str) -> None:
    """One call of the environment's pip, with the user's own configuration of indexes and proxies."""
    pip = (str(PYTHON), "-I", "-m", "pip", "--disable-pip-version-check", "--no-input", "-qq")  # errors only
    run(what, *pip, "install", *arguments)


def make_environment() -> None:
    """A new virtual environment with the packages of the lock: wheels only, every one checked against its hash."""
    version = ".".join(str(number) for number in sys.version_info[:3])
    run(f"new environment in .venv with Python {version}", sys.executable, "-m", "venv", "--clear", str(VENV))
    what = f"packages of {LOCK.name} (about 160 MB, some minutes on a slow line)"
    pip_install(what, "--require-hashes", "--only-binary", ":all:", "-r", str(LOCK))


def install_project() -> None:
    """The project itself, editable. The build backend is in the lock, so nothing else is fetched."""
    pip_install("thalweg itself", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))


def main() -> None:
    """Do the steps whose stamp does not say that they were done with what they depend on now."""
    check_interpreter()
    # The folder is part of it: an environment does not survive being moved.
    origin = repr((sys.version_info[:2], str(ROOT))).encode()
    steps = (
        (VENV / "environment.stamp", origin + LOCK.read_bytes(), make_environment),
        (VENV / "project.stamp", origin + PROJECT.read_bytes(), install_project),
    )
    for stamp, depends_on, step in steps:
        key = hashlib.sha256(depends_on).hexdigest()
        if PYTHON.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == key:
            continue
        stamp.unlink(missing_ok=True)  # whatever interrupts the step, the next run does it again
        step()
        stamp.write_text(key, encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
