"""What is not in the language: each refusal names rule and line, says what was read, and what to write instead."""

from __future__ import annotations

import math

import pytest

import thalweg as tw
from tests.language.texts import make, refusal

SLOT = "w, g, m, *, t, lr=0.1"

# body, line, what the message holds. The arguments are SLOT where the body returns m, else w, g, lr.
STATEMENTS = [
    ("for i in range(3):\n    w = w - lr * g", 2, "there are no loops in a rule"),
    ("while t < 3:\n    w = w - lr * g", 2, "there are no loops in a rule"),
    ("w -= lr * g", 2, "`w -= lr * g` would change the caller's array; write `w = w - lr * g`"),
    ("w *= lr + g", 2, "write `w = w * (lr + g)`"),
    ("w[:] = g", 2, "assign to a name, not to `w[:]`: a rule returns new values and changes nothing"),
    ("w.x = g", 2, "assign to a name, not to `w.x`"),
    ("w: float = g", 2, "a rule has no annotations inside; write `x = y`"),
    ("a = b = g\nw = w - lr * a", 2, "write one assignment a line"),
    ("a, a = g, w\nw = w - lr * a", 2, "each name on the left stands once"),
    ("a, b = g\nw = w - lr * a", 2, "the right side gives 1 value for 2 names on the left"),
    ("a, b = g, w, lr\nw = w - lr * a", 2, "the right side gives 3 values for 2 names on the left"),
    ("a, = g\nw = w - lr * a", 2, "write `a = ...`, without the comma"),
    ("try:\n    w = w - lr * g\nexcept ValueError:\n    w = w", 2, "a rule does not catch"),
    ("raise ValueError", 2, "give `ranges=` to the decorator"),
    ("assert lr > 0\nw = w - lr * g", 2, "give `ranges=` to the decorator"),
    ("import math\nw = w - lr * g", 2, "import above the function"),
    ("def h(x): return x\nw = w - lr * g", 2, "shared lines are a `@term` above it"),
    ("class H: x = 1\nw = w - lr * g", 2, "shared lines are a `@term` above it"),
    ("global x\nw = w - lr * g", 2, "a rule computes new values from its arguments and does nothing else"),
    ("with lr:\n    w = w - lr * g", 2, "does nothing else"),
    ("del lr\nw = w - g", 2, "does nothing else"),
    ("pass\nw = w - lr * g", 2, "leave `pass` out"),
    ("match lr:\n    case 1: w = w - lr * g", 2, "write `if` / `elif` / `else`"),
    ("w - lr * g\nw = w - lr * g", 2, "computes something and keeps nothing"),
    ("print(w)\nw = w - lr * g", 2, "computes something and keeps nothing"),
    ("type X = int\nw = w - lr * g", 2, "is not in the language: it has assignments, `if` and one `return`"),
    ("if lr > 1:\n    w = w - lr * g", 2, "an `if` has an `else` that assigns the same names"),
    ("if lr > 1:\n    w = w - lr * g", 2, "write `x = x`, or `x = a if c else x`"),
    ("if lr > 1:\n    w = w - lr * g\nelse:\n    a = g", 2, "`a`, `w` are assigned in one branch only"),
    (
        "if lr > 1:\n    w = w - g\nelif lr > 0:\n    w = w - g\n    a = g\nelse:\n    w = w",
        4,
        "`a` is assigned in one",
    ),
    ("if lr > 1:\n    return w\nelse:\n    w = w - g", 3, "`return` stands once, as the last line"),
    ("return w\nw = w - lr * g", 2, "`return` stands once, as the last line"),
    (
        "w = w - lr * g\nreturn",
        3,
        "the last line returns the new parameter and the new state, such as `return w, m, v`",
    ),
]

EXPRESSIONS = [
    ("w = w - lr * g[0]", 2, "`g[0]`: a rule sees whole arrays: there is no indexing"),
    ("w = w - [lr for i in g]", 2, "there are no loops in a rule"),
    ("w = w - lr * (lambda x: x)(g)", 2, "is not a word of the language"),
    ("f = lambda x: x\nw = w - lr * g", 2, "shared lines are a `@term` above it"),
    ("w = w - lr * (a := g)", 2, "write the assignment on a line of its own"),
    ("w = w - lr * f'{g}'", 2, "a rule knows numbers and arrays only"),
    ("w = w - {'a': lr}", 2, "a rule knows numbers and arrays only"),
    ("w = w - [lr, g]", 2, "a rule knows numbers and arrays only"),
    ("w = w - (lr, g)", 2, "write one value for each name"),
    ("w = w - 'lr'", 2, "a rule knows real numbers and arrays only"),
    ("w = w - 1j * g", 2, "a rule knows real numbers and arrays only"),
    ("w = w - True * g", 2, "a rule knows real numbers and arrays only"),
    ("w = w - None", 2, "a rule knows real numbers and arrays only"),
    ("w = w - 1e400 * g", 2, "too large for a float"),
    ("w = w - 1" + "0" * 400 + " * g", 2, "too large for a float"),
    ("w = w - lr * g.real", 2, "`g.real`: the only attribute is `.T`"),
    ("w = w - lr * ~(g > 0)", 2, "for the opposite of a mask write `where(mask, b, a)`"),
    ("w = where((g > 0) & (w > 0), w, g)", 2, "combine masks as in `where(a, where(b, x, y), y)`"),
    ("w = where(g is w, w, g)", 2, "compare with < <= > >= == !="),
    ("w = where(g in w, w, g)", 2, "compare with < <= > >= == !="),
    ("w = w - lr * h", 2, "`h` is used before it is assigned. Known here: g, lr, w"),
    ("w = w - l_r * g", 2, "`l_r` is used before it is assigned; did you mean `lr`?"),
    ("w = w - a * g\na = lr\nw = w + a", 2, "`a` is used before it is assigned"),
    ("w = w - lr * sqrt", 2, "`sqrt` stands alone; write its arguments, as in `sqrt(x)`"),
    ("w = w - math.pi * g", 2, "`math.pi`: the only attribute is `.T`"),
    ("w = w - RATE * g", 2, "`RATE` comes from outside"),
    ("w = w - RATE * g", 2, "make it a keyword argument with a default, as in `*, RATE=0.1`"),
    ("w = w - " + " - ".join(["g"] * 70), 2, "nested more than 64 deep; assign parts of it to names"),
    ("w = w - " + "-(" * 70 + "g" + ")" * 70, 2, "nested more than 64 deep"),
    ("w = (w\n     - lr * g\n     - foo(g))", 4, "`foo` is not a word of the language"),
    ("w = w \\\n    - lr * g \\\n    - foo(g)", 4, "`foo` is not a word of the language"),
]

WORDS = [
    (
        "w = w - lr * foo(g)",
        2,
        "the words are: sqrt square abs sign maximum minimum clip where exp log tanh cbrt atan2 sum",
    ),
    (
        "w = w - lr * foo(g)",
        2,
        "total qr eigh eye sorting nrows ncols blocks unblocks, the operators + - * / ** @ and comparisons, `x.T`",
    ),
    ("w = w - lr * sqr(g)", 2, "`sqr` is not a word of the language; did you mean `sqrt`?"),
    ("w = w - lr * np.linalg.nrm(g)", 2, "did you mean `norm`?"),
    ("w = w - lr * np.dot(g, g)", 2, "`np.dot` is not a word of the language; write `a @ b`, or `sum(a * b)`"),
    ("w = w - lr * min(g)", 2, "write `-amax(-x)` for the smallest element"),
    ("w = w - lr * np.zeros_like(g)", 2, "slots start at zero"),
    ("w = w - float(lr) * g", 2, "numbers are floats already: leave it out"),
    ("w = w - lr * round(lr) * g", 2, "`(x + 0.5) // 1`"),
    ("w = w - lr * g.sum()", 2, "`g.sum` is not a word of the language; arrays have no methods here; write `sum(g)`"),
    ("w = w - lr * (g * w).max()", 2, "write `amax(g * w)`"),
    ("w = w - lr * g.T.std()", 2, "write `rms(g.T - mean(g.T))`"),
    ("w = w - lr * g.astype(w)", 2, "arrays have no methods here"),
    ("w = w - lr(g)", 2, "`lr` is not a word of the language; it is a value here, and values cannot be called"),
    ("w = w - lr * sqrt(g, w)", 2, "`sqrt` takes 1 argument, not 2"),
    ("w = w - lr * maximum(g)", 2, "`maximum` takes 2 arguments, not 1"),
    ("w = w - lr * np.where(g > 0)", 2, "`np.where` takes 3 arguments, not 1"),
    ("w = w - lr * sum(g, -1)", 2, "`sum` takes 1 argument, not 2; an axis is written `axis=-1`"),
    ("w = w - lr * sum(g, axis=0)", 2, "`sum`: axis is written out as -1 (one number a row) or -2 (one a column)"),
    ("w = w - lr * sum(g, axis=-3)", 2, "axis is written out as -1"),
    ("w = w - lr * sum(g, axis=-lr)", 2, "axis is written out as -1"),
    ("w = w - lr * sum(g, axis=-True)", 2, "axis is written out as -1"),
    ("w = w - lr * sum(g, axis=-1, keepdims=True)", 2, "an axis is always kept, with length 1; leave `keepdims=` out"),
    ("w = w - lr * sum(g, dtype=lr)", 2, "words take arguments by position, and `axis=-1` or `axis=-2`, not `dtype=`"),
    ("w = w - lr * sqrt(x=g)", 2, "words take arguments by position, not `x=`"),
    ("w = w - lr * sqrt(g, axis=-1)", 2, "words take arguments by position, not `axis=`"),
    ("w = w - lr * sqrt(*g)", 2, "`sqrt`: write the arguments out"),
    ("w = w - lr * sqrt(**g)", 2, "`sqrt`: write the arguments out"),
    ("w = w - lr * pow(g, 2, 3)", 2, "`pow` takes 2 arguments, not 3"),
]

KINDS = [
    (
        "if g > 0:\n    w = w - lr * g\nelse:\n    w = w",
        2,
        "the condition `g > 0` is a mask (an array), and a condition is a number",
    ),
    ("if g:\n    w = w - lr * g\nelse:\n    w = w", 2, "the condition `g` is an array"),
    ("w = w - (lr if g > 0 else 1) * g", 2, "to choose element by element write `where(mask, a, b)`"),
    ("w = where(not g > 0, w, lr * g)", 2, "the condition `g > 0` is a mask"),
    ("w = where(0 < g < 1, w, lr * g)", 2, "the condition `0 < g` is a mask"),
    ("w = w - lr * g * (g > 0)", 2, "`g > 0` is a mask (an array); to compute with it write `where(mask, a, b)`"),
    ("w = w - lr * (lr > 1) * g", 2, "is a number known before the step that is true or false"),
    ("w = w - lr * (lr > 1) * g", 2, "to compute with it write `1.0 if c else 0.0`"),
    ("w = w - lr * mean(g > 0) * g", 2, "`g > 0` is a mask"),
    (
        "w = w - where(g > 0, 1.2, 0.5)",
        2,
        "since of two numbers NumPy makes float64; write `where(g > 0, 1.2, 0.5 + 0 * w)`",
    ),
    (
        "w = w - where(lr > 0, lr * g, g)",
        2,
        "`lr > 0` is a number known before the step that is true or false, and has to be a mask",
    ),
    ("w = w - where(g, lr * g, g)", 2, "`g` is an array, and has to be a mask such as `g > 0`"),
    (
        "c = g > 0 if lr > 1 else lr > 0\nw = where(c, w, lr * g)",
        2,
        "is a mask (an array) in one branch and a number known",
    ),
    ("c = lr if lr > 1 else lr > 0\nw = w - c * g", 2, "make both the same"),
    ("if lr > 1:\n    c = g\nelse:\n    c = g > 0\nw = w - c * lr", 2, "`c` is an array in one branch and a mask"),
    (
        "w = w - lr * norm(lr) * g",
        2,
        "`norm(lr)`: `lr` is a number known before the step already; a reduction takes an array",
    ),
    ("w = w - lr * norm(norm(g)) * g", 2, "`norm(g)` is a number of the tensor already"),
    ("w = w - lr * mean(mean(g, axis=-1), axis=-1)", 2, "is one number a row and has length 1 along axis -1 already"),
    ("w = w - lr * sum(sum(g, axis=-2), axis=-2)", 2, "is one number a column and has length 1 along axis -2 already"),
    (
        "w = w - lr * total(g)",
        2,
        "`g` is an array, and a total adds one number of each tensor; write `total(sum(...))`",
    ),
    ("w = w - lr * (g * total(norm(g)) if lr > 1 else w)", 2, "stands where it may be left unevaluated"),
    ("w = w - lr * (g if lr > 1 and total(norm(g)) > 1 else w)", 2, "compute it on a line of its own before"),
    ("if lr > 1:\n    w = w - g * total(norm(g))\nelse:\n    w = w", 3, "every tensor takes part in a total"),
    ("w = w - lr * norm(g)**3 * g", 2, "`norm(g)**3`: numbers after a reduction know the powers 2, 0.5 and -1"),
    ("w = w - norm(g)**lr * g", 2, "written out; write others as products"),
    (
        "w = w - lr * exp(norm(g)) * g",
        2,
        "`exp(norm(g))`: numbers after a reduction know + - * /, comparisons, sqrt square abs sign",
    ),
    ("w = w - lr * (g // 2)", 2, "`g // 2`: `//` works on numbers that are known before the step, such as t"),
    ("w = w - lr * (norm(g) % 2) * g", 2, "`norm(g) % 2`: `%` works on numbers"),
    ("w = w - lr * qr(g)", 2, "`qr` gives 2 values; write `a, b = qr(g)` on a line of its own"),
    ("w = w - lr @ g", 2, "`lr @ g`: `lr` is a number known before the step, and words for matrices take arrays"),
    ("w = w - lr.T * g", 2, "`lr.T`: `lr` is a number"),
    ("q, r = eigh(lr)\nw = w - q", 2, "`eigh(lr)`: `lr` is a number"),
    ("w = lr * 2", 2, "the new value of `w` is a number known before the step, and has to be an array"),
    ("w = g > lr", 2, "the new value of `w` is a mask (an array), and has to be an array"),
    ("w = mean(g, axis=-1) * lr", 2, "the new value of `w` is one number a row, and has to be an array"),
]

RETURNS = [
    ("m = m + g\nw = w - lr * m\nreturn w", 4, "in the order of the arguments: `return w, m`"),
    ("m = m + g\nw = w - lr * m\nreturn m, w", 4, "`return w, m`"),
    ("m = m + g\nreturn w - lr * m, m", 3, "return the new parameter and the new state by name"),
    ("m = m + g\nw = w - lr * m\nreturn w, m, g", 4, "`return w, m`"),
    ("w = w - lr * g - m\nreturn w, m", 3, "the slot `m` is never written; assign its new value, or take it out"),
    ("m = m + lr * g\nreturn w, m", 3, "the parameter `w` is never written"),
    ("m = g\nw = w - lr * m\nreturn w, m", 1, "the slot `m` is written and its old value is never read; take it out"),
    ("m = m + 1\nw = w - lr * m\nreturn w, m", 1, "the gradient `g` changes neither the parameter nor a slot"),
    ("m = m + g\nw = w - m\nreturn w, m", 1, "the hyper-parameter `lr` changes neither the parameter nor a slot"),
    ("m = m + g\nx = lr * m\nw = w - m\nreturn w, m", 1, "the hyper-parameter `lr` changes neither"),
]


REFUSED = [*STATEMENTS, *EXPRESSIONS, *WORDS, *KINDS, *RETURNS]


@pytest.mark.parametrize("body, line, message", REFUSED, ids=[body[:40] for body, *_ in REFUSED])
def test_refused(body, line, message):
    args = SLOT if (body, line, message) in RETURNS else "w, g, *, lr=0.1"
    if body.startswith("type ") and not _has_type_statement():
        pytest.skip("Python 3.12 has the `type` statement")
    read = refusal(body, args)
    assert read.startswith(f"line {line}: ")
    assert message in read


def _has_type_statement():
    try:
        compile("type X = int", "", "exec")
    except SyntaxError:
        return False
    return True


@pytest.mark.parametrize(
    "args, message",
    [
        (
            "w, *, lr=0.1",
            "a rule takes at least the parameter and its gradient: `def name(w, g, <slots>, *, t, lr=0.01)`",
        ),
        ("w, g, lr=0.1", "hyper-parameters stand behind it: `*, lr=...`"),
        ("w, g, *slots, lr=0.1", "`*args` and `**kwargs` say nothing"),
        ("w, g, *, lr=0.1, **numbers", "`*args` and `**kwargs` say nothing"),
        ("w, g, t, *, lr=0.1", "`t` is a number: it stands behind `*`, as in `(w, g, *, t, lr=0.01)`"),
        ("w, g, value, *, lr=0.1", "`value` is a number: it stands behind `*`"),
        ("w, g, *, t=1, lr=0.1", "`t` is the step count: it is given at each step and has no default"),
        ("w, g, *, value=1.0, lr=0.1", "`value` is the loss of the step"),
        ("w, g, *, value, lr=0.1", "the loss `value` changes neither the parameter nor a slot; take it out"),
        ("w, g, *, lr=1/3", "the default of `lr` is a finite number, written out (such as 1e-3), not `1 / 3`"),
        ("w, g, *, lr=True", "the default of `lr` is a finite number"),
        ("w, g, *, lr='1'", "the default of `lr` is a finite number"),
        ("w, g, *, lr=None", "the default of `lr` is a finite number"),
        ("w, g, *, lr=1e400", "the default of `lr` is a finite number"),
        ("w, g, *, lr=1" + "0" * 400, "the default of `lr` is a finite number"),
        ("w, g, *, lr=-0.1", "the default `lr = -0.1` is out of range, lr >= 0; `ranges=` declares another"),
        ("w, g, *, lr=0.1, beta2=1.0", "`beta2` changes neither"),
        ("w, g, norm, *, lr=0.1", "`norm` is a word of the language; call it something else, such as `norm_` or `n`"),
        ("w, g, *, lr=0.1, a__b=1.0", "names with two underscores in a row belong to generated code"),
        ("w, g, *, lr=0.1, β=0.9", "`β`: write the name in ASCII letters, such as `beta` for `β`"),
    ],
)
def test_arguments_that_are_refused(args, message):
    read = refusal("w = w - lr * g", args)
    assert read.startswith("line 1: ")
    assert message in read


@pytest.mark.parametrize(
    "declared, message",
    [
        ({"state": {"n": tw.number()}}, "`state=` names `n`, which is no slot of the text; it has: m"),
        ({"state": {"m": 0.0}}, '`state=` gives 0.0 for `m`; use full(start), copy("w"), number(start)'),
        (
            {"state": {"m": tw.full("start")}},
            "the slot `m` starts at `start`, which is no hyper-parameter of this text; it has: lr",
        ),
        ({"state": {"m": tw.full("w")}}, "the slot `m` starts at `w`, which is no hyper-parameter"),
        (
            {"state": {"m": tw.number()}},
            "`m` is an array, and has to be a number of the tensor; `sum`, `mean`, `norm`, `rms`",
        ),
        ({"state": {"m": tw.rows()}}, "`m` is an array, and has to be one number a row; `mean(x, axis=-1)`"),
        ({"state": {"m": tw.columns()}}, "`m` is an array, and has to be one number a column; `mean(x, axis=-2)`"),
        (
            {"ranges": {"beta": "[0, 1)"}},
            "`ranges=` names `beta`, which is no hyper-parameter or slot of this text; it has: lr, m",
        ),
        (
            {"ranges": {"lr": "0..1"}},
            "`ranges=`: '0..1' is not an interval; write it in quotes, such as '[0, 1)' or '(0, inf)'",
        ),
        ({"ranges": {"lr": "[0, x)"}}, "is not an interval"),
        ({"ranges": {"lr": "[1, 0]"}}, "is not an interval"),
        ({"ranges": {"lr": "[nan, 1]"}}, "is not an interval"),
        ({"ranges": {"lr": (0, 1)}}, "(0, 1) is not an interval"),
        ({"ranges": {"lr": "[1, 2]"}}, "the default `lr = 0.1` is out of range, 1 <= lr <= 2"),
        ({"vectors": "adam"}, "`vectors=` is the rule for parameters of fewer than two axes, not 'adam'"),
    ],
)
def test_declarations_that_are_refused(declared, message):
    assert message in refusal("m = m + g\nw = w - lr * m\nreturn w, m", SLOT, **declared)


@pytest.mark.parametrize("end", ["w = w - lr * g", "'text'", "return"])
def test_the_last_line_returns(end):
    with pytest.raises(
        tw.RuleError, match="line 2 of its text: the last line returns the new parameter and the new st"
    ):
        tw.rule(f"def f(w, g, *, lr):\n    {end}")


def test_what_a_number_slot_may_hold():
    with_norm = "m = m + norm(g)\nw = w - lr * m * g\nreturn w, m"
    shared = refusal(with_norm, SLOT, state={"m": tw.shared()})
    assert "is a number of the tensor, and has to be a number of the model; `total(...)` makes" in shared
    assert shared.startswith("line 2: ")
    array = refusal("x = g\nm = norm(m)\nw = w - lr * x\nreturn w, m", SLOT)
    assert array.startswith("line 3: the new value of `m` is a number of the tensor, and has to be an array")
    assert "`number()`, `rows()` or `columns()`" in array
    truth = refusal("m = m > norm(g)\nw = w - lr * g\nreturn w, m", SLOT, state={"m": tw.number()})
    assert "is a number of the tensor that is true or false, and has to be a number of the tensor" in truth


@pytest.mark.parametrize(
    "bad", [math.nan, math.inf, True, None, 10**400, [0.0]], ids=["nan", "inf", "bool", "none", "huge", "list"]
)
@pytest.mark.parametrize("kind", [tw.full, tw.number, tw.shared, tw.rows, tw.columns])
def test_a_slot_starts_at_a_finite_number_or_a_name(kind, bad):
    with pytest.raises(
        ValueError, match="a slot starts at a finite number, or at a hyper-parameter whose name is given in quotes"
    ):
        kind(bad)


def test_copy_copies_the_parameter_only():
    with pytest.raises(
        ValueError, match=r"copy\(\"w\"\) copies the parameter; there is nothing else to copy, and 'g' was given"
    ):
        tw.copy("g")


def test_rules_for_vectors():
    plain = make("w = w - lr * g")
    matrix = make("w = w - lr * (g @ g.T @ g)")
    total = make("w = w - lr * g * total(sum(g))")
    shared = make("m = m + 1\nw = w - m * g\nreturn w, m", "w, g, m", state={"m": tw.shared()})
    narrow = make("w = w - lr * mean(g, axis=-1)")
    with_plain = make("w = w - lr * (g @ g.T @ g)", vectors=plain)
    assert with_plain.vectors is with_plain.also("other").vectors is plain
    assert make("w = w - lr * (g @ g.T @ g)", vectors=matrix).vectors is matrix  # a vector has one row there
    cases = [
        (narrow, "`vectors=` names `f`, which has numbers of rows and columns and needs two axes itself"),
        (with_plain, "`vectors=` names `f`, which has a rule for vectors itself; name that one"),
        (total, "`vectors=` does not go with `f`, whose total or shared slot is of all parameters"),
        (shared, "`vectors=` does not go with `f`"),
    ]
    for vectors, message in cases:
        assert message in refusal("w = w - lr * (g @ g.T @ g)", vectors=vectors)
    assert "`vectors=` does not go with `f`" in refusal("w = w - lr * g * total(sum(g))", vectors=plain)
