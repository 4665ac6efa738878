"""Kernels of chains and their meaning: the same bits, for every link, any number of threads and any cut of the work."""

from __future__ import annotations

from contextlib import ExitStack
from unittest import mock

import numpy as np
import pytest

import thalweg as tw
from tests.kernels.twins import needs_numba, on_threads, same_bits, through_the_meaning
from tests.transforms.chains import DTYPES, gradients, start
from thalweg.engine import table
from thalweg.words import BLOCK

pytestmark = needs_numba
SHAPES = {"W": (5, 7), "b": (9,), "s": (), "long": (3, 2 * BLOCK + 11), "column": (4, 1)}

# Together: every link, before and behind, and every shape of a last assignment.
CHAINS = {
    "elementwise": lambda: tw.chain(
        tw.noise(0.1, seed=2), tw.clip_value(0.8), tw.l2(0.1), tw.Nesterov(lr=0.05),
        tw.decoupled_decay(0.2, "absolute"), tw.lookahead(3, 0.4), tw.bounds(-1, 1.5), tw.polyak(),
        tw.ema(0.6, overwrite=2),
    ),
    "norms": lambda: tw.chain(
        tw.centralize("out_in"), tw.adaptive_clip(0.1, 0.05), tw.clip_global_norm(1.1, eps=1e-6), tw.Adam(lr=0.05),
        tw.cautious(0.3), tw.clip_norm(0.3), tw.decoupled_decay(0.1), tw.swa(2, 2),
    ),
    "measures": lambda: tw.chain(
        tw.clip_norm(2.0), tw.accumulate(2), tw.clip_global_norm(0.9), tw.RMSprop(lr=0.05),
        tw.clip_global_norm(0.2), tw.adaptive_clip(0.05, layout="out_in"), tw.bounds(low=-2),
        tw.ema(0.7, start="initial"),
    ),
}  # fmt: skip


def runs(make, dtype, given, *, meaning=False, threads=None, grain=None):
    """Everything there is after each step."""
    found = []
    with ExitStack() as stack:
        if meaning:
            stack.enter_context(through_the_meaning())
        if threads:
            stack.enter_context(on_threads(threads))
        if grain:
            stack.enter_context(mock.patch.object(table, "GRAIN", grain))
        opt, params = make(), start(dtype, shapes=SHAPES)
        params["W"] = np.asfortranarray(params["W"])
        params["b"] = np.repeat(params["b"], 2)[::2]
        for grads in given:
            opt.update(params, grads)
            state = {(name, slot): np.copy(x) for name, slots in opt.state.items() for slot, x in slots.items()}
            found.append(
                {name: w.copy() for name, w in params.items()} | state | {"t": opt.t, "gathered": opt.gathered}
            )
    return found


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("chain", CHAINS)
def test_kernels_are_their_meaning(chain, dtype):
    given = gradients(6, dtype, shapes=SHAPES)
    given[3] = given[3] | {"b": None}
    before = [{name: None if g is None else g.tobytes() for name, g in grads.items()} for grads in given]
    for grads in given:
        for g in grads.values():
            if g is not None:
                g.flags.writeable = False
    wanted = runs(CHAINS[chain], dtype, given, meaning=True)
    for options in (dict(threads=1), dict(threads=2, grain=1), dict(threads=5, grain=1)):
        found = runs(CHAINS[chain], dtype, given, **options)
        for t, (mine, other) in enumerate(zip(found, wanted, strict=True), 1):
            assert mine.keys() == other.keys()
            assert [where for where in mine if not same_bits(mine[where], other[where])] == [], (options, t)
    after = [{name: None if g is None else g.tobytes() for name, g in grads.items()} for grads in given]
    assert after == before, "gradients are the caller's"


def with_masters(opt, master):
    """The same chain around the same rule with another `master`."""
    made = opt._assembly.made
    rule = tw.Optimizer(made.rule, master=master, lr=opt.lr)
    return tw.chain(*made.links.before, rule, *made.links.after)


@pytest.mark.parametrize("chain", CHAINS)
def test_half_precision_with_and_without_masters(chain):
    """Computed in float32 in either way, and rounded once."""
    small = {name: shape for name, shape in SHAPES.items() if name != "long"}
    for master in (False, True):
        made = []
        for meaning in (False, True):
            with ExitStack() as stack:
                if meaning:
                    stack.enter_context(through_the_meaning())
                params = {name: w.astype(np.float16) for name, w in start(shapes=small).items()}
                opt = with_masters(CHAINS[chain](), master)
                for grads in gradients(4, "float32", shapes=small):
                    opt.update(params, grads)
                made.append(params)
        for name, w in made[0].items():
            assert w.dtype == np.float16
            assert same_bits(w, made[1][name]), (master, name)
