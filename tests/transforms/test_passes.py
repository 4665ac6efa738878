"""What a chain costs: passes over memory, reads and copies."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest

import thalweg as tw
from tests.kernels.twins import needs_numba
from tests.transforms.chains import gradients, start
from thalweg.binding import Work
from thalweg.engine.program import plan_of
from thalweg.engine.table import Table
from thalweg.language import nodes as n

RULES = [
    (name, convention)
    for name, rule in tw.RULES.items()
    for convention, form in rule.conventions.items()
    if form.facts.elementwise and form.facts.step_sign
]
# Links that need no number of a whole tensor.
ELEMENTWISE = {
    "before": lambda: (tw.clip_value(1.0), tw.noise(), tw.l2(0.1)),
    "parameter": lambda: (
        tw.decoupled_decay(0.1), tw.lookahead(), tw.bounds(-1, 1), tw.ema(), tw.polyak(), tw.swa(),
        tw.ema(start="initial"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule, convention", RULES)
def test_elementwise_links_are_one_pass_with_the_rule(rule, convention):
    opt = tw.chain(*ELEMENTWISE["before"](), tw.Optimizer(rule, convention=convention), *ELEMENTWISE["parameter"]())
    assert len(plan_of(opt.rule).passes) == 1
    assert opt.rule.facts.elementwise
    assert not opt._assembly.recipe.measures


@pytest.mark.parametrize("rule, convention", RULES)
def test_accumulate_is_one_pass_whether_it_steps_or_gathers(rule, convention):
    opt = tw.chain(tw.clip_value(1.0), tw.accumulate(3), tw.Optimizer(rule, convention=convention))
    recipe = opt._assembly.recipe
    assert len(plan_of(recipe.rule).passes) == len(plan_of(recipe.hold.rule).passes) == 1
    assert list(plan_of(recipe.hold.rule).passes[0].writes) == ["accumulate_gathered"]


def reads(plan, pass_):
    """The arrays that a pass reads."""
    made = {name for step in pass_.steps for name in step.names}
    names = {name for step in (*pass_.steps, *pass_.reductions) for name in n.names(step.expr)}
    return {name for name in names - made if not plan.kinds[name].is_number}


@pytest.mark.parametrize("rule, convention", RULES)
def test_a_global_norm_is_one_read_of_the_gradients_and_nothing_else(rule, convention):
    opt = tw.chain(tw.clip_value(5.0), tw.clip_global_norm(1.0), tw.Optimizer(rule, convention=convention))
    ((_, measure),) = opt._assembly.recipe.measures
    plan = plan_of(measure)
    read = [reads(plan, p) for p in plan.passes if p.reductions]
    assert read == [{opt.rule.text.signature.arrays[1]}]
    assert all(p.writes == {} for p in plan.passes)
    assert len(plan_of(opt.rule).passes) == 1


@pytest.mark.parametrize("link, passes", [(tw.clip_norm, 2), (tw.adaptive_clip, 2), (tw.cautious, 2)])
def test_a_number_of_a_tensor_is_one_pass_more(link, passes):
    parts = (tw.Adam(), link(0.5)) if link is tw.cautious else (link(0.5), tw.Adam())
    assert len(plan_of(tw.chain(*parts).rule).passes) == passes


@pytest.fixture
def tables():
    """Every table that is made in a test."""
    made, real = [], Table.__init__

    def noted(self, *args, **more):
        made.append(self)
        real(self, *args, **more)

    with mock.patch.object(Table, "__init__", noted):
        yield made


@needs_numba
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_gradient_is_copied_and_none_is_written_to(tables, dtype):
    params, (grads,) = start(dtype), gradients(1, dtype)
    for g in grads.values():
        g.flags.writeable = False
    before = {name: g.tobytes() for name, g in grads.items()}
    opt = tw.chain(tw.clip_global_norm(0.1), tw.SGD(lr=0.5))
    opt.update(params, grads)
    assert {name: g.tobytes() for name, g in grads.items()} == before
    addresses = [g.__array_interface__["data"][0] for g in grads.values()]
    assert [t.pointers[:, 1].tolist() for t in tables] == [addresses] * 2


@needs_numba
def test_what_has_to_be_copied_is_copied_once(tables):
    """A strided gradient, and one in other memory order, for the measure and the step together."""
    params = {"a": np.ones((4, 6)), "b": np.ones(5)}
    grads = {"a": np.ones((6, 4)).T, "b": np.ones(10)[::2]}
    opt = tw.chain(tw.clip_global_norm(0.1), tw.SGD(lr=0.5))
    opt.update(params, grads)
    step, measure = tables
    addresses = [g.__array_interface__["data"][0] for g in grads.values()]
    assert not set(step.pointers[:, 1].tolist()) & set(addresses)
    assert measure.pointers[:, 1].tolist() == step.pointers[:, 1].tolist()


@pytest.mark.usefixtures("meaning")
def test_a_measure_changes_nothing(monkeypatch):
    """Momentum and averages are read for the norm of a step, and not moved by it."""
    opt = tw.chain(
        tw.accumulate(2), tw.clip_global_norm(9.0), tw.Momentum(lr=1.0, convention="torch"), tw.clip_global_norm(9.0)
    )
    params = {"w": np.zeros(3)}
    real = Work.number

    def watched(self, *args, **more):
        before = {slot: np.copy(x) for slot, x in opt.state["w"].items()} if opt.state else None
        found = real(self, *args, **more)
        if before is not None:
            assert all((before[slot] == x).all() for slot, x in opt.state["w"].items())
        return found

    monkeypatch.setattr(Work, "number", watched)
    for _ in range(4):
        opt.update(params, {"w": np.ones(3)})
    # b = 1, then 1.9
    assert params["w"] == pytest.approx(-2.9, rel=1e-15)
