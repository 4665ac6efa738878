"""A study is declared in full before anything runs; its runs have keys that say exactly what they are."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import pytest

from thalweg import problems
from thalweg.lab.spaces import DEFAULT_LRS, default_lrs
from thalweg.lab.study import DEFAULT_RULES, RunConfig, Study, record_key
from thalweg.rules import RULES


def small(**changes):
    given = {"problem": "ravine", "rules": ["sgd", "adam"], "lrs": [0.1, 0.01], "seeds": 2, "epochs": 3}
    return Study.declare(**given | changes)


def test_the_default_is_six_rules_nine_rates_three_seeds_of_the_digits():
    study = Study.declare()
    assert (study.problem, study.rules, study.seeds, study.epochs) == ("digits", DEFAULT_RULES, (0, 1, 2), 20)
    assert (len(study.rules), study.rates, len(study.runs())) == (6, 9, 162)
    assert study.command == "thalweg compare"


@pytest.mark.parametrize("problem", problems.NAMES)
def test_every_rule_gets_nine_half_decades(problem):
    for name in (name for name in RULES if "lr" in RULES[name].defaults):
        rates = default_lrs(problem, RULES[name])
        assert len(rates) == 9
        exponents = [2 * math.log10(rate) for rate in rates]
        rounded = 2 * (0.005 / 3.16) / math.log(10)  # three digits: half a unit of the third, in half decades
        assert exponents == pytest.approx([round(exponents[0]) + i for i in range(9)], abs=rounded)


def test_the_classic_rules_have_declared_spaces_on_every_problem():
    assert set(DEFAULT_LRS) == set(problems.NAMES)
    assert all(set(spaces) == set(DEFAULT_RULES) for spaces in DEFAULT_LRS.values())


def test_a_rule_without_a_declared_space_is_searched_around_its_own_default():
    new = SimpleNamespace(name="new", defaults={"lr": 0.02})
    assert default_lrs("digits", new)[4] == 0.0316  # the nearest half decade
    with pytest.raises(ValueError, match="new has no default learning rate"):
        default_lrs("digits", SimpleNamespace(name="new", defaults={"beta": 0.9}))


def test_any_time_the_work_stops_what_is_done_is_balanced():
    runs = Study.declare().runs()
    spaces = DEFAULT_LRS["digits"]
    assert {(run.rule, run.lr) for run in runs[:6]} == {(rule, spaces[rule][4]) for rule in DEFAULT_RULES}
    for done in range(1, len(runs)):
        counts = Counter(run.rule for run in runs[:done])
        assert max(counts.values()) - min(counts[rule] for rule in DEFAULT_RULES) <= 1
    assert [run.seed for run in runs] == sorted(run.seed for run in runs)
    tried = [spaces["sgd"].index(run.lr) for run in runs if run.rule == "sgd" and run.seed == 0]
    assert tried == [4, 3, 5, 2, 6, 1, 7, 0, 8]


def test_names_and_rates_given_twice_count_once_and_rates_ascend():
    study = small(rules=["adam", "sgd", "adam"], lrs=[0.1, 0.01, 0.1])
    assert study.rules == ("adam", "sgd")
    assert study.lrs == {"adam": (0.01, 0.1), "sgd": (0.01, 0.1)}
    assert len(study.runs()) == 2 * 2 * 2


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"rules": ["adamm"]}, r"'adamm' is not a rule here. Did you mean 'adam'\? Legal: sgd, momentum"),
        ({"rules": ["zzzz"]}, "'zzzz' is not a rule here. Legal: sgd"),
        ({"rules": []}, "at least one rule"),
        ({"problem": "digit"}, r"'digit' is not a problem here. Did you mean 'digits'\?"),
        ({"convention": "bok"}, r"'bok' is not a convention of sgd here. Did you mean 'book'\?"),
        ({"lrs": []}, "at least one"),
        ({"lrs": [0.1, math.nan]}, "finite number above 0, such as 0.01 or 1e-3, not nan"),
        ({"lrs": [math.inf]}, "finite number above 0.*not inf"),
        ({"lrs": [-1.0]}, "finite number above 0.*not -1.0"),
        ({"lrs": [0]}, "finite number above 0.*not 0"),
        ({"lrs": [True]}, "finite number above 0.*not True"),
        ({"lrs": ["abc"]}, "finite number above 0.*not 'abc'"),
        ({"seeds": 0}, "seeds must be a whole number, 1 or more, not 0"),
        ({"seeds": [1, 1]}, "at least one seed and each once"),
        ({"seeds": [-1]}, "a seed must be a whole number, 0 or more, not -1"),
        ({"epochs": 0}, "epochs must be a whole number, 1 or more, not 0"),
        ({"epochs": 2.5}, "epochs must be a whole number, 1 or more, not 2.5"),
        ({"epochs": True}, "epochs must be a whole number, 1 or more, not True"),
    ],
)
def test_what_is_not_legal_is_refused_with_what_is(changes, message):
    with pytest.raises(ValueError, match=message):
        small(**changes)


def test_unequal_budgets_are_refused():
    with pytest.raises(ValueError, match=r"the same number of learning rates.*'sgd': 2, 'adam': 1"):
        dataclasses.replace(small(), lrs={"sgd": (0.1, 1.0), "adam": (0.1,)})
    with pytest.raises(ValueError, match="must name the rules"):
        dataclasses.replace(small(), lrs={"sgd": (0.1, 1.0)})


@pytest.mark.parametrize(
    "changes, command",
    [
        ({}, "thalweg compare --problem ravine --rules sgd,adam --lrs 0.01,0.1 --seeds 2 --epochs 3"),
        ({"rules": None, "lrs": None, "seeds": 3, "epochs": None}, "thalweg compare --problem ravine"),
        ({"problem": "digits", "epochs": 20, "lrs": None, "seeds": 3}, "thalweg compare --rules sgd,adam"),
    ],
)
def test_the_command_is_the_shortest_that_declares_it_again(changes, command):
    assert small(**changes).command == command


def test_what_no_command_line_can_say_is_said_in_python():
    study = small(seeds=[3, 4])
    assert eval(study.command, {"Study": Study}) == study


def changed(config: RunConfig):
    """One variation of each field that decides the result."""
    for name, value in {
        "problem": "digits",
        "problem_config": {**config.problem_config, "start_sd": 0.25},
        "rule": "momentum",
        "convention": "paper",
        "rule_digest": "0" * 64,
        "hyperparams": {**config.hyperparams, "lr": 0.1000000001},
        "seed": 1,
        "epochs": 4,
        "version": "0.1.1",
    }.items():
        yield name, dataclasses.replace(config, **{name: value})


def test_a_key_changes_with_everything_that_decides_the_result_and_with_nothing_else():
    config = small().runs()[0]
    others = dict(changed(config))
    assert set(others) | {"title", "tuned"} == {field.name for field in dataclasses.fields(RunConfig)}
    assert len({config.key, *(other.key for other in others.values())}) == 1 + len(others)
    assert dataclasses.replace(config, title="Another", tuned=()).key == config.key
    assert len({run.key for run in Study.declare().runs()}) == 162


def test_a_key_does_not_depend_on_the_order_of_names():
    config = small(rules=["adam"]).runs()[0].to_json()
    assert len(config["hyperparams"]) > 1
    backwards = {name: config[name] for name in reversed(config)}
    backwards["hyperparams"] = dict(reversed(config["hyperparams"].items()))
    assert record_key(backwards) == record_key(config)


def test_keys_are_the_same_in_every_process_and_after_json():
    runs = small(rules=list(DEFAULT_RULES)).runs()
    program = (
        "import json, sys; from thalweg.lab.study import RunConfig, Study;"
        f"study = Study.declare('ravine', {list(DEFAULT_RULES)}, [0.1, 0.01], 2, 3);"
        "told = [RunConfig.from_json(json.loads(line)) for line in sys.stdin];"
        "assert told == study.runs(); print(json.dumps([run.key for run in told]))"
    )
    lines = "\n".join(json.dumps(run.to_json()) for run in runs)
    done = subprocess.run([sys.executable, "-c", program], input=lines, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [run.key for run in runs]


def test_the_declaration_is_json_and_holds_the_target():
    declared = json.loads(json.dumps(small().to_json(), allow_nan=False))
    assert declared["target"] == problems.get("ravine").target
    assert declared["lrs"] == {"sgd": [0.01, 0.1], "adam": [0.01, 0.1]}
    assert declared["command"] == small().command
