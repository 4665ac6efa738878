"""The law of the layers: a file imports only from its own line and those below. Read from the source text."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "thalweg"

# From the bottom up. Names of one line may import each other.
LAYERS = (
    ("words",),
    ("elsewhere",),
    ("language",),
    ("declaration", "rule"),
    ("rules",),
    ("backends",),
    ("engine",),
    ("errors",),
    ("interrupts",),
    ("schedules",),
    ("checkpoint",),
    ("tree",),
    ("hyperparams",),
    ("recipe",),
    ("link_texts",),
    ("binding",),
    ("states", "groups", "averages"),
    ("sharpness",),
    ("assembly",),
    ("saving", "step", "arguments"),
    ("optimizer",),
    ("classes",),
    ("transforms", "quasi_newton"),
    ("loading",),
    ("minimization",),
    ("testing",),
    ("book",),
    ("nn",),
    ("problems",),
    ("lab",),
    ("report",),
    ("cli",),
    ("__main__",),
)
HEIGHT = {name: height for height, names in enumerate(LAYERS) for name in names}

# A rule that was pickled is found again by its name; the registry stands above what a rule is.
EXCEPTIONS = {("rule", "rules")}

# Heavy packages, and the only rooms that know them.
KNOWN_BY = {
    "numba": {"engine"},
    "llvmlite": {"engine"},
    "sklearn": {"problems"},
    "typer": {"cli", "__main__"},
    "rich": {"cli", "report", "lab"},
    "safetensors": set(),
    "ml_dtypes": {"checkpoint", "engine"},
    "scipy": {"minimization"},
    "torch": set(),
}


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> list[tuple[int, str]]:
    """Every module that a file imports, wherever in the file, relative imports refused."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write `from thalweg...`, so that the law can be read"
            names = (
                [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "thalweg" else [node.module]
            )
            found += [(node.lineno, name) for name in names]
    return found


FILES = sorted(p for p in SOURCE.rglob("*.py") if p != SOURCE / "__init__.py")


def test_every_room_has_its_place() -> None:
    assert {room(path) for path in FILES} == set(HEIGHT)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_down(path: Path) -> None:
    here = room(path)
    for line, module in imported(path):
        parts = module.split(".")
        if parts[0] != "thalweg":
            known_by = KNOWN_BY.get(parts[0])
            assert known_by is None or here in known_by, (
                f"{path.name}:{line} imports {module}, which only {known_by} may"
            )
            continue
        if len(parts) == 1 or parts[1] == "__version__":
            continue
        there = parts[1]
        if (here, there) not in EXCEPTIONS:
            assert HEIGHT[there] <= HEIGHT[here], f"{path.name}:{line} imports {module}, which stands above it"


def test_the_library_does_not_know_the_laboratory() -> None:
    """What updates parameters never needs networks, problems, the laboratory or the report."""
    above = {"nn", "problems", "lab", "report", "cli", "__main__"}
    for path in FILES:
        if room(path) not in above:
            for line, module in imported(path):
                assert module.removeprefix("thalweg.").split(".")[0] not in above, f"{path.name}:{line}: {module}"


def test_only_generated_kernels_and_the_engine_know_numba() -> None:
    assert [room(p) for p in FILES if any(m.split(".")[0] == "numba" for _, m in imported(p))].count("engine") >= 1
