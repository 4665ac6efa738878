"""Every correct optimizer is recognised under its right name."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.testing.handwritten import ADAGRAD, ADAM, BOOK, MOMENTUM, RMSPROP, SGD, changed
from tests.testing.wrapped import Wrapped
from thalweg.testing import UsageError, identify

FORMS = [pytest.param(form, id=f"{name}-{c}") for name, r in tw.RULES.items() for c, form in r.conventions.items()]


def others(rule):
    """Numbers for a rule that are not its defaults."""
    found = {}
    for name, x in rule.defaults.items():
        if x is not None:
            moved = [0.9 * x + 0.05, 1.7 * x, 3 * x] if x else [x]
            found[name] = next(y for y in moved if y in rule.ranges[name])
    return found


@pytest.mark.parametrize("rule", FORMS)
def test_every_rule_and_convention(rule):
    """Numbers of every kind, and no skip list: a rule that is new in the registry is in this test."""
    facts, has_blocks = rule.facts, any(slot.block for slot in rule.slots.values())
    if facts.coupled or facts.needs_value or facts.takes_hessian or has_blocks or (facts.axes and not rule.vectors):
        found = identify(tw.Optimizer(rule, **others(rule)))
    else:
        found = identify(Wrapped(rule, **others(rule)))
    assert rule in found.rules
    assert found.exact
    assert {form.name for form in found.rules} == {rule.name}


@pytest.mark.parametrize("rule", tw.RULES.values(), ids=tw.RULES)
def test_our_own_classes(rule):
    found = identify(getattr(tw, rule.title))
    assert found
    assert rule in found.rules


@pytest.mark.parametrize("name", BOOK)
def test_the_books_six_written_by_hand(written, name):
    found = identify(written(BOOK[name]))
    assert str(found).startswith(f"{name}[")
    assert "book" in {rule.convention_name for rule in found.rules}
    assert found.exact
    assert found.steps == 100
    assert found.notes == ()


def test_the_place_of_eps_tells_the_forms_of_adam_apart(written):
    """The same text but for one expression; float64 and gradients of 1e-12 show it."""
    corrected = changed(
        ADAM,
        ("lr_t = self.lr * np.sqrt(1.0 - self.beta2**self.t) / (1.0 - self.beta1**self.t)", "b1, b2 = 0, 0"),
        ("lr_t * self.m[key]", "self.lr * (self.m[key] / (1 - self.beta1**self.t))"),
        ("(np.sqrt(self.v[key]) + 1e-7)", "(np.sqrt(self.v[key] / (1 - self.beta2**self.t)) + 1e-8)"),
    )  # fmt: skip
    found = identify(written(corrected))
    assert {("adam", "paper"), ("adam", "torch")} <= {(rule.name, rule.convention_name) for rule in found.rules}
    assert tw.RULES["adam"].conventions["book"] not in found.rules
    assert not found.exact
    assert 0 < found.worst < 1e-14
    assert str(found).endswith("over 100 steps")
    assert "equal within" in str(found)


def test_a_change_of_the_rate_tells_the_two_scalings_of_momentum_apart(written):
    outside = changed(MOMENTUM, ("- self.lr * grads[key]", "+ grads[key]"), ("+= self.v", "-= self.lr * self.v"))
    found = identify(written(outside))
    assert found.exact
    assert found.rule is tw.RULES["momentum"].conventions["torch"]
    assert tw.RULES["momentum"] not in found.rules
    # in another order of operations neither is equal to the last bit, and still it is the one and not the other
    rounded = identify(written(changed(outside, ("self.lr * self.v[key]", "self.v[key] / (1 / self.lr)"))))
    assert not rounded.exact
    assert rounded.rule is tw.RULES["momentum"].conventions["torch"]
    assert tw.RULES["momentum"] not in rounded.rules
    # without a rate that can be set the two differ by rounding only, and both are named
    fixed = changed(outside, ("self.lr = lr\n", "pass\n"), ("self.lr * self.v", "0.01 * self.v"))
    found = identify(written(fixed))
    assert {rule.name for rule in found.rules} == {"momentum"}


@pytest.mark.parametrize("eps", [1e-6, 1e-10, 3e-9])
def test_eps_that_is_a_literal_is_found_by_trying(written, eps):
    found = identify(written(changed(RMSPROP, ("1e-7", repr(eps)))))
    assert found.exact
    assert found.fitted == {"eps": eps}
    assert f"with eps = {eps:g}" in str(found)


@pytest.mark.slow
@pytest.mark.usefixtures("only_the_six")
def test_numbers_that_stand_nowhere_may_be_given():
    class Hidden:
        def update(self, params, grads):
            for key in params:
                params[key] -= 0.012345 * np.asarray(grads[key])

    hidden = type("Hidden", (), {"update": Hidden.update})
    assert identify(hidden, lr=0.012345).rule is tw.RULES["sgd"]
    assert identify(hidden, learning_rate=0.012345)
    assert not identify(hidden, lr=0.02)


def test_names_of_other_libraries(written):
    source = changed(
        ADAM, ("lr=0.001, beta1=0.9, beta2=0.999", "learning_rate=0.002, betas=(0.8, 0.99)"),
        ("        self.beta1 = beta1\n        self.beta2 = beta2\n", "        self.betas = betas\n"),
        ("self.lr = lr", "self.learning_rate = learning_rate"), ("self.lr *", "self.learning_rate *"),
        ("self.beta1", "self.betas[0]"), ("self.beta2", "self.betas[1]"),
    )  # fmt: skip
    found = identify(written(source))
    assert found.exact
    assert found.hyperparams == {"lr": 0.002, "beta1": 0.8, "beta2": 0.99, "eps": 1e-7}


def test_float32_is_equal_up_to_its_own_rounding(written):
    found = identify(written(ADAM), dtype=np.float32)
    assert {rule.name for rule in found.rules} == {"adam"}
    assert found.worst < 3e-5
    assert identify(written(SGD), dtype=np.float32).exact


def test_torch_style_tensors_of_state(written):
    """`torch.optim.Adam`'s order of operations, written in NumPy."""
    source = changed(
        ADAM, ("lr_t = self.lr * np.sqrt(1.0 - self.beta2**self.t) / (1.0 - self.beta1**self.t)",
               "size = self.lr / (1 - self.beta1**self.t)"),
        ("self.v[key] += (1 - self.beta2) * (grads[key]**2 - self.v[key])",
         "self.v[key] = self.beta2 * self.v[key] + (1 - self.beta2) * grads[key] * grads[key]"),
        ("lr_t * self.m[key] / (np.sqrt(self.v[key]) + 1e-7)",
         "size * (self.m[key] / (np.sqrt(self.v[key]) / np.sqrt(1 - self.beta2**self.t) + 1e-8))"),
    )  # fmt: skip
    assert str(identify(written(source))) == "adam[torch], equal to the last bit over 100 steps"


def test_torch_itself():
    torch = pytest.importorskip("torch", reason="oracle torch is not installed")

    class Torch:
        def __init__(self, lr=0.01):
            self.lr = lr
            self.optimizer = None

        def update(self, params, grads):
            if self.optimizer is None:
                self.tensors = {name: torch.from_numpy(w).requires_grad_() for name, w in params.items()}
                self.optimizer = torch.optim.Adam(self.tensors.values(), lr=self.lr)
            self.optimizer.param_groups[0]["lr"] = self.lr
            for name, tensor in self.tensors.items():
                tensor.grad = torch.from_numpy(grads[name].copy())
            self.optimizer.step()

    found = identify(Torch, beta1=0.9, beta2=0.999, eps=1e-8)
    assert any((rule.name, rule.convention_name) == ("adam", "torch") for rule in found.rules)


def test_an_object_a_class_and_a_factory(written):
    cls = written(SGD)
    for opt in (cls, cls(lr=0.2), lambda: cls(0.3)):
        assert identify(opt).rule is tw.RULES["sgd"]
    opt = cls(lr=0.2)
    identify(opt)
    assert vars(opt) == {"lr": 0.2}  # a copy took the steps


def test_an_optimizer_that_has_taken_steps(written):
    used = written(MOMENTUM)()
    used.update({"W": np.ones(3)}, {"W": np.ones(3)})
    with pytest.raises(UsageError, match="has taken steps before; give a new one, or the class"):
        identify(used)
    ours = tw.Momentum()
    ours.update({"W": np.ones(3)}, {"W": np.ones(3)})
    with pytest.raises(UsageError, match="has taken 1 step; give a new one"):
        identify(ours)


@pytest.mark.parametrize("thing, said", [
    (3.0, "returns one; this is of type float"),
    ({"W": 1.0}, "returns one; this is of type dict"),
    (lambda: 3, "returns int, which has no `update(params, grads)`"),
    (type("Stepper", (), {"step": print}), "has no method `update(params, grads)`; it has `step`: give it one `def up"),
    (type("Held", (), {"update": 3}), "has no method `update(params, grads)`"),
])  # fmt: skip
def test_what_is_no_optimizer(thing, said):
    with pytest.raises(UsageError) as caught:
        identify(thing)
    assert said in str(caught.value)


def test_a_constructor_that_needs_arguments(written):
    needy = written(changed(SGD, ("lr=0.01", "lr")))
    with pytest.raises(UsageError, match=r"SGD needs `lr`; give numbers, as in identify\(SGD, lr=0.01\), or --set lr="):
        identify(needy)
    assert identify(needy, lr=0.5).hyperparams == {"lr": 0.5}


# What is none ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("among", ["only_the_six", pytest.param("all", marks=pytest.mark.slow)])
def test_an_unknown_optimizer_gets_its_nearest_rule_and_the_first_step(written, among, request):
    if among != "all":
        request.getfixturevalue(among)
    source = changed(
        ADAGRAD, ("self.h[key] += grads[key] * grads[key]", "self.h[key] += np.abs(grads[key]) ** 1.5"),
        ("class AdaGrad", "class Mine"),
    )  # fmt: skip
    found = identify(written(source))
    assert found.outcome == "unknown"
    assert not found
    assert found.rule.name == "adagrad"
    assert found.parting.step == 1
    assert f"it leaves the nearest, {found.rule.name}[" in str(found)
    assert f" at step 1: {found.parting.place} is {found.parting.value:.6g}" in str(found)


@pytest.mark.slow
@pytest.mark.usefixtures("only_the_six")
def test_a_number_that_cannot_be_read_is_asked_for(written):
    """A learning rate in a closure: the nearest rule is still the right one, and it is said what to give."""
    closed = written("""
def made(lr):
    class Descent:
        def update(self, params, grads):
            for key in params:
                params[key] -= lr * grads[key]
    return Descent
Descent = made(0.3)
""")
    found = identify(closed)
    assert found.rule is tw.RULES["sgd"]
    (note,) = found.notes
    assert note.startswith("`lr` is no attribute that could be read, and was guessed as 0.01: give it, as in identify(")
    assert identify(closed, lr=0.3)


def test_an_interrupt_passes_through(written):
    for place in ("        for key", "        self.lr"):
        with pytest.raises(KeyboardInterrupt):
            identify(written(changed(SGD, (place, f"        raise KeyboardInterrupt\n{place}"))))


@pytest.mark.slow
@pytest.mark.usefixtures("only_the_six")
def test_nearly_is_not_equal(written):
    """A difference of one part in a billion is far above rounding."""
    found = identify(written(changed(SGD, ("self.lr *", "self.lr * (1 + 1e-9) *"))))
    assert found.outcome == "unknown"
    assert found.rule is tw.RULES["sgd"]
    assert 0.5e-9 < found.parting.relative < 2e-9


@pytest.mark.slow
@pytest.mark.usefixtures("only_the_six")
def test_the_step_at_which_it_leaves(written):
    """Right for ten steps, then something else: the step and what stands there are named."""
    source = changed(
        SGD, ("        for key", "        self.n = getattr(self, 'n', 0) + 1\n        for key"),
        ("self.lr * grads[key]", "self.lr * np.where(self.n > 10, np.sin(grads[key]), grads[key])"),
    )  # fmt: skip
    found = identify(written(source))
    assert found.outcome == "unknown"
    assert found.rule is tw.RULES["sgd"]
    assert found.parting.step == 11


# What it does beside its rule -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes, said", [
    ([("params[key] -= self.lr * grads[key]", "params[key] = params[key] - self.lr * grads[key]")],
     "it puts new arrays into params (params['W1'] = ...); layers that hold the old ones stop learning"),
    ([("params[key] -= self.lr * grads[key]", "grads[key] *= self.lr; params[key] -= grads[key]")],
     "it changes the caller's gradients, such as grads['W1']"),
    ([("        for key in params.keys():\n            params[key] -= self.lr * grads[key]",
       "        return {k: w - self.lr * grads[k] for k, w in params.items()}")],
     "it returns new parameters and leaves those that it is given as they are"),
    ([("params[key] -= self.lr * grads[key]", "params[key] = np.float32(params[key] - self.lr * grads[key])")],
     "params['W1'] was float64 and becomes float32"),
])  # fmt: skip
def test_habits_are_told(written, changes, said):
    found = identify(written(changed(SGD, *changes)))
    assert said in found.notes
    assert found.rule is tw.RULES["sgd"]


@pytest.mark.slow
def test_a_rate_that_cannot_be_changed_later(written):
    source = changed(SGD, ("self.lr = lr", "self.lr = self.own = lr"), ("self.lr * grads", "self.own * grads"))
    assert "with a learning rate that is read once: to set `lr` later changes nothing" in str(identify(written(source)))
