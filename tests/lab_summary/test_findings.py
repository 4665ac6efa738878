import json
import math
import random

import pytest

from tests.lab_summary.synthetic import realistic, record, study
from thalweg.lab.findings import find
from thalweg.lab.results import median_epoch
from thalweg.lab.summary import summarize


def results(declared, records, timing=None):
    return {rule.rule: rule for rule in find(declared, records, timing).rules}


def runs(rule, lr, values, **more):
    """One run a seed; each of `values` is (final validation, final test), or None for a run that diverged."""
    return [
        record(rule, lr, seed, [0.1, 0.1], diverged="the loss is nan", epochs=2, **more)
        if value is None
        else record(rule, lr, seed, [0.1, 0.5, value[0]], value[1], **more)
        for seed, value in enumerate(values)
    ]


def test_validation_chooses_and_test_reports():
    declared = study({"adam": [0.01, 0.1, 1.0]})
    records = [
        *runs("adam", 0.01, [(0.90, 0.99), (0.90, 0.99), (0.90, 0.99)]),
        *runs("adam", 0.1, [(0.95, 0.91), (0.97, 0.92), (0.93, 0.96)]),
        *runs("adam", 1.0, [(0.20, 0.20), (0.20, 0.20), (0.20, 0.20)]),
    ]
    adam = results(declared, records)["adam"]
    assert adam.best.lr == 0.1
    assert adam.best.validation.centre == pytest.approx(0.95)
    assert (adam.test.centre, adam.test.low, adam.test.high, adam.test.n) == (pytest.approx(0.93), 0.91, 0.96, 3)
    assert adam.name == "Adam[lr]"
    assert adam.fixed == {"beta1": 0.9, "beta2": 0.999}
    assert adam.edge is None


def test_a_diverged_seed_is_worse_than_any_number():
    declared = study({"sgd": [0.01, 0.1, 1.0]})
    records = [
        *runs("sgd", 0.01, [(0.2, 0.2)] * 3),
        *runs("sgd", 0.1, [(0.6, 0.6)] * 3),
        *runs("sgd", 1.0, [(0.99, 0.99), (0.99, 0.99), None]),
    ]
    sgd = results(declared, records)["sgd"]
    assert sgd.best.lr == 0.1
    assert sgd.diverged == 1
    assert sgd.declared == 9


def test_where_every_rate_loses_a_seed_the_best_of_the_rest_is_taken_and_the_loss_is_kept():
    declared = study({"sgd": [0.1, 1.0]})
    records = [*runs("sgd", 0.1, [(0.8, 0.7), None, (0.8, 0.9)]), *runs("sgd", 1.0, [(0.9, 0.9), None, None])]
    sgd = results(declared, records)["sgd"]
    assert sgd.best.lr == 0.1
    assert sgd.best.count("diverged") == 1
    assert (sgd.test.centre, sgd.test.n) == (pytest.approx(0.8), 2)


def test_of_equal_rates_the_smaller_is_taken():
    declared = study({"sgd": [0.01, 0.1, 1.0]}, seeds=1)
    records = [*runs("sgd", 0.01, [(0.5, 0.5)]), *runs("sgd", 1.0, [(0.9, 0.8)]), *runs("sgd", 0.1, [(0.9, 0.7)])]
    assert results(declared, records)["sgd"].best.lr == 0.1


@pytest.mark.parametrize(
    "finals, edge",
    [([0.9, 0.5, 0.5], "lowest"), ([0.5, 0.9, 0.5], None), ([0.5, 0.5, 0.9], "highest"), ([0.9], "only")],
)
def test_the_edge_of_the_range_is_marked(finals, edge):
    rates = [0.001 * 10**i for i in range(len(finals))]
    records = [run for lr, final in zip(rates, finals, strict=True) for run in runs("sgd", lr, [(final, final)])]
    assert results(study({"sgd": rates}, seeds=1), records)["sgd"].edge == edge


def test_epochs_to_the_target_are_first_times_and_misses_are_infinity():
    declared = study({"sgd": [0.1]}, seeds=3, epochs=4)
    curves = [[0.1, 0.5, 0.91, 0.4, 0.92], [0.1, 0.2, 0.3, 0.89, 0.90], [0.1, 0.96, 0.2, 0.2, 0.89]]
    found = find(declared, [record("sgd", 0.1, seed, val) for seed, val in enumerate(curves)], None)
    sgd = found.rules[0]
    by_target = dict(zip(found.measure.targets, (sgd.epochs(t) for t in range(5)), strict=True))
    assert by_target[0.50] == (1, 3, 1)
    assert by_target[0.90] == (2, 4, 1)
    assert by_target[0.95] == (None, None, 1)
    assert found.measure.targets[found.target] == 0.90
    assert median_epoch(by_target[0.90]) == 2
    assert median_epoch(by_target[0.95]) is None


@pytest.mark.parametrize(
    "reached, median",
    [((3,), 3), ((3, 5), 5), ((3, None), None), ((None, 3, 5), 5), ((1, None, 2, 3), 3), ((None,), None), ((), None)],
)
def test_the_median_epoch_is_the_upper_one_with_misses_on_top(reached, median):
    assert median_epoch(reached) == median


def test_a_run_that_reached_the_target_and_then_diverged_has_reached_it():
    declared = study({"sgd": [0.1]}, seeds=2, epochs=5)
    records = [
        record("sgd", 0.1, 0, [0.1, 0.93, 0.95], diverged="the loss is nan", epochs=5),
        record("sgd", 0.1, 1, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
    ]
    found = find(declared, records, None)
    assert found.rules[0].epochs(found.target) == (1, None)


def test_the_good_zone_is_the_longest_stretch_of_rates_at_which_every_seed_reaches_the_target():
    rates = [1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0]
    finals = [(0.95, 0.95), (0.5, 0.95), (0.95, 0.90), (0.97, 0.97), (0.95, 0.92), None]
    records = []
    for lr, pair in zip(rates, finals, strict=True):
        records += runs("sgd", lr, [None, None] if pair is None else [(v, v) for v in pair])
    zone = results(study({"sgd": rates}, seeds=2), records)["sgd"].zone
    assert (zone.low, zone.high, zone.open_ended) == (1e-2, 1.0, False)
    assert zone.decades == pytest.approx(2.0)
    without_the_highest = study({"sgd": rates[:-1]}, seeds=2)
    assert results(without_the_highest, records)["sgd"].zone.open_ended


def test_a_value_is_better_when_lower_and_its_centre_is_the_geometric_mean():
    declared = study({"sgd": [0.1], "adam": [0.1]}, seeds=2, problem="ravine")
    records = [
        *(record("sgd", 0.1, s, [6.0, 1.0, v], problem="ravine") for s, v in enumerate([1e-2, 1e-4])),
        *(record("adam", 0.1, s, [6.0, 1.0, v], problem="ravine") for s, v in enumerate([1e-3, 1e-6])),
    ]
    found = find(declared, records, None)
    assert [rule.rule for rule in found.rules] == ["adam", "sgd"]
    assert results(declared, records)["sgd"].test.centre == pytest.approx(1e-3)
    assert found.pairs[0].difference == pytest.approx(math.log10(1e-3) - math.log10(10**-4.5))
    assert results(declared, records)["sgd"].epochs(found.target) == (2, 2)


def test_pairs_are_tested_seed_by_seed_at_the_best_rates():
    declared = study({"sgd": [0.1], "adam": [0.1], "adagrad": [0.1]})
    records = [
        *runs("sgd", 0.1, [(0.9, 0.90), (0.9, 0.91), (0.9, 0.92)]),
        *runs("adam", 0.1, [(0.9, 0.91), (0.9, 0.93), (0.9, 0.95)]),
        *runs("adagrad", 0.1, [(0.9, 0.94), (0.9, 0.93), (0.9, 0.90)]),
    ]
    found = find(declared, records, None)
    pairs = {(pair.a, pair.b): pair for pair in found.pairs}
    assert [rule.rule for rule in found.rules] == ["adam", "adagrad", "sgd"]
    assert pairs["adam", "sgd"].differences == pytest.approx((0.01, 0.02, 0.03))
    assert pairs["adam", "sgd"].p == 0.25
    assert pairs["adam", "adagrad"].differences == pytest.approx((-0.03, 0.0, 0.05))
    assert pairs["adam", "adagrad"].p == 0.75 + 0.25  # |.02| is reached by every sign pattern of .03 and .05
    assert pairs["adagrad", "sgd"].p == 0.5 + 0.25  # .04 + .02 - .02: six of eight sums are at least .04
    assert [pair.p_holm for pair in found.pairs] == pytest.approx([1.0, 0.75, 1.0])
    assert found.seeds_needed == 7
    assert found.too_few_seeds


def test_a_diverged_run_is_the_worst_score_in_its_pair():
    declared = study({"sgd": [0.1], "adam": [0.1]}, seeds=2)
    records = [*runs("sgd", 0.1, [(0.9, 0.8), (0.9, 0.8)]), *runs("adam", 0.1, [(0.99, 0.99), None])]
    found = find(declared, records, None)
    assert [rule.rule for rule in found.rules] == ["sgd", "adam"]
    assert found.pairs[0].differences == pytest.approx((0.8 - 0.99, 0.8 - 0.0))
    assert not found.pairs[0].finished


def test_a_rule_that_never_finishes_ranks_last_and_still_has_its_pairs():
    declared = study({"sgd": [0.1, 1.0], "adam": [0.1, 1.0]}, seeds=6)
    records = [run for lr in (0.1, 1.0) for run in runs("sgd", lr, [None] * 6)]
    records += [run for lr in (0.1, 1.0) for run in runs("adam", lr, [(0.2, 0.2 + 0.01 * s) for s in range(6)])]
    found = find(declared, records, None)
    assert [rule.rule for rule in found.rules] == ["adam", "sgd"]
    assert found.rules[1].best is None
    assert found.pairs[0].p == 2 / 2**6
    assert found.pairs[0].differs


def test_missing_runs_are_counted_and_do_not_win():
    declared = study({"sgd": [0.1, 1.0], "adam": [0.1]})
    records = [*runs("sgd", 0.1, [(0.8, 0.8)] * 3), *runs("sgd", 1.0, [(0.99, 0.99)])]
    found = find(declared, records, None)
    by_name = {rule.rule: rule for rule in found.rules}
    assert by_name["sgd"].best.lr == 0.1
    assert by_name["sgd"].missing == 2
    assert (by_name["adam"].missing, by_name["adam"].best) == (3, None)
    assert (found.declared, found.missing) == (9, 5)
    assert found.pairs == ()
    assert found.seeds_needed is None


def test_records_of_other_studies_are_left_aside():
    declared = study({"sgd": [0.1]}, seeds=1)
    own = runs("sgd", 0.1, [(0.9, 0.9)])
    others = [
        record("adam", 0.1, 0, [0.1, 0.2, 0.3]),
        record("sgd", 0.2, 0, [0.1, 0.2, 0.3]),
        record("sgd", 0.1, 7, [0.1, 0.2, 0.3]),
        record("sgd", 0.1, 0, [0.1, 0.2, 0.3, 0.4]),
        record("sgd", 0.1, 0, [0.1, 0.2, 0.3], problem="ravine"),
        record("sgd", 0.1, 0, [0.1, 0.2, 0.3]) | {"convention": "torch"},
    ]
    assert find(declared, [*others, *own], None) == find(declared, own, None)


def test_two_records_of_one_cell_are_an_error_that_names_them():
    declared = study({"sgd": [0.1]}, seeds=1)
    twice = [*runs("sgd", 0.1, [(0.9, 0.9)]), record("sgd", 0.1, 0, [0.1, 0.2, 0.3]) | {"key": "f" * 32}]
    with pytest.raises(ValueError, match=f"sgd at lr=0.1 with seed 0: [0-9a-f]{{32}} and {'f' * 32}"):
        find(declared, twice, None)


def test_time_a_step_is_the_median_of_its_repeats():
    declared = study({"sgd": [0.1]}, seeds=1)
    timing = {"sgd": {"seconds_per_step": [3e-6, 1e-6, 9e-6], "params": 12}}
    sgd = results(declared, runs("sgd", 0.1, [(0.9, 0.9)]), timing)["sgd"]
    assert (sgd.step.centre, sgd.step.low, sgd.step.high, sgd.step.n) == (3e-6, 1e-6, 9e-6, 3)
    assert sgd.params == 12


@pytest.mark.parametrize("problem", ["digits", "ravine"])
def test_the_order_of_records_and_rules_does_not_matter(problem):
    declared, records, timing = realistic(problem)
    shuffled = list(records)
    random.Random(3).shuffle(shuffled)
    assert summarize(declared, shuffled, timing) == summarize(declared, records, timing)
    turned = study({rule: declared.lrs[rule] for rule in reversed(declared.rules)}, 3, declared.epochs, problem)
    assert summarize(turned, records, timing) == summarize(declared, records, timing)


@pytest.mark.parametrize("problem", ["digits", "ravine"])
def test_json_says_everything_and_holds_no_nan(problem):
    summary = summarize(*realistic(problem))
    text = json.dumps(summary.to_json(), allow_nan=False)
    values = json.loads(text)
    assert values["runs"]["declared"] == 162
    assert [rule["rule"] for rule in values["rules"]] == [rule.rule for rule in summary.findings.rules]
    assert values["seeds_needed"] == 10
    assert len(values["pairs"]) == 15
    assert values["rules"][0]["best_lr"] == summary.findings.rules[0].best.lr
    assert values["headline"] in values["verdict"]
    assert summarize(*realistic(problem)).to_json() == summary.to_json()


def test_json_of_a_study_without_records():
    declared = study({"sgd": [0.1], "adam": [0.1]})
    values = json.loads(json.dumps(summarize(declared, [], None).to_json(), allow_nan=False))
    assert values["runs"] == {"declared": 6, "missing": 6, "diverged": 0}
    assert values["rules"][0]["test"] is None
