"""The table of what other libraries call their optimizers: nothing missing, nothing invented, and every row true."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import os
import typing

import numpy as np
import pytest

import thalweg as tw
from tests.kernels.twins import through_the_meaning
from tests.oracles import base
from tests.oracles.base import distance
from tests.rules.elsewhere_steps import ELSEWHERE, STEPS
from tests.rules.sequences import depending, path_of, start, wide
from thalweg.elsewhere import LIBRARIES, MISSING, ROWS, rows_of

os.environ.setdefault("KERAS_BACKEND", "jax")
TOLERANCE = 1e-12
SHAPES = {"W1": (4, 3), "b1": (3,), "W2": (3, 5)}
MATRICES = {"W1": (4, 3), "W2": (3, 5)}
LIVE = [row for row in ROWS if row.library in ("PyTorch", "Keras", "optax")]
# Each takes a second or more of other people's compilers: all but every fourth are for `make test-all`.
LIVE_ROWS = [
    pytest.param(row, id=row.theirs, marks=[pytest.mark.slow] if k % 4 or row.rule == "muon" else [])
    for k, row in enumerate(LIVE)
]
WRITTEN = [row for row in ROWS if row.name in STEPS]


@pytest.fixture(autouse=True)
def meaning():
    """Nothing is compiled: `tests/kernels` show that kernels do the same."""
    with through_the_meaning():
        yield


def evaluated(row):
    """Return the optimizer that the table gives for a row."""
    return eval(row.ours, {"tw": tw})


def arguments(row):
    """Return the arguments of the call that makes an optimizer elsewhere."""
    call = ast.parse(row.theirs, mode="eval").body
    keywords = {k.arg: ast.literal_eval(k.value) for k in call.keywords}
    return [ast.literal_eval(a) for a in call.args], keywords


# Nothing missing, nothing invented ------------------------------------------------------------------------------------


def names_in(module, is_optimizer):
    """Return the public names of a module for which a function is true, as they are written in the table."""
    there = vars(importlib.import_module(module)).items()
    return {f"{module}.{name}" for name, value in there if not name.startswith("_") and is_optimizer(name, value)}


def classes_of(module):
    """Return the optimizers of a module that has a class Optimizer above them."""
    above = importlib.import_module(module).Optimizer
    return names_in(module, lambda _, value: inspect.isclass(value) and issubclass(value, above) and value is not above)


def transforms(name, value):
    """Tell whether a call of something gives a transformation of gradients: functions, partial and jitted ones.

    By what is written behind its arrow; without one it is called, with a number for each argument that it needs, and
    counts as one too if it cannot be. What begins with scale_by_ is a part of an optimizer in all of optax.
    """
    if name.startswith("scale_by_") or not callable(value) or inspect.isclass(value) or typing.get_origin(value):
        return False
    parameters, gives = inspect.signature(value).parameters.values(), inspect.signature(value).return_annotation
    if gives is not inspect.Signature.empty:
        return "GradientTransformation" in str(gives)
    needed = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    numbers = [0.1 for p in needed if p.kind is not p.KEYWORD_ONLY]
    try:
        made = value(*numbers, **{p.name: 0.1 for p in needed if p.kind is p.KEYWORD_ONLY})
    except Exception:  # noqa: BLE001 - whatever it is: it has to be named
        return True
    return isinstance(made, importlib.import_module("optax").GradientTransformation)


# What a call of gives a transformation in optax, or cannot be tried, and is no optimizer.
NO_OPTIMIZERS = {
    "clips gradients; tw.clip_norm and its like": "adaptive_grad_clip clip clip_by_block_rms clip_by_global_norm",
    "changes gradients before another, or steps behind it": "add_decayed_weights add_noise centralize ema "
    "normalize_by_update_norm scale trace zero_nans keep_params_nonnegative",
    "does nothing, or stops everything": "identity set_to_zero freeze",
    "joins others, or shares parameters out among them": "chain named_chain masked multi_transform partition "
    "selective_transform",
    "wraps another, or puts it off": "apply_every apply_if_finite conditionally_mask conditionally_transform flatten "
    "inject_hyperparams inject_stateful_hyperparams lookahead with_extra_args_support",
    "makes a part of a function": "stateless stateless_with_tree_map",
    "looks on": "measure_with_ema monitor snapshot",
    "a function of matrices, or a loss": "matrix_inverse_pth_root sigmoid_binary_cross_entropy",
}
LEFT_OUT = {f"optax.{name}" for names in NO_OPTIMIZERS.values() for name in names.split()}


WALKS = {
    "torch.optim": lambda: classes_of("torch.optim"),
    "keras.optimizers": lambda: classes_of("keras.optimizers"),
    "optax": lambda: names_in("optax", transforms),
    "optax.contrib": lambda: names_in("optax.contrib", transforms),
}


@pytest.mark.parametrize("module", WALKS)
def test_every_public_optimizer_is_in_the_table_or_has_a_reason(module):
    pytest.importorskip(module.partition(".")[0])
    there = WALKS[module]()
    here = {row.name for row in ROWS}
    reasons = {row.name for row in MISSING} | LEFT_OUT
    of_it = {name for name in here | reasons if name.rpartition(".")[0] == module}
    assert there - of_it == set(), "neither a row nor a reason"
    assert of_it - there == set(), "there is nothing of that name"
    assert not here & reasons


def made_elsewhere(learning_rate):
    return importlib.import_module("optax").sgd(learning_rate)


def makes(learning_rate: float) -> optax.GradientTransformationExtraArgs:  # noqa: F821 - it is read as text alone
    """Say by the annotation what comes out; a call would show nothing of the kind."""


def is_refused(_):
    raise TypeError


@pytest.mark.parametrize("module", ["optax", "optax.contrib"])
@pytest.mark.parametrize(
    "new",
    [
        lambda optax, jax: made_elsewhere,
        lambda optax, jax: makes,
        lambda optax, jax: is_refused,
        lambda optax, jax: functools.partial(made_elsewhere, 0.1),
        lambda optax, jax: functools.partial(optax.sgd, momentum=0.9),
        lambda optax, jax: jax.jit(makes),
        lambda optax, jax: jax.jit(made_elsewhere),
    ],
    ids=["function", "annotated", "not to be called", "partial", "partial of a known one", "jitted", "jitted and bare"],
)
def test_a_new_optimizer_of_optax_is_noticed(monkeypatch, module, new):
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    monkeypatch.setattr(importlib.import_module(module), "brand_new", new(optax, jax), raising=False)
    with pytest.raises(AssertionError, match="neither a row nor a reason"):
        test_every_public_optimizer_is_in_the_table_or_has_a_reason(module)


def test_what_is_no_optimizer_is_not_noticed():
    optax = pytest.importorskip("optax")
    assert not transforms("scale_by_adam", optax.scale_by_adam)
    assert not transforms("cosine_decay_schedule", optax.cosine_decay_schedule)
    assert not transforms("l2_loss", optax.l2_loss)
    assert not transforms("ScaleByAdamState", optax.ScaleByAdamState)
    assert not transforms("update_moment", optax.update_moment)


def test_the_table_is_whole():
    assert len({row.theirs for row in ROWS}) == len(ROWS)
    assert len({row.name for row in MISSING}) == len(MISSING)
    assert all(row.why for row in MISSING)
    for library in LIBRARIES:
        assert library.rows
        assert all(row.name.startswith(library.where) for row in (*library.rows, *library.missing))
    assert {row.library for row in ROWS} == {library.title for library in LIBRARIES}
    assert set(rows_of("adam")) == {row for row in ROWS if "tw.Adam(" in row.ours}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.theirs)
def test_an_expression_makes_what_its_row_says(row):
    opt = evaluated(row)
    if row.rule == "lbfgs":
        assert isinstance(opt, tw.LBFGS)
        return
    base_rule = opt.rule if opt.rule.name in tw.RULES else opt._assembly.base
    assert (base_rule.name, base_rule.convention_name) == (row.rule, row.convention)


def test_what_reasons_name_is_there():
    for row in MISSING:
        for word in row.why.replace("(", " ").replace(")", " ").replace(",", " ").split():
            if word.startswith("tw."):
                found = tw
                for part in word.rstrip(".;:").split(".")[1:]:
                    found = getattr(found, part)


# The libraries that are installed -------------------------------------------------------------------------------------

FLOAT32 = 40 * 6e-8  # where a library computes a number of float64 in float32, for some steps
LOOSE = {
    "keras.optimizers.Adafactor()": FLOAT32,
    "keras.optimizers.Muon()": FLOAT32,
    "optax.adafactor(min_dim_size_to_factor=1)": FLOAT32,
    "optax.contrib.madgrad(0.01)": FLOAT32,
}
# What cannot be run side by side, and the test that shows it.
SHOWN = {
    "torch.optim.Muon()": "iterates in bfloat16: tests/oracles",
    'torch.optim.Muon(adjust_lr_fn="match_rms_adamw")': "iterates in bfloat16: tests/oracles",
    'torch.optim.LBFGS(line_search_fn="strong_wolfe")': "asks for gradients itself: its own tests",
    "optax.contrib.sophia(1e-4)": "draws its own Hessian: tests/oracles",
}


class Double(base.Torch):
    """An optimizer of torch that keeps numbers of its own in float64."""

    def update(self, params, grads, value=None):
        before = self.torch.get_default_dtype()
        self.torch.set_default_dtype(self.torch.float64)
        try:
            super().update(params, grads, value)
        finally:
            self.torch.set_default_dtype(before)


def made(row, params):
    """Return the optimizer of an installed library behind our call."""
    positional, keywords = arguments(row)
    module, _, name = row.name.rpartition(".")
    if row.library == "PyTorch":
        cls = getattr(importlib.import_module(module), name)
        return Double(params, lambda leaves: cls(leaves, *positional, **keywords))
    if row.library == "Keras":
        return base.Keras(params, name, keywords)
    return base.optax(lambda _: getattr(importlib.import_module(module), name)(*positional, **keywords))(params)


@pytest.mark.parametrize("row", LIVE_ROWS)
@pytest.mark.filterwarnings("ignore")
def test_an_expression_does_what_the_library_does(row):
    pytest.importorskip(row.name.partition(".")[0])
    if row.theirs in SHOWN:
        return
    needs_value = row.rule == "polyaksgd"
    shapes = MATRICES if row.rule == "muon" else SHAPES
    gradients, losses = base.gradients(20, shapes, 2.0), base.losses(20)
    ours, theirs = evaluated(row), made(row, base.start(shapes))
    path, other = [], []
    params, moved = base.start(shapes), base.start(shapes)
    for grads, value in zip(gradients, losses, strict=True):
        more = {"value": value} if needs_value else {}
        ours.update(params, grads, **more)
        theirs.update(moved, grads, **more)
        path.append({name: w.copy() for name, w in params.items()})
        other.append({name: w.copy() for name, w in moved.items()})
    assert distance(path, other) <= LOOSE.get(row.theirs, TOLERANCE)
    assert distance([path[-1]], [base.start(shapes)]) > 1e-6, "nothing has moved"


# The libraries that are written out -----------------------------------------------------------------------------------


def test_every_row_of_a_library_that_is_not_installed_is_written_out_somewhere():
    others = {row.name for row in ROWS if row not in LIVE and row.library != "scikit-learn"}
    assert others == STEPS.keys() | ELSEWHERE.keys() | {"pennylane.NesterovMomentumOptimizer"}
    assert not STEPS.keys() & ELSEWHERE.keys()


class Written:
    """A step that is written out, with our call."""

    def __init__(self, row):
        self.step = STEPS[row.name]
        self.arguments, self.keywords = arguments(row)
        self.states, self.t = {}, 0

    def update(self, params, grads):
        """Take one step in place."""
        self.t += 1
        for name, w in params.items():
            state = self.states.setdefault(name, {})
            w[...] = self.step(w, grads[name], state, self.t, *self.arguments, **self.keywords)


@pytest.mark.parametrize("row", WRITTEN, ids=lambda row: row.theirs)
def test_an_expression_does_what_the_sources_say(row):
    shapes = MATRICES if row.rule == "muon" else SHAPES
    # Where the average of gradients is zero, Lion is not moved by ours, and is by DeepSpeed.
    gradients = base.gradients(20, shapes, 4.0, zeros=row.library != "DeepSpeed")
    ours, theirs = (path_of(opt, base.start(shapes), gradients) for opt in (evaluated(row), Written(row)))
    assert distance(ours, theirs) <= TOLERANCE
    assert distance([ours[-1]], [base.start(shapes)]) > 1e-6, "nothing has moved"


def test_what_deepspeed_does_with_a_gradient_of_zero():
    """Its Lions are not ours there, and not each other's."""
    w, zero = np.ones(3), np.zeros(3)
    assert STEPS["deepspeed.ops.lion.DeepSpeedCPULion"](w, zero, {}, 1)[0] < 1
    assert STEPS["deepspeed.ops.lion.FusedLion"](w, zero, {}, 1)[0] > 1
    tw.Lion(1e-3).update(params := {"w": w.copy()}, {"w": zero})
    assert (params["w"] == 1).all()


def test_pennylanes_nesterov_looks_ahead_from_what_it_stores():
    """In nesterov_momentum.py `compute_grad`, in momentum.py `apply_grad`: our w is its shifted x."""
    (row,) = (row for row in ROWS if row.name == "pennylane.NesterovMomentumOptimizer")
    opt, params, x = evaluated(row), start(), start()
    stepsize, momentum = 0.01, 0.9
    a = {name: np.zeros_like(w) for name, w in x.items()}
    for t in range(1, 21):
        opt.update(params, depending(params, t))
        grads = depending({name: x[name] - momentum * a[name] for name in x}, t)
        a = {name: momentum * a[name] + stepsize * grads[name] for name in x}
        x = {name: x[name] - a[name] for name in x}
        shifted = {name: x[name] - momentum * a[name] for name in x}
        assert distance([params], [shifted]) <= TOLERANCE


# scikit-learn, which comes with the laboratory ------------------------------------------------------------------------

SGD_ROWS = [row for row in ROWS if row.name.endswith("MLPClassifier")]


@pytest.mark.parametrize("row", SGD_ROWS, ids=lambda row: row.theirs)
def test_an_expression_does_what_scikit_learns_network_does(row):
    """sklearn/neural_network/_multilayer_perceptron.py, `_fit_stochastic`, makes them of these arguments."""
    network = pytest.importorskip("sklearn.neural_network").MLPClassifier
    inside = importlib.import_module("sklearn.neural_network._stochastic_optimizers")
    of = network(**arguments(row)[1])
    rates = of.learning_rate_init, of.learning_rate, of.momentum, of.nesterovs_momentum, of.power_t
    params = start()
    leaves = list(params.values())
    theirs = (
        inside.SGDOptimizer(leaves, *rates)
        if of.solver == "sgd"
        else inside.AdamOptimizer(leaves, of.learning_rate_init, of.beta_1, of.beta_2, of.epsilon)
    )
    gradients, other = wide(20), []
    for grads in gradients:
        theirs.update_params(leaves, [grads[name] for name in params])
        other.append({name: w.copy() for name, w in params.items()})
    assert distance(path_of(evaluated(row), start(), gradients), other) <= TOLERANCE


def test_an_expression_does_what_scikit_learns_regression_does():
    """A sample at a time: the gradient of half of the squared error is (prediction - y) * x."""
    model = pytest.importorskip("sklearn.linear_model").SGDRegressor
    (row,) = (row for row in ROWS if row.name.endswith("SGDRegressor"))
    rng = np.random.default_rng(0)
    opt, theirs = evaluated(row), model(**arguments(row)[1], shuffle=False)
    params = {"w": np.zeros(3)}
    for x, y in zip(rng.standard_normal((20, 3)), rng.standard_normal(20), strict=True):
        theirs.partial_fit(x[None], [y])
        opt.update(params, {"w": (x @ params["w"] - y) * x})
        assert np.abs(params["w"] - theirs.coef_).max() <= TOLERANCE


def test_adafactor_in_float32_is_torchs_with_float32s_epsilon():
    """As the note of that row says; gradients are so small that the floor of their mean counts."""
    torch = pytest.importorskip("torch", reason="oracle torch is not installed")
    rng = np.random.default_rng(0)
    params = {"W": rng.standard_normal((4, 3)).astype(np.float32)}
    other = {"W": params["W"].copy()}
    leaf = torch.tensor(params["W"].copy(), requires_grad=True)
    theirs, opt, usual = torch.optim.Adafactor([leaf]), tw.Adafactor(eps1=2**-23), tw.Adafactor()
    for _ in range(20):
        g = (1e-4 * rng.standard_normal((4, 3))).astype(np.float32)
        leaf.grad = torch.from_numpy(g.copy())
        theirs.step()
        opt.update(params, {"W": g})
        usual.update(other, {"W": g})
    assert np.abs(params["W"] - leaf.detach().numpy()).max() < 2e-6
    assert np.abs(other["W"] - leaf.detach().numpy()).max() > 1e-3
