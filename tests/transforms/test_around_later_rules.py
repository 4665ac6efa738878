"""Every link, at every place, around every form of the rules that came after the six: it works or says why not."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.transforms.chains import gradients, links_for_every_place, start
from tests.transforms.test_pairs import CLASSIC, ON_THE_STEP, SHAPES
from thalweg.language.errors import RuleError

LATER = [rule for name, rule in tw.RULES.items() if name not in CLASSIC]
USUAL = LATER[::4]  # in their default forms; `make test-all` takes all forms of all
FORMS = [
    pytest.param(rule.name, form, id=f"{rule.name}-{form}", marks=() if usual else pytest.mark.slow)
    for rule in LATER
    for form in rule.conventions
    for usual in [rule in USUAL and form == rule.convention_name]
]
# Links that treat matrices and vectors in two ways, so that two texts stand in one chain.
TWO_WAYS = {"adaptive_clip", "centralize"}


def why_not(link, facts, hyperparams):
    """The words of the refusal that a link deserves, or None: read off the link and the facts of the form."""
    place, name, _ = link
    if name in TWO_WAYS and facts.coupled:
        return "a number of all parameters, which one way cannot tell the other; leave the link out"
    if name == "decoupled_decay" and "lr" not in hyperparams:
        return "give scale='absolute'"
    if not facts.step_sign and (name == "decoupled_decay" or (place == "behind" and name in ON_THE_STEP)):
        return "choose another convention of the rule, or leave"
    return None


def closure(params):
    value = 1.0 + sum(float(np.abs(w).sum()) for w in params.values())
    return value, {name: w - 0.5 for name, w in params.items()}


@pytest.mark.usefixtures("meaning")
@pytest.mark.parametrize("name, convention", FORMS)
def test_every_link_around_every_form(name, convention):
    facts = tw.RULES[name].conventions[convention].facts
    shapes = {"W": (3, 4)} if facts.axes or facts.matrix else SHAPES
    for link in links_for_every_place():
        place, kind, make = link
        opt = tw.Optimizer(name, convention=convention)
        parts = (make(), opt) if place == "before" else (opt, make())
        if expected := why_not(link, facts, opt.hyperparams):
            with pytest.raises((ValueError, RuleError)) as refused:
                tw.chain(*parts)
            message = str(refused.value)
            assert kind in message, (link[:2], message)
            assert expected in message, (link[:2], message)
            continue
        chain = tw.chain(*parts)
        params = start(shapes=shapes)
        before = {key: w.copy() for key, w in params.items()}
        for grads in gradients(5, shapes=shapes):
            numbers = {"value": 3.0} if facts.needs_value else {}
            if facts.takes_hessian:
                numbers["hessian"] = {key: np.abs(g) for key, g in grads.items()}
            if kind == "sam":
                chain.update(params, closure=closure)
            else:
                chain.update(params, grads, **numbers)
        assert all(np.isfinite(w).all() for w in params.values()), link[:2]
        assert any((w != before[key]).any() for key, w in params.items()), link[:2]
