"""Muon, Shampoo and SOAP: layouts, blocks, checkpoints."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import thalweg as tw
from tests.optimizer.worlds import World, all_bits
from tests.rules.matrices import (
    FORMS,
    MATRICES,
    SHAPES,
    assert_close,
    cut,
    every_form,
    gradients,
    made,
    rng,
    run,
    start,
    transposed,
)

# Layout ---------------------------------------------------------------------------------------------------------------


@every_form
def test_the_other_layout_is_the_transposed_problem(form):
    plain = run(made(form), start(), 13)
    other = {name: np.array(transposed(w)) for name, w in start().items()}
    opt = made(form, layout="out_in")
    run(opt, other, 13, transposed)
    assert_close({name: transposed(w) for name, w in other.items()}, plain)
    assert (opt.rule.layout, repr(opt).count("layout='out_in'")) == ("out_in", 1)


def test_out_in_is_another_scale_where_it_counts_and_the_same_elsewhere():
    """With more outputs than inputs Muon's step is larger, and torch's rows are outputs."""
    g = {"W": rng(5).standard_normal((2, 8))}
    steps = {}
    for layout in ("in_out", "out_in"):
        params = {"W": np.zeros((2, 8))}
        tw.Muon(lr=1.0, layout=layout).update(params, g)
        steps[layout] = params["W"]
    assert np.allclose(steps["in_out"], 2.0 * steps["out_in"], rtol=1e-14)
    for name in ("shampoo", "soap"):
        both = [run(tw.Optimizer(name, layout=layout), start(), 3) for layout in ("in_out", "out_in")]
        assert_close(*both)


@pytest.mark.parametrize("name", MATRICES)
def test_layouts_that_there_are_not(name):
    message = r"layout = 'io'; it is 'in_out', for weights of shape \(inputs, outputs\).* or 'out_in', as torch"
    with pytest.raises(ValueError, match=message):
        tw.Optimizer(name, layout="io")
    with pytest.raises(ValueError, match="Adam is no rule of whole matrices, and has no layout"):
        tw.Adam(layout="out_in")


# Blocks ---------------------------------------------------------------------------------------------------------------

BLOCKED = [form for form in FORMS if "block_size" in form.defaults]
every_blocked = pytest.mark.parametrize("form", BLOCKED, ids=[form.convention_name for form in BLOCKED])


@every_blocked
def test_blocks_as_large_as_the_matrix_are_none(form):
    whole = run(made(form), start(), 5)
    for size in (7, 8, 10**6):
        assert all_bits(run(made(form, block_size=size), start(), 5)) == all_bits(whole)


@every_blocked
@pytest.mark.parametrize("size", [1, 2, 3, 5, 6])
def test_blocks_are_parameters_of_their_own(form, size):
    """Edges too: (5, 7) in blocks of 3 ends with 2 rows and 1 column."""
    names = {"W": SHAPES["W"], "T": SHAPES["T"]}
    params, parts = start(names), cut(start(names), size)
    opt, apart = made(form, block_size=size), made(form)
    for step in range(5):
        grads = gradients(params, step)
        opt.update(params, grads)
        apart.update(parts, cut(grads, size))
    assert_close(cut(params, size), parts)
    down, across = -(-5 // size), -(-7 // size)
    rows, columns = min(5, size), min(7, size)
    assert opt.state["W"]["left"].shape == (down, across, rows, rows)
    assert opt.state["W"]["right"].shape == (down, across, columns, columns)


def schedule(t):
    return 3.0


@every_blocked
def test_another_size_of_blocks_is_refused_once_there_is_state(form):
    world = World(form, block_size=2, groups={"p03": {"block_size": 4}})
    world.opt.block_size = 3
    world.steps(2)
    before = world.everything()
    message = "Shampoo: block_size = 2, and there is state for blocks of 3; that stays, or take a new optimizer"
    with pytest.raises(ValueError, match=message):
        world.opt.block_size = 2
    with pytest.raises(ValueError, match="block_size = 3, and there is state for blocks of 4"):
        world.opt.groups["p03"].block_size = 3
    assert world.everything() == before
    assert (world.opt.block_size, world.opt.groups["p03"].block_size) == (3, 4)
    world.opt.block_size = 3
    world.steps(1)
    assert world.everything() != before
    again = copy.deepcopy(world.opt)
    with pytest.raises(ValueError, match="for blocks of 3"):
        again.block_size = 2


@every_blocked
def test_sizes_of_blocks_that_there_are_not(form):
    with pytest.raises(ValueError, match=r"block_size = 2\.5 is out of range; legal is block_size >= 1, a whole"):
        made(form, block_size=2.5)
    with pytest.raises(ValueError, match="block_size = 0 is out of range"):
        made(form, block_size=0)
    with pytest.raises(TypeError, match=r"block_size = <.*> is a function of t; state has blocks of one size"):
        made(form, block_size=schedule)


# Checkpoints ----------------------------------------------------------------------------------------------------------


@every_form
@pytest.mark.parametrize("layout", ["in_out", "out_in"])
def test_a_stored_run_goes_on_bit_for_bit(form, layout, tmp_path):
    more = {"layout": layout} | ({"block_size": 3} if "block_size" in form.defaults else {})
    more |= {"every": 4} if "every" in form.defaults else {}
    ended = run(made(form, **more), start(), 11)
    opt, params = made(form, **more), start()
    run(opt, params, 5)
    opt.save(tmp_path / "run", params)
    fresh = {name: np.zeros_like(w) for name, w in params.items()}
    loaded = tw.load(tmp_path / "run", params=fresh)
    assert (loaded.rule.layout, loaded.hyperparams) == (layout, opt.hyperparams)
    assert loaded.rule is opt.rule
    other = made(form, **more | {name: 1 for name in ("block_size", "every") if name in more})
    other.load_state_dict(opt.state_dict())
    ways = {"file": (loaded, fresh), "state_dict": (other, None), "copy": (copy.deepcopy(opt), None)}
    ways["pickle"] = pickle.loads(pickle.dumps(opt)), None
    for way, (again, own) in ways.items():
        mine = own or {name: w.copy() for name, w in params.items()}
        assert all_bits(run(again, mine, 6)) == all_bits(ended), way
        assert again.rule is opt.rule


def test_layouts_do_not_take_over_each_others_state():
    opt = tw.SOAP()
    run(opt, start(), 2)
    with pytest.raises(tw.CheckpointError, match="text of the rule"):
        tw.SOAP(layout="out_in").load_state_dict(opt.state_dict())
