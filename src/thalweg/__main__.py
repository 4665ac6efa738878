"""The command `thalweg`, also as `python -m thalweg`."""

from __future__ import annotations

import importlib.util
import sys

# The packages of the extra `lab`: name of the import -> name of the package.
LAB = {"typer": "typer", "rich": "rich", "sklearn": "scikit-learn"}


def main() -> None:
    """Run the command line; where the extra `lab` is missing, say what to install and exit with 2."""
    missing = [package for name, package in LAB.items() if importlib.util.find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"The command thalweg needs the extra `lab`; here there is no {', no '.join(missing)}. Install it:\n"
            '    python -m pip install "thalweg[lab]"\n'
        )
        sys.exit(2)

    from thalweg.cli import main as run

    run()


if __name__ == "__main__":
    main()
