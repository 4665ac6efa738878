"""update(params, grads): in place, of any layout and dtype, without a trace on the gradients."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import thalweg as tw
from tests.optimizer.worlds import RULES, World, all_bits, bits, copied, differences, rng, some_grads, some_params


@pytest.mark.parametrize("rule", RULES)
def test_the_arrays_stay_and_their_numbers_change(rule):
    world = World(rule)
    arrays = dict(world.params)
    addresses = {name: w.__array_interface__["data"] for name, w in arrays.items()}
    before = all_bits(arrays)
    views = {name: w.T for name, w in arrays.items()}
    world.steps(3)
    assert all(world.params[name] is w for name, w in arrays.items())
    assert {name: w.__array_interface__["data"] for name, w in arrays.items()} == addresses
    after = all_bits(arrays)
    assert all(before[name] != after[name] for name in arrays)
    assert all(np.array_equal(views[name].T, w) for name, w in arrays.items())
    assert world.opt.t == 3
    assert world.opt.update(world.params, some_grads(world.params, 0)) is None


@pytest.mark.parametrize("rule", RULES)
def test_gradients_are_never_written_to(rule):
    world, twin = World(rule), World(rule)
    for step in range(3):
        grads = some_grads(world.params, step)
        kept = all_bits(grads)
        twin.opt.update(twin.params, grads)
        for g in grads.values():
            g.flags.writeable = False
        world.opt.update(world.params, grads)
        assert all_bits(grads) == kept
    assert differences(world.everything(), twin.everything()) == []


def test_an_update_is_what_the_rule_says():
    """By hand: v = 0.5 * 0 - 0.1 * 2 = -0.2, w = 1 - 0.2 = 0.8; then v = -0.1 + 0.3 = 0.2, w = 1."""
    opt, w = tw.Momentum(lr=0.1, momentum=0.5), np.array([1.0])
    opt.update({"w": w}, {"w": np.array([2.0])})
    assert w == pytest.approx([0.8], rel=1e-15)
    opt.update({"w": w}, {"w": np.array([-3.0])})
    assert w == pytest.approx([1.0], rel=1e-15)
    assert opt.state["w"]["v"] == pytest.approx([0.2], rel=1e-14)


FILLER = 7.0


def embedded(w, layout):
    """Return a parameter of this layout with the numbers of w, and the whole memory that it lies in."""
    match layout:
        case "C":
            base = np.array(w)
            return base, base
        case "F":
            base = np.array(w, order="F")
            return base, base
        case "columns":
            base = np.full((w.shape[0], 2 * w.shape[1] + 1), FILLER, w.dtype)
            view = base[:, 1::2]
        case "backwards":
            base = np.full((w.shape[0] + 2, w.shape[1] + 2), FILLER, w.dtype)
            view = base[1:-1, 1:-1][::-1, ::-1]
        case "transposed":
            base = np.full((w.shape[1], w.shape[0] + 3), FILLER, w.dtype)
            view = base[:, 3:].T
        case "misaligned":
            base = np.zeros(w.nbytes + 1, np.uint8)
            view = base[1:].view(w.dtype).reshape(w.shape)
    view[...] = w
    return view, base


LAYOUTS = ("C", "F", "columns", "backwards", "transposed", "misaligned")


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_layout_gives_the_same_bits_and_leaves_its_neighbours(rule, layout, dtype):
    w = rng(1).standard_normal((5, 6)).astype(dtype)
    plain, opt, other = w.copy(), tw.Optimizer(RULES[rule]), tw.Optimizer(RULES[rule])
    view, base = embedded(w, layout)
    outside = base == FILLER
    for step in range(3):
        g = rng([2, step]).standard_normal(w.shape).astype(dtype)
        opt.update({"w": plain}, {"w": g})
        other.update({"w": view}, {"w": embedded(g, LAYOUTS[step])[0]})
    assert bits(np.ascontiguousarray(view)) == bits(plain)
    if base.dtype == dtype:
        assert outside.sum() == base.size - w.size
        assert (base[outside] == FILLER).all()


@pytest.mark.parametrize("rule", RULES)
def test_a_state_seen_in_one_layout_goes_on_in_another(rule):
    """Arrays may be replaced by others of the same shape and dtype between steps."""
    w = rng(1).standard_normal((5, 6))
    plain, opt, other = w.copy(), tw.Optimizer(RULES[rule]), tw.Optimizer(RULES[rule])
    params = {"w": w.copy()}
    for step, layout in enumerate(LAYOUTS * 2):
        params["w"] = embedded(params["w"], layout)[0]
        g = rng([2, step]).standard_normal(w.shape)
        opt.update({"w": plain}, {"w": g})
        other.update(params, {"w": embedded(g, LAYOUTS[-1 - step % 6])[0]})
        assert bits(np.ascontiguousarray(params["w"])) == bits(plain)
    slots = [slot for slot, value in opt.state["w"].items() if isinstance(value, np.ndarray)]
    assert all(np.array_equal(opt.state["w"][slot], other.state["w"][slot]) for slot in slots)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("given", [np.float16, np.float32, np.float64, np.longdouble, ml_dtypes.bfloat16])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_of_another_dtype_are_cast_to_the_parameters(rule, given, dtype):
    first, second = (World(rule) for _ in range(2))
    first.params, second.params = ({"w": np.ones((3, 4), dtype)} for _ in range(2))
    for step in range(3):
        g = rng([5, step]).standard_normal((3, 4)).astype(given)
        first.opt.update(first.params, {"w": g})
        second.opt.update(second.params, {"w": g.astype(dtype)})
    assert first.params["w"].dtype == dtype
    assert differences(first.everything(), second.everything()) == []


@pytest.mark.parametrize("rule", ["sgd", "adam", "novograd"])
def test_float32_and_float64_side_by_side_are_as_each_alone(rule):
    together = World(rule, steps=4)
    alone = {}
    for name in together.params:
        world = World(rule)
        world.params = {name: some_params()[name]}
        for step in range(4):
            grads = some_grads(some_params(), 100 + step)
            world.opt.update(world.params, {name: grads[name]})
        alone |= world.params
    assert {w.dtype for w in together.params.values()} == {np.dtype(np.float32), np.dtype(np.float64)}
    assert all_bits(together.params) == all_bits(alone)


@pytest.mark.parametrize("rule", ["sgd", "adam", "novograd"])
def test_the_order_of_the_names_does_not_matter(rule):
    world, other = World(rule), World(rule)
    other.params = dict(reversed(other.params.items()))
    for step in range(3):
        grads = some_grads(world.params, step)
        world.opt.update(world.params, grads)
        other.opt.update(other.params, dict(sorted(grads.items(), key=lambda item: hash(item[0]))))
    assert all_bits(world.params) == all_bits(other.params)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0, 3)])
@pytest.mark.parametrize("rule", RULES)
def test_arrays_without_elements(rule, shape):
    world = World(rule)
    world.params |= {"none": np.zeros(shape), "last": np.zeros(2)}
    grads = some_grads(world.params, 0)
    world.opt.update(world.params, grads)
    world.opt.update(world.params, grads)
    assert world.opt.t == 2
    assert world.params["none"].shape == shape
    slots = world.opt.state["none"]
    assert all(value.shape == shape for value in slots.values() if isinstance(value, np.ndarray))
    alone = tw.Optimizer(RULES[rule])
    alone.update({"none": np.zeros(shape)}, {"none": np.zeros(shape)})
    assert alone.t == 1


def test_no_parameters_at_all():
    opt = tw.Adam()
    opt.update({}, {})
    assert (opt.t, dict(opt.state)) == (1, {})


def test_a_number_of_an_array_may_be_the_gradient_of_a_0d_parameter():
    """`2 * w` of a 0-d array is a NumPy number."""
    w, opt = np.array(3.0), tw.SGD(lr=0.5)
    opt.update({"w": w}, {"w": 2 * w})
    assert w == 0.0


def test_a_memory_map_is_updated_on_disk(tmp_path):
    w = np.lib.format.open_memmap(tmp_path / "w.npy", "w+", np.float32, (3,))
    w[...] = 1
    tw.SGD(lr=0.5).update({"w": w}, {"w": np.ones(3, np.float32)})
    w.flush()
    assert np.load(tmp_path / "w.npy").tolist() == [0.5, 0.5, 0.5]


def test_any_mapping_will_do():
    from collections import OrderedDict
    from types import MappingProxyType

    params, grads = some_params(), some_grads(some_params(), 1)
    other = copied(params)
    tw.SGD().update(MappingProxyType(params), OrderedDict(grads))
    tw.SGD().update(other, grads)
    assert all_bits(params) == all_bits(other)
