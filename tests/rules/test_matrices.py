"""Muon, Shampoo and SOAP: layouts, blocks, stacks, vectors, state, checkpoints, and steps known beforehand."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import thalweg as tw
from tests.optimizer.worlds import World, all_bits, bits

MATRICES = ("muon", "shampoo", "soap")
FORMS = [form for name in MATRICES for form in tw.RULES[name].conventions.values()]
IDS = [f"{form.name}-{form.convention_name}" for form in FORMS]
SHAPES = {"W": (5, 7), "V": (4, 4), "T": (2, 3, 4), "b": (6,), "s": ()}
every_form = pytest.mark.parametrize("form", FORMS, ids=IDS)
STACKING = [form for form in FORMS if not form.only_matrices]
every_stacking = pytest.mark.parametrize("form", STACKING, ids=[f"{f.name}-{f.convention_name}" for f in STACKING])
# Here all but matrices, also what has three axes or more, goes by the rule for vectors.
ONLY_MATRICES = [tw.RULES["mars"], tw.RULES["muon"].conventions["keras"], tw.RULES["muon"].conventions["optax"]]
every_other = pytest.mark.parametrize("form", ONLY_MATRICES, ids=["mars-authors", "muon-keras", "muon-optax"])
# Two orders of the sums in a product of matrices differ by a few roundings, which eigenvectors of neighbouring
# eigenvalues show some hundred times as large; steps here are of the size of the parameters.
CLOSE = 1e-11


def rng(*seed):
    return np.random.default_rng(seed)


def start(shapes=None, dtype=np.float64):
    found = shapes or SHAPES
    return {name: np.array(rng(0, i).standard_normal(shape), dtype) for i, (name, shape) in enumerate(found.items())}


def gradients(params, step):
    return {
        name: np.array(rng(1, step, *name.encode()).standard_normal(w.shape), w.dtype) for name, w in params.items()
    }


def run(opt, params, steps, turn=lambda a: a, of=gradients):
    """Take steps with gradients that do not depend on the parameters; turn: what becomes of matrices."""
    for _ in range(steps):
        plain = of({name: turn(w) for name, w in params.items()}, opt.t)
        opt.update(params, {name: np.array(turn(g)) for name, g in plain.items()})
    return params


def made(form, **more):
    return tw.Optimizer(form, **more)


def transposed(a):
    return np.swapaxes(a, -1, -2) if a.ndim > 1 else a


def assert_close(a, b, close=CLOSE):
    assert a.keys() == b.keys()
    for name in a:
        assert np.max(np.abs(a[name] - b[name]), initial=0.0) <= close * max(1.0, np.max(np.abs(b[name]))), name


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


def cut(params, size):
    """Return the blocks as parameters of their own."""
    found = {}
    for name, w in params.items():
        for i in range(0, w.shape[-2], size):
            for j in range(0, w.shape[-1], size):
                found[f"{name}{i},{j}"] = np.array(w[..., i : i + size, j : j + size])
    return found


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


# Stacks, vectors, state -----------------------------------------------------------------------------------------------


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
    run(tw.Optimizer(form.vectors, **numbers), alone, 4)
    assert all_bits(alone) == all_bits({name: params[name] for name in alone})
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


# Steps known beforehand -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("convention", tw.RULES["muon"].conventions)
@pytest.mark.parametrize("shape", [(6, 6), (3, 8), (8, 3), (4, 5, 2)])
def test_singular_values_of_muons_step_are_near_one(convention, shape):
    """Of gradients whose own are up to a thousand times apart."""
    if len(shape) > 2 and tw.RULES["muon"].conventions[convention].only_matrices:
        shape = shape[1:]
    w, n, m = {"W": np.zeros(shape)}, shape[-2], shape[-1]
    tw.Muon(lr=1.0, weight_decay=0.0, convention=convention).update(w, gradients(w, 3))
    scale = {"torch-match-rms": 0.2 * max(n, m) ** 0.5, "keras": 0.2 * max(n, m) ** 0.5}
    values = np.linalg.svd(w["W"])[1] / scale.get(convention, max(1.0, m / n) ** 0.5)
    assert ((values > 0.5) & (values < 1.5)).all()
    rotation = np.linalg.svd(gradients(w, 3)["W"], full_matrices=False)
    assert np.linalg.norm(w["W"] / scale.get(convention, max(1.0, m / n) ** 0.5) + rotation[0] @ rotation[2]) < 1.0


def test_five_steps_of_the_iteration_by_hand():
    """On a diagonal matrix it works on each element, divided by the norm, with the polynomial alone."""
    x = np.array([3.0, 2.0, 0.5, 1e-3])
    w = {"W": np.zeros((4, 4))}
    tw.Muon(lr=1.0, weight_decay=0.0, momentum=0.0).update(w, {"W": np.diag(x)})
    s = x / np.linalg.norm(x)
    for _ in range(5):
        s = 3.4445 * s - 4.775 * s**3 + 2.0315 * s**5
    assert np.allclose(w["W"], -np.diag(s), rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("shape", [(5, 5), (3, 5), (5, 3)])
def test_shampoo_on_an_orthogonal_gradient(shape):
    """Both matrices are multiples of one on its space then: t times the same gradient makes steps 1 / sqrt(t + eps)."""
    q = np.linalg.qr(rng(7).standard_normal((5, 5)))[0][: shape[0], : shape[1]]
    q = np.linalg.svd(q, full_matrices=False)
    q = q[0] @ q[2]
    w, expected = {"W": np.zeros(shape)}, np.zeros(shape)
    opt = tw.Shampoo(lr=0.5, eps=0.01)
    for t in range(1, 6):
        opt.update(w, {"W": q})
        expected -= 0.5 * q / np.sqrt(t + 0.01)
        assert np.allclose(w["W"], expected, rtol=1e-13, atol=1e-14)


def test_shampoo_on_a_diagonal_gradient_is_adagrad():
    """The roots of both sides make one root of the sum of squares."""
    w = {"W": np.zeros((3, 3))}
    opt, h, expected = tw.Shampoo(lr=0.5, eps=0.01), np.full(3, 0.01), np.zeros(3)
    for t in range(1, 6):
        g = np.array([1.0, -2.0, 0.1]) * t
        opt.update(w, {"W": np.diag(g)})
        h += g * g
        expected -= 0.5 * g / np.sqrt(h)
        assert np.allclose(w["W"], np.diag(expected), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("convention", ["facebook-adagrad", "facebook-adam"])
def test_a_graft_has_the_length_of_the_other_step(convention):
    """Block by block, and of the direction of what is not grafted."""
    numbers = dict(lr=1.0, beta1=0.7, block_size=3)
    params, same = {"W": np.zeros((5, 7))}, {"W": np.zeros((5, 7))}
    other = {"W": np.zeros((5, 7))}
    more = {"eps": 1e-8, "beta2": 0.999} if convention == "facebook-adam" else {"eps": 1e-12}
    grafted = tw.Shampoo(convention=convention, **numbers)
    plain = tw.Shampoo(convention="facebook", **numbers, **more)
    if convention == "facebook-adam":
        length = tw.Adam(lr=1.0, beta1=0.7, beta2=0.999, eps=1e-8, convention="torch")
    else:
        length = tw.Optimizer(form_of("facebook-adagrad").vectors, lr=1.0, beta1=0.7)
    for step in range(5):
        grads = gradients(params, step)
        before = [p["W"].copy() for p in (params, same, other)]
        grafted.update(params, grads)
        plain.update(same, grads)
        length.update(other, grads)
        steps = [cut({"": p["W"] - b}, 3) for p, b in zip((params, same, other), before, strict=True)]
        for name, u in steps[0].items():
            assert np.isclose(np.linalg.norm(u), np.linalg.norm(steps[2][name]), rtol=1e-12)
            v = steps[1][name]
            assert np.allclose(u / np.linalg.norm(u), v / np.linalg.norm(v), rtol=1e-11, atol=1e-12)


def form_of(convention):
    return tw.RULES["shampoo"].conventions[convention]


def test_soap_in_one_basis_is_adam_there():
    """The first step finds the basis; where no other one follows, Adam takes the rest in it."""
    params, turned = {"W": start()["W"]}, {}
    opt = tw.SOAP(every=10**9, weight_decay=0.0, lr=0.1, beta1=0.7, beta2=0.9, eps=1e-3)
    before = bits(params["W"])
    first = gradients(params, 0)["W"]
    opt.update(params, {"W": first})
    assert bits(params["W"]) == before
    a, b = (opt.state["W"][f"{side}_basis"].copy() for side in ("left", "right"))
    for q, x in ((a, first @ first.T), (b, first.T @ first)):
        assert np.allclose(q.T @ q, np.eye(len(q)), atol=1e-14)
        found = np.diagonal(q.T @ x @ q)
        assert np.allclose(q.T @ x @ q, np.diag(found), atol=1e-13)
        assert (np.diff(found) <= 1e-13).all()
    turned["W"] = a.T @ params["W"] @ b
    adam = tw.Adam(lr=0.1, beta1=0.7, beta2=0.9, eps=1e-3, convention="sklearn")
    for step in range(1, 15):
        g = gradients(params, step)["W"]
        opt.update(params, {"W": g})
        adam.update(turned, {"W": a.T @ g @ b})
        assert np.allclose(params["W"], a @ turned["W"] @ b.T, rtol=1e-12, atol=1e-12)
        assert bits(opt.state["W"]["left_basis"]) == bits(a)


def test_soap_keeps_its_bases_orthogonal_and_sorted_and_its_momentum_in_place():
    """At a turn m outside of the basis stays what it was, and v is sorted; every third step is one."""
    params = {"W": start()["W"]}
    opt = tw.SOAP(every=3)
    kept = None
    for step in range(1, 14):
        g = gradients(params, step)["W"]
        opt.update(params, {"W": g})
        s = {name: np.array(x) for name, x in opt.state["W"].items()}
        if kept is not None:
            projected = kept["left_basis"].T @ g @ kept["right_basis"]
            m, v = 0.95 * kept["m"] + 0.05 * projected, 0.95 * kept["v"] + 0.05 * projected**2
            is_turn = (step - 1) % 3 == 0
            assert (bits(s["left_basis"]) == bits(kept["left_basis"])) != is_turn
            outside = kept["left_basis"] @ m @ kept["right_basis"].T
            assert np.allclose(s["left_basis"] @ s["m"] @ s["right_basis"].T, outside, atol=1e-13)
            assert np.allclose(np.sort(s["v"], axis=None), np.sort(v, axis=None), rtol=1e-13)
            if not is_turn:
                assert np.allclose(s["v"], v, rtol=1e-13)
        for side in ("left", "right"):
            q = s[f"{side}_basis"]
            assert np.allclose(q.T @ q, np.eye(len(q)), atol=1e-13)
        kept = s
