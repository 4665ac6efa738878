"""Kernels are compiled at the first step of a rule and a dtype, and never again, whatever a later step brings."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from contextlib import contextmanager

import numpy as np
import pytest

import thalweg as tw
from tests.kernels.layouts import LAYOUTS
from tests.kernels.twins import FORMS, needs_numba, on_threads

pytestmark = needs_numba


@contextmanager
def compilations():
    """The functions that are compiled meanwhile; what comes from the cache is none of them."""
    from numba.core import event

    names = []
    with event.install_recorder("numba:compile") as recorder:
        yield names
    names += [str(happened.data["dispatcher"]) for _, happened in recorder.buffer if happened.is_start]


def test_the_recorder_sees_a_compilation():
    import numba

    with compilations() as names:
        numba.njit(lambda x: x + 1)(1)
    assert len(names) == 1


def ones(shape, dtype):
    return np.ones(shape, dtype)


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_compiled_after_the_first_step(form):
    rule = FORMS[form]
    opt = tw.Optimizer(rule)
    params = {"a": ones((2, 3), np.float32), "b": ones((2, 3), np.float64)}
    if rule.vectors:  # a rule of its own, with kernels of its own
        params |= {"c": ones((3,), np.float32), "d": ones((3,), np.float64)}
    opt.update(params, {name: np.ones_like(w) for name, w in params.items()})
    with compilations() as names:
        for n in (1, 2, 8):  # values, threads
            with on_threads(n):
                opt.update(params, {name: np.full_like(w, n) for name, w in params.items()})
        for i, layout in enumerate(LAYOUTS):  # layouts
            params = {name: layout(w) for name, w in params.items()}
            opt.update(params, {name: LAYOUTS[i - 3](np.ones_like(w)) for name, w in params.items()})
        shapes = [(1, 1), (4, 5), (2, 3, 4), (1, 2, 3, 4), (0, 3), (300, 500), (7, 1) if rule.facts.axes else ()]
        for i, shape in enumerate(shapes):  # shapes, dtypes, names that are new, names that have gone
            for dtype in (np.float32, np.float64):
                params[f"{i}{np.dtype(dtype)}"] = ones(shape, dtype)
            opt.update(params, {name: np.ones_like(w) for name, w in params.items()})
        for given in (np.float16, np.float32, np.float64):  # gradients of other dtypes, and none
            opt.update(params, {name: w.astype(given) for name, w in params.items()})
        opt.update(params, dict.fromkeys(params))
        opt.update({"a": params["a"]}, {"a": np.ones_like(params["a"])})
        name = next(iter(rule.defaults))
        setattr(opt, name, rule.defaults[name] / 2)  # numbers
        setattr(opt, name, lambda t: rule.defaults[name] / t)
        opt.update({"a": params["a"]}, {"a": np.ones_like(params["a"])})
        opt.nonfinite = "allow"
        opt.update({"a": params["a"]}, {"a": np.full_like(params["a"], np.nan)})
        opt.nonfinite = "skip"
        opt.update({"a": params["a"]}, {"a": np.full_like(params["a"], np.nan)})
        other = tw.Optimizer(rule)  # another optimizer of the rule
        other.update({"z": ones((3, 4), np.float32)}, {"z": ones((3, 4), np.float32)})
    assert names == []
    assert opt.skipped == 1


PROCESS = """
    import numpy as np
    from numba.core import event
    with event.install_recorder("numba:compile") as recorder:
        import thalweg as tw
        params = {"a": np.ones(3, np.float32), "b": np.ones((200, 500))}
        opt = tw.Adam()
        for _ in range(2):
            opt.update(params, {name: np.ones_like(w) for name, w in params.items()})
    started = [happened for _, happened in recorder.buffer if happened.is_start]
    print(len(started), repr(params["a"][0]), opt.t)
"""


@pytest.mark.slow
def test_a_second_process_compiles_nothing(tmp_path):
    folder = tmp_path / "kernels"
    folder.mkdir(mode=0o700)
    said = []
    for _ in range(2):
        ran = subprocess.run(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(PROCESS)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env=os.environ | {"THALWEG_CACHE_DIR": str(folder)},
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        said.append(ran.stdout.split())
    (first, *numbers), (second, *same) = said
    assert int(first) > 4
    assert int(second) == 0
    assert numbers == same


def test_a_dtype_that_is_not_used_is_not_compiled():
    tw.SGD().update({"w": ones(3, np.float32)}, {"w": ones(3, np.float32)})  # what all kernels share
    rule = tw.rule("def once(w, g, *, lr=0.1):\n    w = w - lr * g * 1.25\n    return w")
    with compilations() as names:
        tw.Optimizer(rule).update({"w": ones(3, np.float32)}, {"w": ones(3, np.float32)})
    with compilations() as more:
        tw.Optimizer(rule).update({"w": ones(3, np.float64)}, {"w": ones(3, np.float64)})
    assert len(names) in (0, len(more))  # 0: an earlier run has left them in the cache
