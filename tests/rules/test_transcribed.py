"""The conventions "pennylane" and "tensorflow" against their steps, evaluated with more digits."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.rules.formulas import ByHand, PennyLane, TensorFlow
from tests.rules.sequences import distance, path_of, start, wide

# Some ten roundings of 1.1e-16 a step, relative to the parameter or a step that is no larger: 4.4e-14 after 40
TOLERANCE = 4.4e-14
FORMS = {"pennylane": PennyLane, "tensorflow": TensorFlow}
NUMBERS = {
    "lr": 0.7, "momentum": 0.41, "decay_rate": 0.6, "beta1": 0.7, "beta2": 0.96, "eps": 1e-3, "eps_root": 1e-2,
    "initial_accumulator": 0.3,
}  # fmt: skip
ROWS = [(name, form) for name, rule in tw.RULES.items() for form in FORMS if form in rule.conventions]


@pytest.mark.parametrize("numbers", [{}, NUMBERS], ids=["defaults", "numbers"])
@pytest.mark.parametrize("name, form", ROWS)
def test_forty_steps_over_12_decades(name, form, numbers):
    defaults = tw.RULES[name].conventions[form].defaults
    numbers = {number: numbers.get(number, default) for number, default in defaults.items()}
    gradients = wide(40)
    ours = path_of(tw.Optimizer(name, convention=form, **numbers), start(), gradients)
    by_hand = ByHand(getattr(FORMS[form], name), **{k: np.array(x, np.longdouble) for k, x in numbers.items()})
    params = {key: np.asarray(w, np.longdouble) for key, w in start().items()}
    exact = path_of(
        by_hand, params, [{k: np.asarray(g, np.longdouble) for k, g in grads.items()} for grads in gradients]
    )
    assert distance(ours, exact) <= TOLERANCE


def test_the_defaults_are_theirs():
    found = {(name, form): dict(tw.RULES[name].conventions[form].defaults) for name, form in ROWS}
    assert found == {
        ("sgd", "pennylane"): dict(lr=0.01),
        ("momentum", "pennylane"): dict(lr=0.01, momentum=0.9),
        ("adagrad", "pennylane"): dict(lr=0.01, eps=1e-8, eps_root=0.0),
        ("adagrad", "tensorflow"): dict(lr=1e-3, initial_accumulator=0.1, eps=1e-7, eps_root=0.0),
        ("rmsprop", "pennylane"): dict(lr=0.01, decay_rate=0.9, eps=1e-8, eps_root=0.0),
        ("rmsprop", "tensorflow"): dict(
            lr=1e-3, decay_rate=0.9, momentum=0.0, eps=1e-10, initial_accumulator=1.0, eps_root=0.0
        ),
        ("adam", "pennylane"): dict(lr=0.01, beta1=0.9, beta2=0.99, eps=1e-8, eps_root=0.0),
        ("adam", "tensorflow"): dict(lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-7, eps_root=0.0),
    }
