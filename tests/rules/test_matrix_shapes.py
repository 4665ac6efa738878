"""Muon, Shampoo and SOAP on what is no single matrix: stacks, vectors, more axes, empty arrays, other dtypes."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.optimizer.worlds import all_bits
from tests.rules.matrices import (
    FORMS,
    ONLY_MATRICES,
    assert_close,
    every_form,
    every_other,
    every_stacking,
    gradients,
    made,
    rng,
    run,
    start,
    transposed,
)


@every_stacking
def test_a_stack_is_one_matrix_after_the_other(form):
    more = {"block_size": 2} if "block_size" in form.defaults else {}
    shapes = {"T": (2, 3, 3, 4)}
    params, parts = start(shapes), {f"{i}{j}": start(shapes)["T"][i, j].copy() for i in range(2) for j in range(3)}
    opt, apart = made(form, **more), made(form, **more)
    for step in range(12):
        grads = gradients(params, step)
        opt.update(params, grads)
        apart.update(parts, {name: grads["T"][int(name[0]), int(name[1])].copy() for name in parts})
    assert_close({name: params["T"][int(name[0]), int(name[1])] for name in parts}, parts)


@every_form
def test_vectors_go_by_their_own_rule(form):
    opt, params = made(form), start()
    run(opt, params, 4)
    numbers = {name: x for name, x in opt.hyperparams.items() if name in form.vectors.defaults}
    alone = {name: w for name, w in start().items() if w.ndim < 2 or (form.only_matrices and w.ndim > 2)}
    if form.vectors.facts.matrix:  # a vector is a matrix of one row
        alone = {name: np.atleast_2d(w) for name, w in alone.items()}
    run(tw.Optimizer(form.vectors, **numbers), alone, 4)
    assert all_bits({name: w.reshape(params[name].shape) for name, w in alone.items()}) == all_bits(
        {name: params[name] for name in alone}
    )
    assert list(opt.state["b"]) == list(opt.state["s"]) == list(form.vectors.slots)
    own = [name for name in form.vectors.defaults if name not in form.defaults]
    assert list(opt.hyperparams) == [*form.defaults, *own]


def test_the_forms_that_leave_all_but_matrices_to_the_rule_for_vectors():
    every = [form for rule in tw.RULES.values() for form in rule.conventions.values()]
    assert [form for form in every if form.only_matrices] == ONLY_MATRICES


@every_other
def test_more_than_two_axes_go_by_the_rule_for_vectors(form):
    """Element by element: a tensor of three axes or four is what the vector of its elements is."""
    shapes = {"W": (4, 3), "T": (2, 3, 4), "K": (2, 1, 3, 2), "E": (2, 0, 3)}
    params, flat = start(shapes), {name: w.copy() if name == "W" else w.ravel() for name, w in start(shapes).items()}
    opt, other = made(form), made(form)
    for step in range(5):
        grads = gradients(params, step)
        opt.update(params, grads)
        other.update(flat, {name: g if name == "W" else g.ravel() for name, g in grads.items()})
    assert all_bits({name: w.reshape(shapes[name]) for name, w in flat.items()}) == all_bits(params)
    assert list(opt.state["T"]) == list(opt.state["K"]) == list(form.vectors.slots) != list(form.slots)
    assert list(opt.state["W"]) == list(form.slots)


@pytest.mark.parametrize("links", [(tw.clip_norm(1.0),), (tw.accumulate(2), tw.ema(0.9))], ids=["clip", "accumulate"])
def test_so_they_do_within_a_chain(links, tmp_path):
    """Links before the rule, an average behind it, and a checkpoint in between two of its steps."""
    params = start({"W": (4, 3), "T": (2, 3, 4)})
    flat = {"W": params["W"].copy(), "T": params["T"].ravel()}

    def chain():
        return tw.chain(*links[:1], tw.Muon(convention="optax", lr=0.1), *links[1:])

    opt, other = chain(), chain()
    for step in range(7):
        grads = gradients(params, step)
        opt.update(params, grads)
        other.update(flat, {name: g if name == "W" else g.ravel() for name, g in grads.items()})
        if step == 3:
            opt.save(tmp_path / "run", params)
            opt = tw.load(tmp_path / "run", params=params)
    assert_close({name: w.reshape(params[name].shape) for name, w in flat.items()}, params)


def test_links_that_know_two_axes_refuse_more_before_any_rule():
    message = r"'T' has shape \(2, 3, 4\), and a link of this chain knows 2 axes at most"
    for link in (tw.centralize(), tw.adaptive_clip(0.1)):
        opt = tw.chain(link, tw.Muon(convention="keras"))
        with pytest.raises(ValueError, match=message):
            opt.update({"T": np.ones((2, 3, 4))}, {"T": np.ones((2, 3, 4))})


ROW = tw.rule("""
def row(w, g, m, right, below, *, lr=0.1):
    m = m + g
    right = right + g.T @ g
    below = below + sum(g, axis=-1)
    w = w - lr * (m @ right) * below
    return w, m, right, below
""", state={"right": tw.right(1.0), "below": tw.rows()})  # fmt: skip


@pytest.mark.parametrize("layout", ["in_out", "out_in"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_for_a_rule_for_vectors_that_is_of_matrices_they_have_one_row(layout, dtype):
    """In whatever layout; its own function, and an optimizer given that row, compute the same."""
    text = "def by_hand(w, g, *, lr=0.1):\n    w = w - lr * (g @ g.T @ g)\n    return w"
    opt = tw.Optimizer(tw.rule(text, vectors=ROW), layout=layout)
    params = start({"W": (2, 3), "b": (4,), "s": (), "e": (0,)}, dtype)
    rows = {name: np.atleast_2d(w) for name, w in start({"W": (2, 3), "b": (4,), "s": (), "e": (0,)}, dtype).items()}
    del rows["W"]
    other = tw.Optimizer(ROW)
    for step in range(3):
        grads = gradients(params, step)
        if dtype != np.float16:
            w, *_ = ROW.function(params["b"], grads["b"], *opt.state["b"].values()) if step else [None]
        opt.update(params, grads)
        other.update(rows, {name: np.atleast_2d(grads[name]) for name in rows})
        if dtype != np.float16 and step:
            assert w.tobytes() == params["b"].tobytes()
    assert all_bits({name: w.reshape(params[name].shape) for name, w in rows.items()}) == all_bits(
        {name: params[name] for name in rows}
    )
    shapes = {name: [opt.state[name][slot].shape for slot in ROW.slots] for name in rows}
    assert shapes == {"b": [(4,), (4, 4), (1,)], "s": [(), (1, 1), (1,)], "e": [(0,), (0, 0), (1,)]}


def test_only_matrices_says_where_more_axes_go():
    text = "def by_hand(w, g, *, lr=0.1):\n    w = w - lr * (g @ g.T @ g)\n    return w"
    vectors = tw.rule("def signs(w, g, *, lr=0.1):\n    w = w - lr * sign(g)\n    return w")
    one = tw.rule(text, vectors=vectors, only_matrices=True)
    two = one.convention("two")(text)
    three = one.convention("three", only_matrices=False)(text)
    forms = (one, two, three, one.also("four"), one.flipped)
    assert [form.only_matrices for form in forms] == [True, True, False, True, True]
    assert one.digest == two.digest != three.digest
    moved = {}
    for form in (one, three):
        moved[form] = {"T": np.zeros((2, 3, 4))}
        tw.Optimizer(form).update(moved[form], {"T": np.full((2, 3, 4), 2.0)})
    assert (moved[one]["T"] == -0.1).all()
    assert np.allclose(moved[three]["T"], -0.1 * 2.0**3 * 12, rtol=1e-15)
    with pytest.raises(tw.RuleError, match="`only_matrices=` leaves what has more than two axes to the rule of `vect"):
        tw.rule(text, only_matrices=True)


def test_mars_gives_kernels_to_adamw_as_its_authors_do():
    """`is_grad_2d = len(grad.shape) == 2` in their update: all else takes AdamW with its numbers of one axis."""
    torch = pytest.importorskip("torch")
    params = start({"T": (2, 3, 4)})
    leaf = torch.tensor(params["T"].copy(), requires_grad=True)
    theirs = torch.optim.AdamW([leaf], lr=3e-3 * 0.5, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    opt = tw.MARS(lr_ratio=0.5)
    for step in range(9):
        grads = gradients(params, step)
        opt.update(params, grads)
        leaf.grad = torch.from_numpy(grads["T"].copy())
        theirs.step()
    assert_close(params, {"T": leaf.detach().numpy()}, 1e-14)


@every_form
@pytest.mark.parametrize("layout", ["in_out", "out_in"])
def test_shapes_of_state(form, layout):
    opt, params = made(form, layout=layout), start()
    run(opt, params, 2)
    for name in ("W", "V") if form.only_matrices else ("W", "V", "T"):
        *stack, n, m = params[name].shape if layout == "in_out" else transposed(params[name]).shape
        grid = [1, 1] if "block_size" in form.defaults else []
        sides = {"left": (*stack, *grid, n, n), "right": (*stack, *grid, m, m)}
        sides |= {f"{side}_basis": shape for side, shape in sides.items()}
        assert list(opt.state[name]) == list(form.slots)
        assert {slot: a.shape for slot, a in opt.state[name].items()} == {
            slot: sides.get(slot, (*stack, n, m)) for slot in form.slots
        }
        assert all(a.dtype == np.float64 for a in opt.state[name].values())


@every_form
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_smaller_dtypes(form, dtype):
    """What is small enough for float32 comes out finite, and near to what float64 says."""
    import ml_dtypes

    kind = ml_dtypes.bfloat16 if dtype == "bfloat16" else np.dtype(dtype)
    wide = {name: w.astype(np.float64) for name, w in start(dtype=kind).items()}
    params = {name: w.copy() for name, w in start(dtype=kind).items()}
    opt, other = made(form, master=dtype != "float32"), made(form)
    for step in range(3):
        grads = {name: g.astype(kind) for name, g in gradients(wide, step).items()}
        opt.update(params, grads)
        other.update(wide, {name: g.astype(np.float64) for name, g in grads.items()})
    for name, w in params.items():
        assert w.dtype == kind
        assert np.allclose(w.astype(np.float64), wide[name], rtol=0.02, atol=0.02)


@every_form
def test_gradients_of_zero_and_empty_matrices(form):
    params = {"W": np.ones((3, 4)), "b": np.ones(2), "E": np.ones((0, 4)), "F": np.ones((2, 0, 3))}
    opt = made(form)
    zeros = {name: np.zeros_like(w) for name, w in params.items()}
    for _ in range(12):
        opt.update(params, zeros)
    # Decay alone, where there is one by default.
    assert all(0.98 < x <= 1.0 for x in (*params["W"].flat, *params["b"]))
    assert np.ptp(params["W"]) == 0.0


@pytest.mark.parametrize("form", [f for f in FORMS if f.name == "shampoo"], ids=lambda f: f.convention_name)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_eigenvalues_that_rounding_puts_below_eps(form, dtype):
    """Of matrices of rank one whose squares are up to 1e13 times eps; roots of them are not to be NaN."""
    outer = np.outer(rng(3).standard_normal(6), rng(4).standard_normal(5)).astype(dtype)
    opt, params = made(form), {"W": np.zeros((6, 5), dtype)}
    for step in range(20):
        opt.update(params, {"W": 10.0 ** (step % 5) * outer})
    assert np.isfinite(params["W"]).all()
