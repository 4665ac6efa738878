"""Chains against optax: the transformations that it has, around rules whose form is one of ours."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.rules.sequences import copied, distance
from tests.transforms.chains import DTYPES, TOLERANCE, Optax, apart, start

jax = pytest.importorskip("jax", reason="oracle jax is not installed")
optax = pytest.importorskip("optax", reason="oracle optax is not installed")
pytestmark = pytest.mark.usefixtures("meaning", "double")

# name -> (ours, optax's)
RULES = {
    "sgd": (lambda: tw.SGD(lr=0.13), lambda: optax.sgd(0.13)),
    "nesterov": (
        lambda: tw.Nesterov(lr=0.03, momentum=0.7, convention="torch"),
        lambda: optax.sgd(0.03, 0.7, nesterov=True),
    ),
    "adam": (
        lambda: tw.Adam(lr=0.07, beta1=0.8, beta2=0.97, eps=1e-3, convention="paper"),
        lambda: optax.adam(0.07, b1=0.8, b2=0.97, eps=1e-3),
    ),
}
SHAPES = {"W1": (4, 3), "b1": (3,), "s": (), "W2": (3, 5), "deep": (2, 7)}
BEFORE = {
    "clip_value": (lambda: tw.clip_value(0.4), lambda: optax.clip(0.4)),
    "clip_global_norm": (lambda: tw.clip_global_norm(1.3), lambda: optax.clip_by_global_norm(1.3)),
    "adaptive_clip": (lambda: tw.adaptive_clip(0.2, eps=0.05), lambda: optax.adaptive_grad_clip(0.2, eps=0.05)),
    "centralize": (lambda: tw.centralize("out_in"), optax.centralize),
    "l2": (lambda: tw.l2(0.3), lambda: optax.add_decayed_weights(0.3)),
}
rules_and_dtypes = pytest.mark.parametrize(
    "rule, dtype",
    [("nesterov", "float64"), ("adam", "float32"), pytest.param("adam", "float64", marks=pytest.mark.slow)],
)
dtypes = pytest.mark.parametrize("dtype", DTYPES)


@pytest.mark.parametrize("link", BEFORE)
@rules_and_dtypes
def test_links_before_a_rule(link, rule, dtype):
    """optax takes the norm of a unit of `adaptive_grad_clip` over the inputs of (inputs, outputs), the mean of
    `centralize` over all axes but the first."""
    (ours, theirs), (make, transformation) = BEFORE[link], RULES[rule]
    oracle = Optax(optax.chain(theirs(), transformation()), start(dtype, shapes=SHAPES))
    assert apart(tw.chain(ours(), make()), oracle, dtype, SHAPES) <= TOLERANCE[dtype]


BEHIND = {
    "clip_value": (lambda: tw.clip_value(0.01), lambda: optax.clip(0.01)),
    "clip_global_norm": (lambda: tw.clip_global_norm(0.1), lambda: optax.clip_by_global_norm(0.1)),
    "adaptive_clip": (lambda: tw.adaptive_clip(0.02, eps=0.05), lambda: optax.adaptive_grad_clip(0.02, eps=0.05)),
    "centralize": (lambda: tw.centralize("out_in"), optax.centralize),
    "decoupled_decay": (
        lambda: tw.decoupled_decay(0.02, "absolute"),
        lambda: optax.add_decayed_weights(-0.02),
    ),
}


@pytest.mark.parametrize("link", BEHIND)
@rules_and_dtypes
def test_links_behind_a_rule(link, rule, dtype):
    (ours, theirs), (make, transformation) = BEHIND[link], RULES[rule]
    oracle = Optax(optax.chain(transformation(), theirs()), start(dtype, shapes=SHAPES))
    assert apart(tw.chain(make(), ours()), oracle, dtype, SHAPES) <= TOLERANCE[dtype]


@dtypes
def test_adamw(dtype):
    oracle = Optax(optax.adamw(0.07, b1=0.8, b2=0.97, eps=1e-3, weight_decay=0.3), start(dtype))
    assert apart(tw.chain(RULES["adam"][0](), tw.decoupled_decay(0.3)), oracle, dtype) <= TOLERANCE[dtype]


@pytest.mark.parametrize("link", ["adaptive_clip", "centralize"])
@dtypes
def test_the_other_layout_is_that_of_the_transposed_matrices(link, dtype):
    ours, theirs = {
        "adaptive_clip": (tw.adaptive_clip(0.2, eps=0.05, layout="out_in"), optax.adaptive_grad_clip(0.2, eps=0.05)),
        "centralize": (tw.centralize("in_out"), optax.centralize()),
    }[link]
    oracle = Optax(optax.chain(theirs, RULES["adam"][1]()), {name: w.T for name, w in start(dtype).items()})

    class Transposed:
        def update(self, params, grads):
            turned = {name: w.T for name, w in params.items()}
            oracle.update(turned, {name: g.T for name, g in grads.items()})

    assert apart(tw.chain(ours, RULES["adam"][0]()), Transposed(), dtype) <= TOLERANCE[dtype]


@pytest.mark.parametrize("clip", ["none", "before", "behind"])
@rules_and_dtypes
def test_accumulate_is_multi_steps(clip, rule, dtype):
    """A limit before `accumulate` acts on each gradient, one behind it on their mean."""
    make, transformation = RULES[rule]
    links = {
        "none": (tw.accumulate(3),),
        "before": (tw.clip_global_norm(1.3), tw.accumulate(3)),
        "behind": (tw.accumulate(3), tw.clip_global_norm(1.3)),
    }[clip]
    inner = transformation()
    if clip == "behind":
        inner = optax.chain(optax.clip_by_global_norm(1.3), inner)
    whole = optax.MultiSteps(inner, every_k_schedule=3, accumulator_dtype=dtype).gradient_transformation()
    if clip == "before":
        whole = optax.chain(optax.clip_by_global_norm(1.3), whole)
    assert apart(tw.chain(*links, make()), Optax(whole, start(dtype)), dtype) <= TOLERANCE[dtype]


class Lookahead:
    """optax.lookahead, whose parameters are a pair."""

    def __init__(self, transformation, every, alpha, params):
        self.transformation = optax.lookahead(transformation, every, alpha)
        self.update_ = jax.jit(self.transformation.update)
        self.params = optax.LookaheadParams.init_synced({k: jax.numpy.asarray(w) for k, w in params.items()})
        self.state = self.transformation.init(self.params)

    def update(self, params, grads):
        given = {k: jax.numpy.asarray(g) for k, g in grads.items()}
        updates, self.state = self.update_(given, self.state, self.params)
        self.params = optax.apply_updates(self.params, updates)
        for name, w in self.params.fast.items():
            params[name][...] = w


@rules_and_dtypes
def test_lookahead(rule, dtype):
    make, transformation = RULES[rule]
    for every, alpha in ((4, 0.3), (3, 1.0)):
        oracle = Lookahead(transformation(), every, alpha, start(dtype))
        assert apart(tw.chain(make(), tw.lookahead(every, alpha)), oracle, dtype) <= TOLERANCE[dtype]


def bowl(params, xp=np):
    """A function with several directions, its value and its gradients; the gradients depend on the parameters."""
    value = sum(xp.sum(0.25 * w**4 - 0.7 * w**2 + 0.3 * w) for w in params.values())
    return value, {name: w * w * w - 1.4 * w + 0.3 for name, w in params.items()}


@rules_and_dtypes
def test_sam_is_the_opaque_form_of_optax(rule, dtype):
    """optax normalises in the dtype of the gradients; two steps of its pair are one of ours."""
    contrib = pytest.importorskip("optax.contrib", reason="oracle optax has no contrib")
    make, transformation = RULES[rule]
    adversary = optax.chain(contrib.normalize(), optax.sgd(0.11))
    whole = contrib.sam(transformation(), adversary, sync_period=2, opaque_mode=True, reset_state=False)
    params = start(dtype)
    theirs = {name: jax.numpy.asarray(w) for name, w in params.items()}
    state = whole.init(theirs)
    opt = tw.chain(tw.sam(0.11), make())
    path, other = [], []

    @jax.jit
    def step(w, state):
        gradient = lambda p, _: bowl(p, jax.numpy)[1]  # noqa: E731
        updates, state = whole.update(gradient(w, 0), state, w, grad_fn=gradient)
        return optax.apply_updates(w, updates), state

    for _ in range(20):
        opt.update(params, closure=bowl)
        path.append(copied(params))
        theirs, state = step(theirs, state)
        other.append({name: np.array(w) for name, w in theirs.items()})
    assert distance(other[-1:], other[:1]) > 1e-3
    assert distance(path, other) <= TOLERANCE[dtype]


@pytest.mark.slow
def test_noise_has_the_variance_of_optax(double):
    """Ours at step t is optax's at its call t + 1, which counts from 0 in the paper's eta / (1 + t)**gamma."""
    n, eta, gamma = 100_000, 0.3, 0.7
    theirs = optax.add_noise(eta, gamma, 3)
    zeros = {"w": jax.numpy.zeros(n)}
    _, state = theirs.update(zeros, theirs.init(zeros))
    opt = tw.chain(tw.noise(eta, gamma), tw.SGD(lr=1.0))
    for t in (1, 2, 3):
        params = {"w": np.zeros(n)}
        opt.update(params, {"w": np.zeros(n)})
        updates, state = theirs.update(zeros, state)
        # The variance of n draws has the relative deviation sqrt(2 / n); five of them for both.
        assert abs(params["w"].var() / float(updates["w"].var()) - 1) < 10 * np.sqrt(2 / n)
        assert abs(params["w"].var() / (eta / (1 + t) ** gamma) - 1) < 5 * np.sqrt(2 / n)
