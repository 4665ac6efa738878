"""The same bits for any number of threads and however the work is cut, reductions included."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest

import thalweg as tw
from tests.kernels.twins import DTYPES, FORMS, Twin, differences, needs_numba, on_threads
from thalweg.engine import table
from thalweg.engine.program import plan_of
from thalweg.engine.table import GRAIN
from thalweg.words import BLOCK

pytestmark = needs_numba
# A million numbers a step: one dtype of each form, and both where there are reductions.
ROWS = [
    pytest.param(rule, dtype, id=f"{form}-{dtype}")
    for form, rule in FORMS.items()
    for dtype in DTYPES
    if dtype == "float32" or not rule.facts.elementwise
]


def arrays(shapes, dtype, seed):
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}


def recorded_ranges():
    """A list for the ranges that `parallel` hands out, and the patch that fills it."""
    ranges, real = [], table.parallel

    def recorded(task, total, *, grain):
        def noted(lo, hi):
            ranges.append((lo, hi))
            return task(lo, hi)

        return real(noted, total, grain=grain)

    return ranges, mock.patch.object(table, "parallel", recorded)


@pytest.mark.parametrize("rule, dtype", ROWS)
def test_one_to_eight_threads_on_work_that_is_really_shared_out(rule, dtype):
    """Three tensors whose blocks are 8 times what is worth a thread; cuts fall between blocks of one tensor, mostly."""
    blocks = 8 * GRAIN
    if rule.facts.axes:  # these are shared out tensor by tensor
        shapes = {f"m{i:02}": (64, BLOCK // 64 * GRAIN // 4 + i) for i in range(16)}
    else:
        one = (1,) if rule.vectors else ()  # for which vectors have another text
        shapes = {"a": (*one, 5), "b": (*one, blocks // 2 * BLOCK - 77), "c": (3, blocks // 6 * BLOCK + 1)}
    kernel = Twin(rule, arrays(shapes, dtype, 1))
    meaning = Twin(rule, arrays(shapes, dtype, 1), meaning=True)
    parts = []
    for n in (8, 3):
        kernel.threads = n
        grads = arrays(shapes, dtype, 10 + n)
        ranges, recording = recorded_ranges()
        with recording:
            kernel.step(grads)
        meaning.step(grads)
        parts.append(len(ranges))
        assert differences(kernel, meaning) == []
    passes = len(plan_of(rule).passes)
    assert parts == [8 * passes, 3 * passes]


REDUCING = [pytest.param(FORMS[name], id=name) for name in ("novograd", "prodigy", "adafactor")]


@pytest.mark.parametrize("rule", REDUCING)
@pytest.mark.parametrize("grain", [1, 2, 3, 5])
@pytest.mark.parametrize("threads", range(1, 9))
def test_reductions_do_not_depend_on_the_cut(rule, grain, threads):
    """Sums whose terms lie 16 decades apart: any other order of adding them would show."""
    shapes = {"a": (7, 3000), "b": (BLOCK + 1, 5), "c": (1, 3 * BLOCK), "d": (2, 3, 5000)}
    rng = np.random.default_rng(0)
    params = arrays(shapes, np.float32, 1)
    grads = {name: (w * 10.0 ** rng.uniform(-8, 8, w.shape)).astype(np.float32) for name, w in params.items()}
    expected = expected_of(rule, params, grads)
    with mock.patch.object(table, "GRAIN", grain):
        twin = Twin(rule, {name: w.copy() for name, w in params.items()}, threads=threads)
        for _ in range(2):
            twin.step(grads)
    assert {name: w.tobytes() for name, w in twin.params.items()} == expected


def expected_of(rule, params, grads, known={}):  # noqa: B006 - computed once
    if rule.name not in known:
        twin = Twin(rule, {name: w.copy() for name, w in params.items()}, meaning=True)
        for _ in range(2):
            twin.step(grads)
        known[rule.name] = {name: w.tobytes() for name, w in twin.params.items()}
    return known[rule.name]


def test_another_order_would_show_in_these_sums():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(3 * BLOCK) * 10.0 ** rng.uniform(-8, 8, 3 * BLOCK)
    assert len({float(np.cumsum(x[order] ** 2)[-1]) for order in (slice(None), slice(None, None, -1))}) == 2


def test_the_sum_that_the_design_describes():
    """In float64, blocks of 4096, 16 lanes, lanes halved, blocks from left to right: written out here in Python."""
    rule = tw.rule(
        "def summed(w, g, a, *, lr=0.0):\n    a = a + sum(g)\n    w = w - lr * a * g\n    return w, a",
        state={"a": tw.number(0.0)},
    )
    rng = np.random.default_rng(5)
    for n in (1, 15, 16, 17, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 33):
        g = (rng.standard_normal(n) * 10.0 ** rng.uniform(-8, 8, n)).astype(np.float32)
        total = None
        for start in range(0, n, BLOCK):
            lanes = [0.0] * 16
            for i, x in enumerate(g[start : start + BLOCK].tolist()):
                lanes[i % 16] += x
            while len(lanes) > 1:
                half = len(lanes) // 2
                lanes = [lanes[k] + lanes[k + half] for k in range(half)]
            total = lanes[0] if total is None else total + lanes[0]
        for threads in (1, 4):
            opt = tw.Optimizer(rule)
            with mock.patch.object(table, "GRAIN", 1), on_threads(threads):
                opt.update({"w": np.ones(n, np.float32)}, {"w": g})
            assert opt.state["w"]["a"] == total
