"""No fused multiply-add in the machine code of a kernel; a control with contraction shows that it would be seen."""

from __future__ import annotations

import functools
import platform
import re

import numpy as np
import pytest

import thalweg as tw
from tests.kernels.twins import DTYPES, FORMS, needs_numba
from thalweg.backends import cpu
from thalweg.engine import cache
from thalweg.engine.program import layout_of, program_of

pytestmark = needs_numba
# x86: vfmadd132sd, vfnmsub231ps ...; ARM: fmadd, fnmsub, fmla, fmls, and their vector forms
FUSED = re.compile(r"^\s*(vfn?m(?:add|sub)\w*|fn?m(?:add|sub|la|ls)\w*)\b", re.MULTILINE)

# Half a second each to compile, with reductions several: the usual run looks at each form in one dtype.
USUAL = {(form, "float32") for form, rule in FORMS.items() if not rule.facts.axes} | {("adam-book", "float64")}
ROWS = [
    pytest.param(form, dtype, id=f"{form}-{dtype}", marks=[] if (form, dtype) in USUAL else [pytest.mark.slow])
    for form in FORMS
    for dtype in DTYPES
]


@functools.cache
def control(dtype):
    """a * b + c, compiled for this processor with leave to contract."""
    import numba

    scalar = getattr(numba, dtype)
    array = scalar[::1]

    @numba.njit([numba.void(array, array, array, array)], fastmath={"contract"})
    def multiply_add(a, b, c, out):
        for i in range(len(out)):
            out[i] = a[i] * b[i] + c[i]

    return multiply_add


def fused(dispatcher):
    """The fused instructions in the machine code of a compiled function."""
    code = dispatcher.inspect_asm()
    assert len(code) == 1
    text = next(iter(code.values()))
    assert len(text) > 1000, "no machine code to look at"
    return sorted(set(FUSED.findall(text)))


@pytest.fixture(scope="module", autouse=True)
def _processor():
    from llvmlite import binding

    if platform.machine().lower() in ("x86_64", "amd64") and not binding.get_host_cpu_features().get("fma"):
        pytest.skip("this processor has no fused multiply-add")


@pytest.mark.parametrize("form, dtype", ROWS)
def test_no_fused_multiply_add(form, dtype, monkeypatch):
    assert fused(control(dtype)), "the control shows none: nothing would be seen"
    # Code that comes from the cache cannot be looked at, so that it is compiled once more and not kept.
    monkeypatch.setattr(cache, "kernel_folder", lambda: None)
    layout = layout_of(FORMS[form])
    module = cache.compile_module(f"{cpu.source(layout, dtype)}\n# to be looked at", f"{form}-{dtype}")
    parts = [f"{kind}_{k}" for kind in ("pass", "numbers") for k in range(len(layout.plan.passes))]
    assert [name for name in parts if fused(getattr(module, name))] == []
    assert len(program_of(FORMS[form], dtype).passes) == len(layout.plan.passes)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 3, 64, 1003])
def test_two_roundings_where_a_fused_one_would_show(n, dtype):
    """(1 + e)(1 - e) - 1 is 0 with two roundings and -e**2 with one; here as momentum * v - lr * g."""
    e = 2.0**-30 if dtype == "float64" else 2.0**-13
    a, b, c, out = (np.full(n, x, dtype) for x in (1 - e, 1 + e, -1.0, 7.0))
    control(dtype)(a, b, c, out)
    assert (out == -(e**2)).all(), "the control does not show it"
    assert (a * b + c == 0).all()
    opt, w = tw.Momentum(lr=1.0, momentum=1 - e), np.zeros(n, dtype)
    opt.update({"w": w}, {"w": np.zeros(n, dtype)})
    opt.state["w"]["v"][...] = b
    opt.update({"w": w}, {"w": np.ones(n, dtype)})
    assert (opt.state["w"]["v"] == 0).all()
    assert (w == 0).all()
