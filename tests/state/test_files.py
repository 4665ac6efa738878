"""Files: parameters beside the state, and what is code is given again."""

from __future__ import annotations

import json

import numpy as np
import pytest

import thalweg as tw
from tests.extra_rules import novograd, prodigy
from tests.state.cases import falling
from tests.state.runs import copied, picture, plain_step, rng, some_params
from thalweg import schedules
from thalweg.checkpoint import CheckpointError


def after(opt, params, steps):
    for step in range(steps):
        plain_step(opt, params, step)
    return opt


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.safetensors"


def nested():
    """Parameters in all containers, and numbers among them."""
    return {
        "layers": [{"W": rng(1).standard_normal((2, 3)), "b": np.zeros(3)}, {"W": rng(2).standard_normal((3, 1))}],
        "pair": (np.ones(2, np.float32), np.asfortranarray(np.ones((2, 2)))),
        "scale": 1.5,
        "small": np.float32(0.5),
    }


def flat(params):
    found = {}
    for key, x in params.items() if isinstance(params, dict) else enumerate(params):
        found |= {f"{key}.{k}": v for k, v in flat(x).items()} if isinstance(x, dict | list | tuple) else {str(key): x}
    return found


def constant_step(opt, params):
    def ones(x):
        if isinstance(x, dict):
            return {key: ones(v) for key, v in x.items()}
        if isinstance(x, list | tuple):
            return [ones(v) for v in x]
        return np.ones_like(x) if isinstance(x, np.ndarray) else 0.25

    opt.update(params, ones(params))


def test_parameters_in_all_containers_come_back_in_place(path):
    opt, params = tw.Adam(0.1), nested()
    constant_step(opt, params)
    opt.save(path, params)
    saved = {name: np.array(x) for name, x in flat(params).items()}
    fresh = nested()
    arrays = {name: x for name, x in flat(fresh).items() if isinstance(x, np.ndarray)}
    other = tw.load(path, params=fresh)
    there = flat(fresh)
    assert all(there[name] is array for name, array in arrays.items())
    assert {name: np.array(x).tobytes() for name, x in there.items()} == {k: x.tobytes() for k, x in saved.items()}
    assert (type(fresh["scale"]), type(fresh["small"])) == (float, np.float32)
    constant_step(opt, params)
    constant_step(other, fresh)
    assert {k: np.array(x).tobytes() for k, x in flat(params).items()} == {
        k: np.array(x).tobytes() for k, x in flat(fresh).items()
    }


def test_a_single_array_and_a_list(path):
    for make in (lambda: np.linspace(0, 1, 5), lambda: [np.ones(2), np.linspace(0, 1, 3)]):
        opt, params = tw.Momentum(), make()
        constant_step(opt, params if isinstance(params, list) else [params])
        opt.save(path, params)
        fresh = [np.zeros_like(w) for w in params] if isinstance(params, list) else np.zeros_like(params)
        tw.load(path, params=fresh)
        assert all(np.array_equal(a, b) for a, b in zip(fresh, params, strict=True))


def test_views_and_other_layouts_are_filled(path):
    opt, params = tw.SGD(), some_params(np.float64, "WV")
    opt.save(path, params)
    large = np.zeros((6, 8))
    fresh = {"V": np.zeros((2, 4)).T, "W": large[::2, ::-2]}
    tw.load(path, params=fresh)
    assert np.array_equal(large[::2, ::-2], params["W"])
    assert np.array_equal(fresh["V"], params["V"])


def test_the_order_of_names_does_not_matter(path):
    opt, params = tw.Adam(), some_params()
    after(opt, params, 3).save(path, params)
    fresh = {name: np.zeros_like(params[name]) for name in reversed(params)}
    tw.load(path, params=fresh)
    assert all(fresh[name].tobytes() == w.tobytes() for name, w in params.items())


def read_only(w):
    w = w.copy()
    w.flags.writeable = False
    return w


MISFITS = {
    "a name less": (lambda p: {k: w for k, w in p.items() if k != "s"}, CheckpointError, r"differ in s"),
    "a name more": (lambda p: p | {"new": np.zeros(2)}, CheckpointError, r"differ in new"),
    "another name": (lambda p: {("t" if k == "s" else k): w for k, w in p.items()}, CheckpointError, r"s, t"),
    "another shape": (lambda p: p | {"s": np.zeros(1, "f4")}, CheckpointError, r"'s' is float32 of shape \(1,\)"),
    "a shape that would broadcast": (lambda p: p | {"b": np.zeros((2, 5), "f4")}, CheckpointError, r"'b'.*\(2, 5\)"),
    "another dtype": (lambda p: p | {"b": np.zeros(5)}, CheckpointError, r"'b' is float64.*float32"),
    "integers": (lambda p: p | {"b": np.zeros(5, int)}, TypeError, r"'b' has dtype int"),
    "a list of numbers": (lambda p: p | {"b": [0.0] * 5}, CheckpointError, r"b\.0"),
    "read-only": (lambda p: p | {"s": read_only(p["s"])}, ValueError, r"'s' is read-only"),
    "no container": (lambda p: 3.0, TypeError, r"params"),
    "text": (lambda p: p | {"s": "w"}, TypeError, r"'s'"),
}


@pytest.mark.parametrize("misfit", MISFITS)
def test_parameters_that_do_not_fit_are_refused_and_not_a_bit_of_them_has_changed(misfit, path):
    change, kind, message = MISFITS[misfit]
    opt, params = tw.Adam(), some_params()
    after(opt, params, 3).save(path, params)
    fresh = some_params()
    given, kept = change(fresh), copied(fresh)
    with pytest.raises(kind, match=message):
        tw.load(path, params=given)
    assert all(fresh[name].tobytes() == w.tobytes() for name, w in kept.items())


def test_a_file_without_parameters_says_so(path):
    opt, params = tw.Adam(), some_params()
    after(opt, params, 1).save(path)
    with pytest.raises(CheckpointError, match=r"holds no parameters.*opt\.save\(path, params\)"):
        tw.load(path, params=some_params())
    assert tw.load(path).t == 1


def test_what_is_given_is_checked_before_a_parameter_changes(path):
    opt, params = tw.Adam(), some_params()
    after(opt, params, 3).save(path, params)
    for given, kind, message in [
        ({"lr": "0.1"}, TypeError, "lr = '0.1'"),
        ({"lr": -1.0}, ValueError, "lr = -1.0"),
        ({"lrr": 0.1}, AttributeError, "did you mean `lr`"),
        ({"groups": {"W": {"lr": 0.1}}}, ValueError, "'W' is not in this checkpoint"),
        ({"rule": "adam"}, TypeError, "rule"),
        ({"rule": [falling]}, TypeError, "falling"),
    ]:
        fresh = some_params()
        with pytest.raises(kind, match=message):
            tw.load(path, params=fresh, **given)
        assert all(fresh[name].tobytes() == w.tobytes() for name, w in some_params().items())


def test_numbers_may_be_changed_while_loading(path):
    opt, params = tw.Adam(groups={"W": {"lr": 0.5}, "b": None}), some_params()
    after(opt, params, 3).save(path)
    other = tw.load(path, lr=0.25, beta1=falling, nonfinite="skip", groups={"W": {"lr": 0.125, "eps": 1e-3}})
    assert (other.lr, other.beta1, other.nonfinite) == (0.25, 0.1 / 3, "skip")
    assert (other.groups["W"].lr, other.groups["W"].eps, other.eps) == (0.125, 1e-3, opt.eps)
    with pytest.raises(ValueError, match="'b' is frozen"):
        tw.load(path, groups={"b": {"lr": 0.1}})


def test_a_function_is_given_again_or_replaced(path):
    opt, params = tw.Adam(lr=falling), some_params()
    after(opt, params, 3).save(path)
    with pytest.raises(CheckpointError, match=r"`lr` was a function of t.*load\(path, lr=\.\.\.\)"):
        tw.load(path)
    assert tw.load(path, lr=falling).lr == falling(3)
    assert tw.load(path, lr=0.5).lr == 0.5
    assert tw.load(path, lr=schedules.constant(0.5)).lr == 0.5
    with pytest.raises(TypeError, match=r"lr = '0.1'"):
        tw.load(path, lr="0.1")
    other = tw.Adam()
    with pytest.raises(CheckpointError, match="`lr` was a function of t"):
        other.load_state_dict(opt.state_dict())
    assert (other.t, other.lr) == (0, 0.001)


def test_a_schedule_with_a_function_inside_is_a_function(path):
    opt = tw.SGD(lr=schedules.warmup(falling, steps=3))
    opt.save(path)
    with pytest.raises(CheckpointError, match="`lr` was a function of t"):
        tw.load(path)


def test_a_function_of_a_group_or_of_a_link_is_given_again(path):
    opt = tw.chain(tw.l2(falling), tw.Adam(groups={"W": {"lr": falling}}))
    opt.save(path)
    with pytest.raises(CheckpointError, match=r"`weight_decay` was a function.*weight_decay=\.\.\."):
        tw.load(path, groups={"W": {"lr": falling}})
    with pytest.raises(CheckpointError, match=r"groups={'W': {'lr': \.\.\.}}"):
        tw.load(path, weight_decay=falling)
    other = tw.load(path, weight_decay=falling, groups={"W": {"lr": falling}})
    assert (other.weight_decay, other.groups["W"].lr) == (0.1, 0.1)


OWN = "def own(w, g, m, *, lr=0.1, momentum=0.9):\n    m = momentum * m + g\n    w = w - lr * m\n    return w, m"


def test_a_rule_of_ones_own_is_given_again(path):
    own = tw.rule(OWN)
    opt, params = tw.Optimizer(own), some_params()
    after(opt, params, 2).save(path)
    with pytest.raises(CheckpointError, match=r"own\[paper\].*not thalweg's own.*rule=own"):
        tw.load(path)
    with pytest.raises(CheckpointError, match=r"own\[paper\].*novograd has another text"):
        tw.load(path, rule=novograd)
    other_text = tw.rule("def own(w, g, *, lr=0.1):\n    w = w - lr * g\n    return w")
    with pytest.raises(CheckpointError, match="another text"):
        tw.load(path, rule=other_text)
    assert picture(tw.load(path, rule=own), params) == picture(opt, params)
    assert picture(tw.load(path, rule=[novograd, own]), params) == picture(opt, params)


def test_a_rule_of_ones_own_under_the_name_of_one_of_ours(path):
    opt, params = tw.Optimizer(prodigy), some_params()
    after(opt, params, 2).save(path)
    with pytest.raises(CheckpointError, match=r"the text of prodigy\[paper\] is not the one.*rule=\.\.\."):
        tw.load(path)
    assert picture(tw.load(path, rule=prodigy), params) == picture(opt, params)


def test_the_class_and_the_convention_come_back(path):
    for opt, kind in [
        (tw.Adam(convention="torch"), tw.Adam),
        (tw.Optimizer("sgd"), tw.SGD),
        (tw.chain(tw.l2(0.1), tw.SGD()), tw.Optimizer),
    ]:
        opt.save(path)
        other = tw.load(path)
        assert type(other) is kind
        assert other.rule.digest == opt.rule.digest
        assert other.rule.convention_name == opt.rule.convention_name
        assert repr(other) == repr(opt)


def test_numbers_of_links_that_were_changed_live(path):
    opt = tw.chain(tw.clip_norm(1), tw.SGD())
    opt.max_norm = np.float32(2.0)
    opt.save(path)
    other = tw.load(path)
    assert other.max_norm == 2.0
    assert "max_norm=2.0" in repr(other)


def test_a_group_that_was_given_a_number_live_goes_into_one_that_was_not():
    first, second = (tw.Adam(groups={"W": {}}) for _ in range(2))
    first.groups["W"].lr = 0.5
    second.load_state_dict(first.state_dict())
    assert (second.groups["W"].lr, second.lr) == (0.5, 0.001)
    first.load_state_dict(tw.Adam(groups={"W": {}}).state_dict())
    first.lr = 0.25
    assert first.groups["W"].lr == 0.25


def test_a_schedule_that_is_fed_goes_on_as_the_object_it_is():
    metric = schedules.reduce_on_plateau(0.5, patience=0, factor=0.5)
    opt = tw.SGD(lr=metric)
    for loss in (1.0, 1.0):
        metric.feed(loss)
    state = opt.state_dict()
    again = schedules.reduce_on_plateau(0.5, patience=0, factor=0.5)
    other = tw.SGD(lr=again)
    other.load_state_dict(state)
    assert other.lr == 0.25
    again.feed(1.0)
    assert (other.lr, opt.lr) == (0.125, 0.25)


def test_saving_changes_nothing(path):
    opt, params = tw.Optimizer(prodigy), some_params()
    after(opt, params, 3)
    before = picture(opt, params)
    opt.save(path, params)
    opt.state_dict()
    assert picture(opt, params) == before


def test_what_cannot_be_saved_leaves_the_old_file(path):
    opt, params = tw.SGD(), some_params()
    opt.save(path, params)
    old = path.read_bytes()
    with pytest.raises(CheckpointError, match=r"arrays.*'b'.*int64"):
        opt.save(path, params | {"b": np.zeros(5, int)})
    assert path.read_bytes() == old


def test_a_state_dict_is_json_and_arrays_and_a_copy():
    opt, params = tw.chain(tw.clip_norm(np.float32(1)), tw.Adam(np.float64(0.5)), tw.ema(0.5)), some_params()
    state = after(opt, params, 2).state_dict()
    arrays = [a for one in state["parameters"].values() for a in one["slots"].values()]
    assert not any(np.shares_memory(a, b) for a in arrays for slots in opt.state.values() for b in slots.values())
    json.dumps(state, default=lambda x: x.tolist())
    before = picture(opt, params)
    for a in arrays:
        a[...] = 7
    state["made"]["hyperparams"]["lr"] = 9.0
    assert picture(opt, params) == before
