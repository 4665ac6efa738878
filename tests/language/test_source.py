"""Where texts come from: functions wherever they are defined, and strings where Python keeps no source."""

from __future__ import annotations

import functools
import gc
import importlib
import math
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest

import thalweg as tw
import thalweg.words as vocabulary
from thalweg.language import advice
from thalweg.language.vocabulary import SCOPE, word_of
from thalweg.words import abs as size
from thalweg.words import sqrt as root
from thalweg.words import sum as added

W, G = np.array([1.5, -2.0, 0.25]), np.array([0.5, 3.0, -1.0])
TEXT = "def f(w, g, *, lr=0.1):\n    w = w - lr * g\n    return w"


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Return a function that writes a module, imports it and returns it."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(text, name="own_rules"):
        (tmp_path / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        sys.modules.pop(name, None)
        return importlib.import_module(name)

    return write


# Words by object ------------------------------------------------------------------------------------------------------


def test_words_are_recognised_by_object():
    @tw.rule
    def one(w, g, *, lr=0.1):
        w = w - lr * root(np.sqrt(size(g))) * max(added(g), 1) * vocabulary.norm(g) * math.sqrt(lr) * max(g) * pow(
            lr, 2
        )
        w = min(w, np.maximum(g, 2)) + np.clip(g, -1, 1) * np.linalg.norm(w) + np.absolute(g) + math.fabs(lr)
        return w

    @tw.rule
    def other(w, g, *, lr=0.1):
        w = w - lr * abs(g) ** 0.5**1 * 0 * g + w * 0
        return w

    text = """def one(w, g, *, lr=0.1):
        w = w - lr * sqrt(sqrt(abs(g))) * maximum(sum(g), 1) * norm(g) * sqrt(lr) * amax(g) * lr**2
        w = minimum(w, maximum(g, 2)) + clip(g, -1, 1) * norm(w) + abs(g) + abs(lr)
        return w"""
    assert one.digest == tw.rule(text).digest != other.digest


@pytest.mark.parametrize(
    "name, word",
    [
        *((f"np.{x}", x) for x in ("sqrt", "square", "abs", "sign", "exp", "log", "tanh", "cbrt", "sum", "mean")),
        *((f"math.{x}", x) for x in ("sqrt", "exp", "log", "tanh", "cbrt")),
        *(("np.fabs", "abs"), ("np.absolute", "abs"), ("math.fabs", "abs"), ("abs", "abs"), ("sum", "sum")),
        *(
            ("max", "amax"),
            ("np.max", "amax"),
            ("np.amax", "amax"),
            ("np.linalg.norm", "norm"),
            ("np.transpose", "transpose"),
        ),
    ],
)
def test_synonyms_of_one_argument(name, word):
    rules = [tw.rule(f"def f(w, g):\n    w = w - {each}(g) * g\n    return w") for each in (name, word)]
    assert rules[0].digest == rules[1].digest


@pytest.mark.parametrize(
    "name, word",
    [("np.maximum", "maximum"), ("max", "maximum"), ("min", "minimum"), ("np.minimum", "minimum"),
     ("np.arctan2", "atan2"), ("math.atan2", "atan2"), ("pow", "power"), ("np.power", "power"), ("math.pow", "power")],
)  # fmt: skip
def test_synonyms_of_two_arguments(name, word):
    rules = [tw.rule(f"def f(w, g):\n    w = w - {each}(g, w)\n    return w") for each in (name, word)]
    assert rules[0].digest == rules[1].digest


def test_words_that_are_not_imported_are_named(module):
    with pytest.raises(tw.RuleError) as caught:
        module("import thalweg as tw\n\n@tw.rule\ndef own(w, g, *, lr=0.1):\n    w = w - lr * sqrt(g)\n    return w\n")
    assert str(caught.value) == (
        "own, line 5 of own_rules.py: `sqrt` is not imported here; "
        "write `from thalweg.words import sqrt` above the function\n"
        "    w = w - lr * sqrt(g)"
    )


def test_in_a_string_words_need_no_import_and_come_first():
    norm = 5.0  # a name of the session, which a text given as a string does not trip over
    rule = tw.rule("def f(w, g, *, lr=0.1):\n    w = w - lr * norm(g) * sign(g)\n    return w")
    assert norm == 5.0
    assert rule.function(W, G)[0].tolist() == (W - 0.1 * vocabulary.norm(G) * np.sign(G)).tolist()


def test_a_name_of_the_text_hides_a_word_of_the_file():
    with pytest.raises(tw.RuleError, match="`max` is not a word of the language; it is a value here"):
        tw.rule("def f(w, g, max, *, lr=0.1):\n    w = w - lr * max(g, w)\n    max = max + g\n    return w, max")


# Functions ------------------------------------------------------------------------------------------------------------


def test_a_function_inside_a_function_with_a_closure():
    square_root, smooth = np.sqrt, tw.term("def smooth(a, x):\n    return 0.5 * a + 0.5 * x")

    def outer():
        @tw.rule
        def inner(w, g, m, *, lr=0.1):
            """A text
            that stands further left."""
            m = smooth(m, g)
            # a comment that stands further left
            w = w - lr * square_root(m * m)
            return w, m

        return inner

    assert outer().function(W, G, G)[0].tolist() == (W - 0.1 * np.sqrt(G * G)).tolist()


def test_a_name_bound_after_the_decorator_is_not_seen():
    def outer():
        @tw.rule
        def inner(w, g, *, lr=0.1):
            w = w - lr * later(g)
            return w

        later = np.sqrt
        return inner, later

    with pytest.raises(tw.RuleError, match="`later` is not a word of the language"):
        outer()


def test_a_function_of_a_class():
    class Rules:
        @tw.rule
        def plain(w, g, *, lr=0.1):  # noqa: N805 - no method
            w = w - lr * g
            return w

    assert Rules.plain.function(W, G)[0].tolist() == (W - 0.1 * G).tolist()


def test_tabs_continuations_and_decorators_of_many_lines(module):
    text = (
        "import thalweg as tw\n"
        "if True:\n"
        "\t@tw.rule(\n\t\tsource='here',\n\t\tranges=dict(lr='[0, 2)'),\n\t)\n"
        "\tdef own(\n\t\tw,\n\t\tg,\n\t\t*,\n\t\tlr=0.1,\n\t\t{bad},\n\t):\n"
        "\t\tw = w - \\\n\t\t\tlr * \\\n\t\t\t(g\n\t\t\t\t- x * {word}(g))\n"
        "\t\treturn w\n"
    )
    rule = module(text.format(bad="x=0.5", word="abs")).own
    assert rule.function(W, G)[0].tolist() == (W - 0.1 * (G - 0.5 * np.abs(G))).tolist()
    for bad, word, line in (
        ("x=2/3", "abs", 12),
        ("norm=1.0", "abs", 12),
        ("x=0.5", "foo", 17),
        ("x=0.5, y=1", "abs", 7),
    ):
        with pytest.raises(tw.RuleError, match=f"^own, line {line} of own_rules.py: "):
            module(text.format(bad=bad, word=word))


def test_the_line_of_a_kind_that_does_not_fit_is_that_of_its_statement(module):
    with pytest.raises(tw.RuleError, match=r"^own, line 6 of own_rules.py: `g > 0` is a mask"):
        module(
            "import thalweg as tw\n\n@tw.rule\ndef own(w, g, *, lr=0.1):\n"
            "    '''x'''\n    w = (w -\n    lr * (g > 0))\n    return w\n"
        )


def test_decorators_that_stand_between():
    def counted(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)

        return wrapper

    def noted(function):
        return function

    with pytest.raises(tw.RuleError, match="plain: another decorator stands below; a rule is the plain text"):

        @tw.rule
        @counted
        def plain(w, g, *, lr=0.1):
            w = w - lr * g
            return w

    @noted
    @tw.rule
    @(lambda function: function)
    def fine(w, g, *, lr=0.1):
        w = w - lr * g
        return w

    assert fine.name == "fine"


@pytest.mark.parametrize("given", [3, None, print, [TEXT], functools.partial(print)])
def test_what_is_no_function(given):
    with pytest.raises(tw.RuleError, match="a rule is a function written with `def`, or the text of one; this is "):
        tw.rule()(given)


def test_a_lambda_and_a_coroutine():
    with pytest.raises(tw.RuleError, match="or the text of one; this is a lambda"):
        tw.rule(lambda w, g: w)

    async def slow(w, g):
        return w

    with pytest.raises(tw.RuleError, match=r"is one `def` and nothing beside it; this holds `async def slow\(w, g\):`"):
        tw.rule(slow)


def test_annotations_are_read_over():
    @tw.rule
    def own(w: np.ndarray, g: np.ndarray, *, lr: float = 0.1) -> np.ndarray:
        w = w - lr * g
        return w

    assert own.digest == tw.rule(TEXT).digest


def test_a_file_that_changed_since_it_was_imported(module):
    text = "import thalweg as tw\n\ndef own(w, g, *, lr=0.1):\n    w = w - lr * g\n    return w\n"
    one = module(text)
    for changed in (
        text.replace("own(", "other("),
        text.replace("lr", "rate"),
        text.replace("w - lr * g", "w - abs(g)"),
    ):
        Path(one.__file__).write_text(changed)
        with pytest.raises(
            tw.RuleError, match="own: what Python finds as the source of this function is the text of another"
        ):
            tw.rule(one.own)


# Strings --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"\n\n{TEXT}\n\n",
        "\n        " + TEXT.replace("\n", "\n        ") + "\n    ",
        "\tdef f(w, g, *, lr=0.1):\n\t\tw = w - lr * g\n\t\treturn w",
        "def f(w, g, *, lr=0.1): w = w - lr * g; return w",
        "# a comment\n" + TEXT,
    ],
)
def test_layouts_of_a_string(text):
    assert tw.rule(text).digest == tw.rule(TEXT).digest


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "the text of a rule is one `def` and nothing beside it; this holds nothing"),
        ("x = 3", "this holds `x = 3`"),
        (f"{TEXT}\n{TEXT}", "this holds `def f(w, g, *, lr=0.1):`, `def f(w, g, *, lr=0.1):`"),
        ("import math\n" + TEXT, "this holds `import math`, `def f"),
        ("def f(w, g)\n    return w", "the text of the rule is not Python: expected ':', line 1\n    def f(w, g)"),
        (
            "    def f(w, g):\n        w = w - * g\n        return w",
            "is not Python: invalid syntax, line 2\n    w = w - * g",
        ),
        (
            f"@rule\n{TEXT}",
            "f, line 1 of its text: a text has no decorators: what `@rule(...)` is given, `tw.rule(text, ...)`",
        ),
        ("class A:\n    x = 1", "this holds `class A:`"),
    ],
)
def test_strings_that_are_refused(text, message):
    with pytest.raises(tw.RuleError) as caught:
        tw.rule(text)
    assert message in str(caught.value)


def test_a_line_of_an_indented_string_is_counted_from_its_def():
    with pytest.raises(tw.RuleError, match=r"^f, line 3 of its text: `foo` is not a word .*\n    w = w - foo"):
        tw.rule("""
        def f(w, g, *, lr=0.1):
            g = g + w
            w = w - foo(g)
            return w
        """)


def test_a_function_that_came_through_exec():
    scope = {}
    exec(TEXT, scope)
    with pytest.raises(tw.RuleError) as caught:
        tw.rule(scope["f"])
    assert "Python keeps no source for this function" in str(caught.value) or "text of another one" in str(caught.value)
    assert str(caught.value).endswith("Give the rule as a text: f = tw.rule('''def f(w, g, ...): ...''')")


FUNCTION = ["@tw.rule", "def own(w, g, *, lr=0.1):", "    w = w - lr * g", "    return w", ""]
STRING = ["print(tw.rule('''def f(w, g, *, lr=0.1):", "    w = w - lr * sign(g)", "    return w'''))"]


@pytest.mark.parametrize("how", ["-c", "prompt"])
def test_without_source(how):
    """With the source from Python 3.13 on, with the advice before; a string works everywhere."""
    lines = ["import thalweg as tw", *STRING, *FUNCTION]
    command, typed = (["-c", "\n".join(lines)], None) if how == "-c" else (["-i", "-q"], "\n".join([*lines, ""]))
    done = subprocess.run(
        [sys.executable, *command], check=False, input=typed, capture_output=True, text=True, timeout=60
    )
    assert "<rule f[paper]: no state>" in done.stdout, done.stderr
    if sys.version_info < (3, 13):
        assert "RuleError: own: Python keeps no source for this function (it was typed at a prompt" in done.stderr
        assert "own = tw.rule('''def own(w, g, ...): ...''')" in done.stderr
    else:
        assert "RuleError" not in done.stderr


def test_a_rule_keeps_nothing_alive_that_its_text_could_have_named():
    class Large:
        pass

    def made():
        large = Large()
        return tw.rule(TEXT), weakref.ref(large)

    rule, alive = made()
    gc.collect()
    assert alive() is None
    assert rule.text.source.module == __name__


def test_what_has_advice_is_no_word_and_what_is_a_word_has_none():
    refused = [obj for obj, _ in advice._INSTEAD]
    assert [obj for obj in refused if word_of(obj, 1)] == []
    assert [advice.instead_of(obj) for obj in (*SCOPE.values(), np.sqrt, abs, sum, max)] == [None] * (len(SCOPE) + 4)
    for obj, text in advice._INSTEAD:
        assert advice.instead_of(obj) == text
