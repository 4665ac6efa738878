"""`thalweg show`: one rule in full, and what its conventions differ in, read off the texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import thalweg as tw
from thalweg.cli import app
from thalweg.report.forms import Change, agree, changes, forms_of, forms_of_lbfgs, lines_of
from thalweg.report.places import eps_of
from thalweg.report.reading import compared, plain, shown
from thalweg.report.sheet import inexact_words, note_of, sheet_of, sheet_of_lbfgs, text_of, written
from thalweg.rules import RULES

RULES_FOLDER = Path(tw.__file__).parent / "rules"
FORMS = [(name, form) for name, rule in RULES.items() for form in rule.conventions]


def run(*arguments, code=0):
    done = CliRunner().invoke(app, ["show", *arguments], env={"COLUMNS": "300", "TERMINAL_WIDTH": "300"})
    assert done.exit_code == code, done.output
    return done.output


def form(name, convention):
    return next(f for f in forms_of(RULES[name]).forms if f.name == convention)


# One rule -------------------------------------------------------------------------------------------------------------


def test_the_text_is_the_one_in_the_file():
    text = text_of(RULES["adam"])
    assert text in (RULES_FOLDER / "adam.py").read_text("utf-8")
    assert text.startswith("def adam_book(w, g, m, v, *, t, lr=1e-3,")
    assert text.endswith("    return w, m, v")
    assert all(f"  {line}".rstrip() in run("adam").splitlines() for line in text.splitlines()[1:])


@pytest.mark.parametrize("name", ["adam", "Adam", "ADAM", "adam[book]", "Adam[book]"])
def test_a_name_in_any_case(name):
    assert run(name) == run("adam")


def test_what_is_said_of_a_rule():
    found = sheet_of(RULES["adam"])
    assert (found.name, found.convention, found.default, found.year) == ("Adam", "book", "book", 2015)
    assert found.note == "Both corrections are in the rate, and eps is added to the root of the uncorrected v."
    assert [vars(x) for x in found.numbers[1:3]] == [
        dict(name="beta1", default="0.9", range="0 <= beta1 < 1"),
        dict(name="beta2", default="0.999", range="0 <= beta2 < 1"),
    ]
    assert [vars(x) for x in found.slots] == [
        dict(name="m", shape="n × m", start="0", range=""),
        dict(name="v", shape="n × m", start="0", range="v >= 0"),
    ]
    assert found.facts[:2] == ("The same bits on every machine and in every backend.", "Element by element.")
    assert found.conventions == tuple(RULES["adam"].conventions)


@pytest.mark.parametrize("name, convention", FORMS)
def test_every_form_fits_a_terminal_and_is_json(name, convention):
    rule = RULES[name].conventions[convention]
    sheet = sheet_of(rule)
    drawn = plain(shown(sheet, 80), 80)
    assert max(map(len, drawn.splitlines())) <= 80
    assert "…" not in drawn
    assert all(word in drawn for word in (*rule.defaults, *rule.slots))
    values = json.loads(json.dumps(sheet.to_json(), allow_nan=False))
    assert values.keys() == vars(sheet).keys()
    assert [x["name"] for x in values["numbers"]][: len(rule.defaults)] == list(rule.defaults)
    for x in values["numbers"]:
        if x["name"] in rule.defaults:
            assert x["default"] == "none" or float(x["default"]) == rule.defaults[x["name"]]
    assert [x["name"] for x in values["slots"]] == list(rule.slots)


FACTS = {
    "sgd": "The origin of the parameter does not matter.",
    "momentum": "The step grows with the scale of the loss.",
    "adam": "With eps and eps_root at zero the scale of the loss does not matter either.",
    "lion": "At its defaults no element of a step is larger than 1e-4, decay apart.",
    "madgrad": "Up to 4 ulp apart from one machine to another, by powers; all else has the same bits.",
    "diffgrad": "Up to 4 ulp apart from one machine to another, by exponentials; all else has the same bits.",
    "lamb": "Takes norms, means or sums of whole tensors.",
    "adafactor": "Has numbers of rows and columns, the last two axes.",
    "mars": "Parameters of more than two axes go by the rule for vectors too.",
    "muon": "A tensor of more than two axes is a stack of matrices, in its last two.",
    "soap": "Works on whole matrices, with NumPy's BLAS and LAPACK, whose bits depend on the machine.",
    "prodigy": "Tensors depend on each other: some numbers are of all parameters together.",
    "dog": "Cannot differ between groups: eps and reps_rel.",
    "polyaksgd": "Needs the loss: update(params, grads, value=loss).",
    "sophia": "Takes the diagonal of the Hessian, where there is one: update(params, grads, hessian=diagonal).",
    "asgd": "Evaluated elsewhere than where gradients are taken: opt.averaged() shows ax.",
    "schedulefreesgd": (
        "Evaluated elsewhere than where gradients are taken: opt.averaged() shows evaluation(w, z, momentum)."
    ),
    "ftrl": "Its last line is no step from w, so that links on the step cannot stand behind it.",
    "qhm": "With nu = 0 it is sgd[paper].",
}


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_in_words(name):
    assert FACTS[name] in sheet_of(RULES[name]).facts
    assert FACTS[name] in " ".join(run(name).split())


def test_words_that_differ_between_machines_are_named_for_rules_that_are_not_exact():
    inexact = {name for name, rule in RULES.items() if not rule.facts.exact and not rule.facts.matrix}
    assert inexact
    assert all(inexact_words(RULES[name]) for name in inexact)


def test_terms_and_the_rule_for_vectors_are_shown_with_it():
    sheet = sheet_of(RULES["muon"])
    assert (
        sheet.text.index("def newton_schulz(x):") < sheet.text.index("def orthogonal(") < sheet.text.index("def muon(")
    )
    assert sheet.text_for_vectors.startswith("def _vectors")
    assert "A parameter of fewer than two axes goes by:" in run("muon")
    assert sheet_of(RULES["adam"]).text_for_vectors == ""


def test_a_note_is_of_its_own_text():
    rule = RULES["sgd"]
    assert note_of(rule) == ""
    assert note_of(RULES["momentum"].conventions["mlx"]) == "MLX damps the first gradient as well."
    given = tw.rule("def by_hand(w, g, *, lr=0.1):\n    w = w - lr * g\n    return w", source="nobody 1999")
    assert note_of(given) == ""
    assert text_of(given).startswith("def by_hand(w, g, *, lr=0.1):")


@pytest.mark.parametrize(
    "value, text",
    [(1e-3, "0.001"), (1e-8, "1e-8"), (5.0, "5"), (1e300, "1e300"), (0.1, "0.1"), (2.0**-52, "2.220446049250313e-16")],
)
def test_a_number_as_short_as_it_can_be_read_back(value, text):
    assert written(value) == text
    assert float(text) == value


def test_lbfgs_is_shown_too():
    shown_ = run("LBFGS")
    assert "history_size      100" in shown_
    assert "It is no rule" in shown_
    assert json.loads(run("lbfgs", "--json"))["text"] == ""
    assert "tw.LBFGS()" in run("lbfgs", "--conventions")
    assert {x.name for x in sheet_of_lbfgs().numbers} == set(tw.LBFGS().hyperparams)
    assert forms_of_lbfgs().to_json().keys() == forms_of(RULES["adam"]).to_json().keys()


@pytest.mark.parametrize("name, hint", [("adamm", "Did you mean 'adam'?"), ("FusedAdam", "is tw.AdamW(")])
def test_an_unknown_name_is_refused_with_the_nearest(name, hint):
    said = run(name, code=2)
    assert f"{name!r} is not a rule here." in said
    assert hint in said
    assert "Traceback" not in said


# Its conventions ------------------------------------------------------------------------------------------------------


def test_lines_are_paired_by_what_they_assign():
    found = form("adam", "torch").changes
    assert found == (
        Change(("lr_t = lr * sqrt(1 - beta2**t) / (1 - beta1**t)",), ()),
        Change(("v = v + (1 - beta2) * (g**2 - v)",), ("v = beta2 * v + (1 - beta2) * g * g",)),
        Change((), ("root = sqrt(v + (1 - beta2**t) * eps_root) / sqrt(1 - beta2**t)",)),
        Change(
            ("w = w - lr_t * m / (sqrt(v + eps_root) + eps)",), ("w = w - lr / (1 - beta1**t) * (m / (root + eps))",)
        ),
    )
    assert form("adam", "keras").changes == ()


@pytest.mark.parametrize("name", RULES)
def test_changes_lead_from_one_text_to_the_other(name):
    default = RULES[name]
    for other in default.conventions.values():
        found = changes(default, other)
        old, new = lines_of(default), lines_of(other)
        assert len(old) - sum(len(c.old) for c in found) == len(new) - sum(len(c.new) for c in found)
        assert {line for c in found for line in c.old} <= set(old)
        assert {line for c in found for line in c.new} <= set(new)


RELATIONS = {
    ("sgd", "torch"): "same text",
    ("momentum", "torch"): "same numbers at a constant rate",
    ("momentum", "ema"): "other numbers",
    ("nesterov", "torch"): "same numbers at a constant rate",
    ("adagrad", "torch"): "same numbers",
    ("adagrad", "tensorflow"): "same numbers from the same start",
    ("adagrad", "keras"): "other numbers",
    ("rmsprop", "torch"): "same numbers",
    ("rmsprop", "torch-centered"): "other numbers",
    ("adam", "keras"): "same text",
    ("adam", "sklearn"): "same numbers",
    ("adam", "torch"): "other numbers",
    ("adam", "mlx"): "other numbers",
    ("adamw", "optax"): "same numbers",
    ("adamw", "paper"): "other numbers",
    ("amsgrad", "optax"): "other numbers",
    ("lion", "keras"): "same numbers",
    ("lamb", "keras"): "other numbers",
    ("prodigy", "paper"): "other numbers",
    ("schedulefreeadamw", "optax"): "other numbers",
    ("muon", "torch-match-rms"): "other numbers",
}


@pytest.mark.parametrize("name, convention", RELATIONS)
def test_whether_two_forms_are_the_same(name, convention):
    assert form(name, convention).relation == RELATIONS[name, convention]


def test_the_same_form_twice_agrees_and_it_is_symmetric():
    for (name, convention), relation in RELATIONS.items():
        rule, default = RULES[name].conventions[convention], RULES[name]
        assert agree(rule, rule)
        assert agree(default, rule) == agree(rule, default) == (relation in ("same text", "same numbers"))
        at_a_constant_rate = [agree(*pair, rate_changes=False) for pair in ((default, rule), (rule, default))]
        assert set(at_a_constant_rate) == {relation.startswith("same") and not relation.endswith("start")}


def doubling(name, body, scale, **declared):
    text = f"def {name}(w, g, *, lr=0.1, scale={scale}):\n    w = w - {body}\n    return w"
    return tw.rule(text, source="nobody 1999", **declared)


def test_the_defaults_of_either_are_tried():
    """These two differ below a scale of 2, where the default of one is, and no number that the other's leads to."""
    one = doubling("double", "lr * scale * g", 1.0)
    two = doubling("double", "lr * (scale if scale >= 2 else 3 * scale) * g", 7.0)
    assert not agree(one, two)
    assert not agree(two, one)
    assert agree(one, one)
    assert agree(two, two)


def test_forms_for_parameters_of_other_axes_do_not_agree():
    vectors = doubling("double", "lr * scale * g", 1.0)
    one, two = (
        doubling("double", "lr * scale * g @ g.T @ g", 1.0, vectors=vectors, only_matrices=x) for x in (False, True)
    )
    assert one.digest != two.digest
    assert not agree(one, two)
    assert not agree(two, one)
    assert agree(two, two)


# Read off the texts by eye.
EPS = {
    ("adagrad", "book"): ("eps 1e-7 added to the root",),
    ("adagrad", "keras"): ("eps 1e-7 inside the root",),
    ("rmsprop", "optax"): ("eps 1e-8 inside the root",),
    ("adadelta", "torch"): ("eps 1e-6 inside the root",),
    ("adam", "book"): ("eps 1e-7 added to the uncorrected root",),
    ("adam", "paper"): ("eps 1e-8 added to the corrected root",),
    ("adam", "torch"): ("eps 1e-8 added to the corrected root",),
    ("adam", "mlx"): ("eps 1e-8 added to the root",),
    ("adamax", "torch"): ("eps 1e-8 added to abs(g)",),
    ("adamax", "keras"): ("eps 1e-7 added to u",),
    ("radam", "torch"): ("eps 1e-8 added to the uncorrected root",),
    ("radam", "optax"): ("eps 1e-8 added to the corrected root",),
    ("adabelief", "authors"): ("eps 1e-16 added into s in every step and added to the corrected root",),
    ("adabelief", "optax"): (
        "eps 1e-16 added to the corrected root", "eps_root 1e-16 added into s in every step",
    ),
    ("adopt", "authors"): ("eps 1e-6 as the least value of the root",),
    ("dog", "authors"): ("eps 1e-8 where squares starts",),
    ("dog", "optax"): ("eps 1e-8 inside the root",),
    ("prodigy", "authors"): ("eps 1e-8 added to the root",),
    ("sm3", "paper"): ("eps 1e-30 inside the root",),
    ("sgd", "book"): (),
}  # fmt: skip


@pytest.mark.parametrize("name, convention", EPS)
def test_the_place_of_eps(name, convention):
    assert form(name, convention).eps == EPS[name, convention]


def test_every_eps_has_a_place():
    for name, convention in FORMS:
        for said in eps_of(RULES[name].conventions[convention]):
            assert len(said.split()) > 3, (name, convention, said)


def test_the_form_of_decay_and_the_start_of_accumulators():
    assert form("adamw", "torch").decay == ("before the step: w = w * (1 - lr * weight_decay)",)
    assert form("lion", "paper").decay == ("in the step: w = w - lr * (sign(c) + weight_decay * w)",)
    assert form("schedulefreesgd", "authors").decay == ("in the gradient: u = g + weight_decay * w",)
    assert form("adam", "torch").decay == ()
    assert form("adagrad", "keras").starts == ("h = initial_accumulator (0.1)",)
    assert form("nadam", "torch").starts == ("mu_product = 1",)
    assert form("madgrad", "authors").starts == ("x0 is a copy of w",)


def test_numbers_of_the_rule_for_vectors_are_among_the_defaults():
    found = forms_of(RULES["muon"])
    ours = ("lr_1d 0.0003", "beta1 0.9", "beta2 0.95", "eps_1d 1e-10", "weight_decay_1d 0")
    assert found.numbers == ("lr 0.001", "momentum 0.95", "eps 1e-7", "weight_decay 0.1", *ours, "eps_root 0")
    of_keras = {d.name: (d.value, d.instead_of) for d in form("muon", "keras").defaults}
    assert of_keras == {
        "weight_decay": ("0.004", "0.1"), "rms_rate": ("0.2", ""), "lr_ratio": ("1", ""), "beta2": ("0.999", "0.95"),
        "eps_1d": ("1e-7", "1e-10"), "weight_decay_1d": ("0.004", "0"), "lr_1d": ("", "0.0003"),
    }  # fmt: skip
    assert forms_of(RULES["mars"]).numbers[-4:] == (
        "beta1_1d 0.9", "beta2_1d 0.95", "weight_decay_1d 0.1", "lr_ratio 1",
    )  # fmt: skip
    said = " ".join(run("muon", "--conventions").split())
    assert "eps_1d 1e-7 (torch: 1e-10)" in said
    assert "no lr_1d (torch: 0.0003)" in said


def test_defaults_that_differ():
    found = {d.name: (d.value, d.instead_of) for d in form("adagrad", "keras").defaults}
    assert found == {"lr": ("0.001", "0.01"), "initial_accumulator": ("0.1", "")}


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", ["sgd", "adam", "adafactor", "ftrl", "muon", "schedulefreeadamw"])
def test_the_comparison_fits_a_terminal(name, width):
    forms = forms_of(RULES[name])
    drawn = plain(compared(forms, width), width)
    assert max(map(len, drawn.splitlines())) <= width
    assert "…" not in drawn
    together = "".join(drawn.split())
    assert all("".join(row.ours.split()) in together for row in forms.elsewhere)
    assert [line.split()[0] for line in drawn.splitlines() if line[:1].islower() and "." not in line.split()[0]] == [
        f.name for f in forms.forms
    ]


def test_what_the_comparison_says():
    said = run("adam", "--conventions")
    assert said.startswith("Adam has 9 conventions.\n\nbook  the default\n")
    assert "\npaper  other numbers\n" in said
    assert "− v = v + (1 - beta2) * (g**2 - v)\n            + v = beta2 * v + (1 - beta2) * g**2\n" in said
    assert "lr 0.01 (book: 0.001); beta2 0.99 (book: 0.999); eps 1e-8 (book: 1e-7)" in said
    assert '\ntorch.optim.Adam()\n    tw.Adam(convention="torch")\n' in said


def test_the_comparison_as_json():
    found = json.loads(run("adagrad", "--conventions", "--json"))
    assert found.keys() == {"name", "default", "numbers", "lines", "conventions", "elsewhere"}
    assert [x["name"] for x in found["conventions"]] == [
        "book",
        *(c for c in RULES["adagrad"].conventions if c != "book"),
    ]
    assert found["conventions"][0].keys() == {
        "name", "source", "note", "relation", "defaults", "changes", "for_vectors", "eps", "starts", "decay",
    }  # fmt: skip
    assert found["elsewhere"][0] == {
        "library": "PyTorch", "theirs": "torch.optim.Adagrad()", "ours": 'tw.AdaGrad(convention="torch")',
        "convention": "torch", "note": "",
    }  # fmt: skip


def test_where_a_vector_is_a_matrix_of_one_row():
    said = "A vector is a matrix of one row."
    assert said in run("shampoo")
    assert said not in run("muon")  # whose rule for vectors is AdamW
