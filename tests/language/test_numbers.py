"""Numbers: floats, evaluated once a step; and the errors of those that do not exist."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.language.texts import make

W, G = np.array([1.5, -2.0, 0.25]), np.array([0.5, 3.0, -1.0])
ADAM = tw.RULES["adam"].conventions["paper"]


def columns(rule, **numbers):
    """Return the numbers of the step that kernels get."""
    return rule.hoisted.numbers(
        {"t": 1, **rule.defaults, **numbers} if "t" in rule.text.signature.numbers else rule.defaults
    )


def test_everything_known_before_the_step_is_evaluated_once_and_in_float64():
    values, put_off = ADAM.hoisted.numbers({"t": 7, **ADAM.defaults})
    beta1, beta2, t = 0.9, 0.999, 7
    wanted = [beta1, 1 - beta1, beta2, 1 - beta2, 1 - beta1**t, 1 - beta2**t, 1e-3, 0.0, 1e-8]
    assert (list(values), put_off) == (wanted, False)
    arrays = [step for step in ADAM.hoisted.steps if not step.kind.is_number]
    assert len(arrays) == len(ADAM.hoisted.steps) == 5


def test_one_column_for_one_number():
    rule = make("m = lr * m + lr * (2 * lr) * g\nw = w - lr * (2 * lr) * m\nreturn w, m", "w, g, m, *, lr=0.1")
    assert columns(rule)[0] == (0.1, 0.1 * (2 * 0.1))


def test_kernels_take_each_reduction_and_each_number_of_a_tensor_once():
    rule = make(
        "ratio = norm(w) / norm(g) if norm(w) > 0 and norm(g) > 0 else 1\n"
        "w = w - lr * ratio * g * (norm(w) / 3) - w * (norm(w) / 3)"
    )
    steps = [step for step in rule.hoisted.steps if step.kind.is_number]
    assert [step.word for step in steps if step.word] == ["norm", "norm"]
    assert len([step for step in steps if step.word is None]) == 5  # two conditions, the ratio, lr * ratio, norm(w) / 3


def test_zeros_of_both_signs_are_two_numbers():
    rule = make("w = where(g > 0, w, 0.0) + where(g < 0, w, -0.0) - lr")
    assert [repr(x) for x in columns(rule)[0]] == ["0.0", "-0.0", "0.1"]
    zeros = make("w = where(g > 0, w, -0.0 * lr) + where(g > 0, w, 0.0 * lr)")
    assert [repr(x) for x in columns(zeros)[0]] == ["0.0", "-0.0", "0.0"]


def test_names_of_hyper_parameters_do_not_meet_those_of_generated_code():
    names = [
        "nan",
        "soft",
        "put_off",
        "FAULTS",
        "numbers",
        "meaning",
        "spread",
        "c",
        "n",
        "math",
        "np",
        "self",
        "float",
    ]
    args = ", ".join(f"{name}={k}.5" for k, name in enumerate(names))
    rule = make(f"w = w - {' * g - '.join(names)} * g", f"w, g, *, {args}")
    assert columns(rule) == (tuple(k + 0.5 for k in range(len(names))), False)
    expected = W
    for k in range(len(names)):
        expected = expected - (k + 0.5) * G if k else expected - 0.5 * G
    assert rule.function(W, G)[0].tolist() == expected.tolist()


def test_a_rule_without_numbers():
    rule = make("w = w - g", "w, g")
    assert rule.hoisted.numbers({}) == ((), False)
    assert rule.function(W, G)[0].tolist() == (W - G).tolist()


# Numbers that do not exist --------------------------------------------------------------------------------------------


def errors(rule, g=G, **numbers):
    """Return the message, which is the same from `Rule.function` and from an optimizer."""
    with pytest.raises(tw.NumberError) as caught:
        rule.function(W, g, *[0.0 if s.is_number else 0 * W for s in rule.slots.values()], **numbers)
    message = str(caught.value)
    opt = tw.Optimizer(rule, **{k: v for k, v in numbers.items() if k != "t"})
    params = {"w": W.copy()}
    for _ in range(numbers.get("t", 1) - 1):
        opt.update(params, {"w": g})
    with pytest.raises(tw.NumberError) as caught:
        opt.update(params, {"w": g})
    assert str(caught.value) == message
    return message


def test_the_message_names_rule_line_t_and_values():
    rule = make("a = 2 * lr\nb = sqrt(3 - t - a)\nw = w - b * g", "w, g, *, t, lr=0.25")
    assert errors(rule, t=3) == (
        "f, line 3 of its text: sqrt(-0.5) is no real number, at t = 3, a = 0.5\n    b = sqrt(3 - t - a)"
    )


def test_a_power_that_is_complex():
    rule = make("w = w - (lr - 1)**0.5 * g")
    assert errors(rule) == (
        "f, line 2 of its text: power(-0.9, 0.5) is no real number, at lr = 0.1\n    w = w - (lr - 1)**0.5 * g"
    )


@pytest.mark.parametrize(
    "body, message",
    [
        ("w = w - lr / (t - 1) * g", "division by zero, at t = 1, lr = 0.1"),
        ("w = w - lr * 0.0**-t * g", "negative power"),
        ("w = w - lr * exp(1000 * t) * g", "exp(1000.0) is too large for a float, at t = 1"),
        ("w = w - lr * log(1 - t) * g", "log(0.0) is no real number, at t = 1"),
        ("w = w - lr * 10**(t * 400) * g", "power(10.0, 400.0) is too large for a float, at t = 1"),
        ("w = w - lr * (t % (t - 1)) * g", "at t = 1"),
    ],
)
def test_what_python_raises(body, message):
    rule = make(body, "w, g, *, t, lr=0.1")
    assert message in errors(rule)
    with pytest.raises(tw.NumberError):
        rule.hoisted.numbers({"t": 1, "lr": 0.1})


def test_numbers_of_tensors_are_shown_by_what_they_are():
    rule = make("a = norm(w)\nw = w - lr * (a / norm(g - 2 * g * lr)) * g", "w, g, *, t, lr=0.5")
    message = errors(rule)
    assert message.startswith("f, line 3 of its text: float division by zero" if _before_314() else "f, line 3")
    assert f"at t = 1, lr = 0.5, a = {float(np.sqrt(W @ W))!r}, norm(g - 2 * g * lr) = 0\n" in message


def _before_314():
    import sys

    return sys.version_info < (3, 14)


def test_state_that_is_a_number_is_shown():
    rule = make(
        "v = v - sum(g)\nx = sqrt(v)\nw = w - lr * x * g\nreturn w, v",
        "w, g, v, *, lr=0.1",
        state={"v": tw.number(1.0)},
    )
    with pytest.raises(tw.NumberError, match=r"line 3 of its text: sqrt\(-1.5\) is no real number, at v = -1.5\n"):
        rule.function(W, G, 1.0)


def test_names_of_terms_are_shown_as_they_are_written():
    @tw.term
    def rooted(x, y):
        z = x - y
        return z**0.5

    rule = tw.rule("def f(w, g, *, t, lr=0.1):\n    w = w - rooted(lr, t) * g\n    return w")
    with pytest.raises(tw.NumberError) as caught:
        rule.function(W, G)
    assert str(caught.value) == (
        "f, line 2 of its text: power(-0.9, 0.5) is no real number, at t = 1, z = -0.9\n    w = w - rooted(lr, t) * g"
    )


def test_a_line_of_a_file_is_named(tmp_path, monkeypatch):
    (tmp_path / "rules_of_numbers.py").write_text(
        "import thalweg as tw\nfrom math import sqrt\n\n\n@tw.rule\ndef own(w, g, *, t, lr=0.1):\n"
        "    x = (\n        lr\n        * sqrt(1 - t))\n    w = w - x / (t - 1) * g\n    return w\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import rules_of_numbers

    with pytest.raises(
        tw.NumberError, match=r"^own, line 10 of rules_of_numbers.py: .*, at t = 1, x = 0\n    w = w - x / "
    ):
        rules_of_numbers.own.function(W, G)
    with pytest.raises(
        tw.NumberError, match=r"^own, line 7 of rules_of_numbers.py: sqrt\(-1.0\) is no real number, at t = 2"
    ):
        rules_of_numbers.own.function(W, G, t=2)


def test_a_number_in_a_branch_not_taken_is_put_off_until_a_tensor_needs_it():
    """Whether the branch is taken is known only where the gradient is, so kernels leave the step to the meaning."""
    rule = make("w = w - (lr / (t - 1) if norm(g) > 1 else lr) * g", "w, g, *, t, lr=0.1")
    assert rule.hoisted.numbers({"t": 1, "lr": 0.1})[1] is True
    assert rule.hoisted.numbers({"t": 2, "lr": 0.1})[1] is False
    params, opt = {"w": W.copy()}, tw.Optimizer(rule)
    with pytest.raises(tw.NumberError, match="division by zero, at t = 1, lr = 0"):
        opt.update(params, {"w": G})
    assert params["w"].tolist() == W.tolist()
    assert opt.t == 0
    opt.update(params, {"w": 0.1 * G})
    assert params["w"].tolist() == (W - 0.1 * (0.1 * G)).tolist()
    opt.update(params, {"w": G})
    assert opt.t == 2


@pytest.mark.parametrize(
    "body",
    [
        "x = lr if norm(g) > 0 and norm(w) / sqrt(t - 2) > 0 else 1",
        "x = lr if norm(g) > 0 or norm(w) > sqrt(t - 2) else 1",
        "x = sqrt(t - 2) if norm(g) > 0 else 1",
        "x = 1 if norm(g) > 0 else sqrt(t - 2)",
        "x = 1 if norm(g) > 0 else log(t - 1)",
        "if norm(g) > 0:\n        x = sqrt(t - 2)\n    else:\n        x = 1",
        "x = norm(g * sqrt(t - 2))",
    ],
)
def test_in_a_branch_known_not_to_be_taken_nothing_is_put_off(body):
    rule = make(f"if t > 1:\n    {body}\nelse:\n    x = 1\nw = w - lr * x * g", "w, g, *, t, lr=0.1")
    assert rule.hoisted.numbers({"t": 1, "lr": 0.1})[1] is False
    assert rule.hoisted.numbers({"t": 2, "lr": 0.1})[1] is False
    assert rule.function(W, G, t=1)[0].tolist() == (W - 0.1 * G).tolist()


def test_guards_known_before_the_step_keep_faults_away():
    rule = make(
        "if t > 2:\n    if t > 3:\n        x = sqrt(t - 4)\n    else:\n        x = 1 / (4 - t)\n"
        "else:\n    x = log(3 - t)\n"
        "y = sqrt(t - 4) if t >= 4 else 0\nw = w - lr * (x + y) * g",
        "w, g, *, t, lr=0.1",
    )
    for t, x in ((1, np.log(2)), (2, 0.0), (3, 1.0), (4, 0.0), (5, 2.0)):
        assert rule.hoisted.numbers({"t": t, "lr": 0.1})[1] is False
        assert rule.function(W, G, t=t)[0].tolist() == (W - 0.1 * x * G).tolist()
