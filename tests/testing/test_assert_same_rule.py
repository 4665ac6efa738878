"""`assert_same_rule` in other people's suites: quiet for the right rule, and with the evidence for any other."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.testing.handwritten import ADAM, MOMENTUM, NESTEROV, changed
from thalweg.testing import UsageError, assert_same_rule, identify


def test_the_right_rule_passes(written):
    assert_same_rule(written(ADAM), "adam")
    assert_same_rule(written(ADAM), tw.RULES["adam"], convention="book", rtol=0.0)
    assert_same_rule(written(NESTEROV)(lr=0.2, momentum=0.5), "nesterov", convention="paper")


def test_another_convention_fails_and_says_what_it_is(written):
    with pytest.raises(
        AssertionError, match=r"Adam is not adam\[torch\]: adam\[book\], equal to the last bit over 100"
    ):
        assert_same_rule(written(ADAM), "adam", convention="torch", eps=1e-7)


def test_equal_bits_may_be_asked_for(written):
    with pytest.raises(AssertionError, match=r"Nesterov is nesterov\[paper\] within [\de.-]+, and not within 0"):
        assert_same_rule(written(NESTEROV), "nesterov", convention="paper", rtol=0.0)


def test_a_slip_is_named(written):
    wrong = written(changed(MOMENTUM, ("self.momentum * self.v", "self.momentum + self.v")))
    with pytest.raises(AssertionError, match=r"equal to it with `\+` for `\*` in front of the velocity"):
        assert_same_rule(wrong, "momentum")


def test_an_error_is_named(written):
    with pytest.raises(AssertionError, match=r"`keys\(\)` is meant"):
        assert_same_rule(written(changed(MOMENTUM, ("keys()", "key()"))), "momentum")


@pytest.mark.usefixtures("only_the_six")
def test_a_tolerance_of_the_callers_own(written):
    rough = changed(MOMENTUM, ("grads[key]\n", "grads[key] * (1 + 1e-6)\n"))
    assert_same_rule(written(rough), "momentum", rtol=1e-5)
    with pytest.raises(AssertionError, match="is not momentum"):
        assert_same_rule(written(rough), "momentum", rtol=1e-8)


def test_float32(written):
    assert_same_rule(written(ADAM), "adam", dtype=np.float32)


@pytest.mark.parametrize("dtype", [np.float16, int, complex, None, "words", ">f8"])
def test_other_types_of_numbers_are_refused(written, dtype):
    """In float16 nearly everything is within rounding of everything."""
    with pytest.raises(UsageError, match="dtype is float64 or float32"):
        assert_same_rule(written(ADAM), "adam", dtype=dtype)
    with pytest.raises(UsageError, match="dtype is float64 or float32"):
        identify(written(ADAM), dtype=dtype)


def test_there_is_no_such_number(written):
    with pytest.raises(UsageError, match="no hyper-parameter `foo`: the rules have a, alpha, "):
        assert_same_rule(written(ADAM), "adam", foo=0.1)
    with pytest.raises(UsageError, match="no hyper-parameter `learning_rte`: `learning_rate` is the nearest name"):
        identify(written(ADAM), learning_rte=0.3)
    own = written(changed(ADAM, ("lr=0.001", "warmth, lr=0.001")))
    assert_same_rule(own, "adam", warmth=3.0)  # the constructor takes it


def test_a_constructor_that_fails_is_evidence_too(written):
    with pytest.raises(AssertionError, match=r"is not momentum\[book\]: .*Python is ended here"):
        assert_same_rule(written(changed(MOMENTUM, ("self.lr = lr", "raise SystemExit"))), "momentum")


def test_there_is_no_such_rule(written):
    with pytest.raises(KeyError, match="there is no rule 'adamm'"):
        assert_same_rule(written(ADAM), "adamm")
    with pytest.raises(ValueError, match="Adam has no convention 'mine'"):
        assert_same_rule(written(ADAM), "adam", convention="mine")
