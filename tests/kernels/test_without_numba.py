"""With Numba blocked from import the same tests pass, one line says so once, and the results have the same bits."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCKED = "import sys; sys.modules['numba'] = None"
RUN = f"{BLOCKED}; import pytest; sys.exit(pytest.main(sys.argv[1:]))"
SKIPS = re.compile(r"Python 3\.\d+ has|Numba|oracle \w+ is not installed")
# The optimizer, and the rules against their formulas; torch and jax would only add the time to import them. Files that
# take each test with the kernels and with the meaning are left to the slow run.
AREAS = [
    "tests/book",
    "--ignore=tests/book/test_training.py",
    "tests/optimizer",
    *(
        f"--ignore=tests/optimizer/test_{name}.py"
        for name in (
            "input_arrays",
            "input_containers",
            "every_number",
            "hyperparams",
            "nonfinite",
            "concurrency",
            "input_halves",
        )
    ),
    *(f"tests/rules/test_{name}.py" for name in ("paper", "extra_rules", "hyperparameters", "ravine", "registry")),
]


def run_pytest(*arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-c", RUN, "-q", "-rfs", "-p", "no:cacheprovider", *arguments],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        cwd=ROOT,
        env=environment,
    )


def check(ran, at_least):
    failed = [line for line in ran.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    assert (failed, ran.returncode, ran.stderr) == ([], 0, ""), ran.stdout[-3000:]
    summary = ran.stdout.splitlines()[-1]
    passed = re.search(r"(\d+) passed", summary)
    assert passed is not None
    assert int(passed[1]) >= at_least
    skipped = [line for line in ran.stdout.splitlines() if line.startswith("SKIPPED")]
    assert all(SKIPS.search(line) for line in skipped), skipped


def test_the_same_tests_pass():
    check(run_pytest(*AREAS), at_least=300)


@pytest.mark.slow
def test_the_tests_of_everything_that_computes_pass():
    areas = ("book", "engine", "groups", "kernels", "language", "nn", "optimizer", "problems", "rules", "state", "tree")
    check(
        run_pytest(*(f"tests/{area}" for area in areas), "--deselect", "tests/kernels/test_without_numba.py"),
        at_least=1500,
    )


STEPS = """
import hashlib
import numpy as np
import thalweg as tw

def digest(names):
    rng = np.random.default_rng(0)
    params = {"a": rng.standard_normal((40, 30)).astype(np.float32), "b": rng.standard_normal(5000)}
    for name in names:
        for convention in tw.RULES[name].conventions:
            opt = tw.Optimizer(name, convention=convention, nonfinite="allow")
            for _ in range(3):
                grads = {k: rng.standard_normal(w.shape).astype(w.dtype) for k, w in params.items()}
                opt.update(params, grads, value=1.0)
    return hashlib.sha256(b"".join(w.tobytes() for w in params.values())).hexdigest()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "names",
    [
        ("sgd", "lars"),
        pytest.param(
            ("momentum", "nesterov", "adagrad", "rmsprop", "adam", "lamb", "prodigy", "adafactor"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_one_line_says_so_once_and_the_bits_are_the_same(names):
    code = f"{BLOCKED}\n{textwrap.dedent(STEPS)}\nprint(digest({names}))"
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stderr
    (line,) = ran.stderr.splitlines()
    assert re.fullmatch(r"Numba cannot be imported \(ModuleNotFoundError: .*\); thalweg runs through NumPy", line)
    scope: dict[str, object] = {}
    exec(STEPS, scope)
    assert ran.stdout.strip() == scope["digest"](names)
