"""What LBFGS is given, what can be read and set, and what it says to everything else."""

from __future__ import annotations

import inspect
import itertools
import subprocess
import sys

import numpy as np
import pytest

import thalweg as tw
from tests.quasi_newton.functions import PROBLEMS, Counted, run

DEFAULTS = dict(
    lr=1.0, max_iter=20, max_eval=None, tolerance_grad=1e-7, tolerance_change=1e-9, history_size=100,
    line_search="strong_wolfe",
)  # fmt: skip


def test_defaults_and_order():
    found = inspect.signature(tw.LBFGS).parameters
    assert {n: p.default for n, p in found.items() if p.kind is not p.VAR_KEYWORD} == DEFAULTS
    assert tw.LBFGS().hyperparams == DEFAULTS
    assert tw.LBFGS(0.5, 3, 7, 1e-3, 1e-4, 5, None).hyperparams == dict(
        zip(DEFAULTS, (0.5, 3, 7, 1e-3, 1e-4, 5, None), strict=True)
    )


def test_defaults_are_those_of_torch_but_for_the_line_search():
    torch = pytest.importorskip("torch", reason="oracle torch is not installed")
    theirs = inspect.signature(torch.optim.LBFGS).parameters
    ours = {("line_search_fn" if name == "line_search" else name): x for name, x in DEFAULTS.items()}
    assert {n: theirs[n].default for n in ours} == ours | {"line_search_fn": None}
    assert "torch's default" in " ".join(inspect.getdoc(tw.LBFGS).split())


@pytest.mark.parametrize(
    "arguments, kind, message",
    [
        (dict(lr=0), ValueError, "lr = 0 is out of range; legal is 0 < lr, finite"),
        (dict(lr=-1.0), ValueError, "lr = -1.0 is out of range"),
        (dict(lr=np.inf), ValueError, "lr = inf is out of range"),
        (dict(lr=np.nan), ValueError, "lr = nan is out of range"),
        (dict(lr=10**400), ValueError, "is out of range"),
        (dict(lr=True), TypeError, "lr is of type bool"),
        (dict(lr="0.1"), TypeError, "lr is of type str; give a number with 0 < lr, finite$"),
        (dict(lr=lambda t: 0.1), TypeError, "lr is of type function.*set between two calls, as in opt.lr = 0.5"),
        (dict(lr={"w": np.ones(2)}), TypeError, r"lr is of type dict.*opt.update\(params, closure=f\)"),
        (dict(tolerance_grad=-1e-9), ValueError, "legal is 0 <= tolerance_grad, finite"),
        (dict(tolerance_change=None), TypeError, "tolerance_change is of type NoneType"),
        (dict(max_iter=0), ValueError, "max_iter = 0 is out of range; it is a whole number, 1 or more"),
        (dict(max_iter=-3), ValueError, "max_iter = -3"),
        (dict(max_iter=2.5), ValueError, "max_iter = 2.5; it is a whole number"),
        (dict(max_iter=None), TypeError, "max_iter = None"),
        (dict(max_iter=True), TypeError, "max_iter = True"),
        (dict(max_eval=0), ValueError, "max_eval = 0.*or None for 5"),
        (dict(history_size=0), ValueError, "history_size = 0"),
        (dict(history_size="10"), TypeError, "history_size = '10'"),
        (dict(line_search="armijo"), ValueError, "line_search = 'armijo'; it is 'strong_wolfe', or None"),
        (dict(line_search=True), ValueError, "line_search = True"),
        (dict(line_search_fn="strong_wolfe"), TypeError, "`line_search_fn` is `line_search=` here"),
        (dict(history=10), TypeError, "`history` is `history_size=` here"),
        (dict(learning_rate=1.0), TypeError, "`learning_rate` is `lr=` here"),
        (dict(maxls=20), TypeError, "`maxls` is `max_eval=` here"),
        (dict(historysize=20), TypeError, "no `historysize`; did you mean `history_size`"),
        (dict(weight_decay=0.1), TypeError, "no `weight_decay`: add the penalty"),
        (dict(nonfinite="skip"), TypeError, "no `nonfinite`.*always an error"),
        (dict(groups={}), TypeError, "no `groups`"),
        (dict(xyz=1), TypeError, "no `xyz`. LBFGS takes lr, max_iter"),
    ],
    ids=itertools.count(),
)
def test_arguments_that_are_refused(arguments, kind, message):
    with pytest.raises(kind, match=message):
        tw.LBFGS(**arguments)


@pytest.mark.parametrize(
    "name, value, kept",
    [("lr", np.float32(0.5), 0.5), ("max_iter", np.int64(3), 3), ("tolerance_grad", 0, 0.0), ("max_eval", None, None)],
)
def test_numbers_are_kept_as_pythons(name, value, kept):
    found = getattr(tw.LBFGS(**{name: value}), name)
    assert (found, type(found)) == (kept, type(kept))


def test_everything_can_be_read_and_numbers_can_be_set():
    opt = tw.LBFGS()
    opt.lr, opt.max_iter, opt.line_search = 0.5, 3, None
    assert (opt.lr, opt.max_iter, opt.line_search) == (0.5, 3, None)
    for name, value, message in (("lr", -1, "lr = -1"), ("max_iter", 0, "max_iter"), ("line_search", "x", "'x'")):
        with pytest.raises(ValueError, match=message):
            setattr(opt, name, value)
    assert opt.hyperparams == DEFAULTS | dict(lr=0.5, max_iter=3, line_search=None)
    for name in ("t", "n_iter", "func_evals", "hyperparams"):
        with pytest.raises(AttributeError, match=f"`{name}` can be read and not set"):
            setattr(opt, name, 1)
    with pytest.raises(AttributeError, match="`line_search_fn` is `line_search=` here"):
        opt.line_search_fn = None
    with pytest.raises(AttributeError, match="no attribute 'momentum'; its hyper-parameters: lr"):
        opt.momentum  # noqa: B018
    assert {"lr", "update", "n_iter"} <= set(dir(opt))


def test_how_it_is_shown():
    f, start, _ = PROBLEMS["rosenbrock in 2"]
    opt, _, closure = run(f, start, 1, max_iter=1)
    assert repr(opt) == (
        "LBFGS(lr=1.0, max_iter=1, max_eval=None, tolerance_grad=1e-07, tolerance_change=1e-09, history_size=100, "
        "line_search='strong_wolfe') after 1 call and 1 iteration"
    )
    assert opt.func_evals == len(closure.points)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(), r"give a function that computes it, update\(params, closure=f\) with f\(params\) -> \(value, grads\)"),
        (dict(grads={"w": np.ones(2)}), r"evaluates the function several times.*closure=f"),
        (dict(grads={"w": np.ones(2)}, value=1.0), r"closure=f"),
        (dict(grads=len), r"closure=f"),
        (dict(grads={"w": np.ones(2)}, closure=len), "leave these arguments out"),
        (dict(value=1.0, closure=len), "leave these arguments out"),
        (dict(closure=3), "closure = 3; it is a function"),
    ],
    ids=str,
)
def test_update_without_what_it_needs(arguments, message):
    opt, params = tw.LBFGS(), {"w": np.ones(2)}
    with pytest.raises(TypeError, match=message):
        opt.update(params, **arguments)
    assert (params["w"].tolist(), opt.t) == ([1, 1], 0)


def test_a_call_keeps_to_its_limits():
    f, start, _ = PROBLEMS["rosenbrock in 10"]
    opt, params = tw.LBFGS(max_iter=7, tolerance_change=0.0, tolerance_grad=0.0), {"w": start.copy()}
    closure = Counted(f)
    opt.update(params, closure=closure)
    assert (opt.t, opt.n_iter) == (1, 7)
    opt.max_eval = 3
    before = len(closure.points)
    opt.update(params, closure=closure)
    assert len(closure.points) - before in (3, 4)  # the search that reaches it evaluates once at least


def test_history_size_is_kept_to_and_may_change():
    f, start, _ = PROBLEMS["rosenbrock in 10"]
    opt, params, _ = run(f, start, 1, history_size=5)

    def pairs():
        return len(opt.state_dict()["parameters"]["w"]["slots"]["s"])

    assert pairs() == 5
    opt.history_size = 2
    opt.update(params, closure=Counted(f))
    assert pairs() == 2
    opt.history_size = 4
    opt.update(params, closure=Counted(f))
    assert pairs() == 4


def test_it_is_imported_when_it_is_asked_for():
    code = (
        "import sys, thalweg as tw; assert 'thalweg.quasi_newton' not in sys.modules; assert 'LBFGS' in dir(tw); "
        "tw.LBFGS(); assert 'thalweg.quasi_newton' in sys.modules; assert 'torch' not in sys.modules; "
        "assert 'scipy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
