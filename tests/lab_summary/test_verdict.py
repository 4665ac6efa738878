import pytest

from tests.lab_summary.synthetic import realistic, record, study
from thalweg.lab.summary import summarize


def accuracies(by_rule, **more):
    """A summary of rules with one rate each; `by_rule`: rule -> the test accuracy of each seed, None if diverged."""
    seeds = max(map(len, by_rule.values()))
    declared = study({rule: [0.01] for rule in by_rule}, seeds, **more)
    records = [
        record(rule, 0.01, seed, [0.1, 0.1], diverged="the loss is nan", epochs=2)
        if value is None
        else record(rule, 0.01, seed, [0.1, 0.5, value])
        for rule, values in by_rule.items()
        for seed, value in enumerate(values)
    ]
    return summarize(declared, records, None)


def test_six_rules_with_three_seeds_are_too_few_to_tell_and_ten_are_needed():
    summary = summarize(*realistic(seeds=3))
    assert "too few seeds to tell (3; 10 needed)." in summary.verdict.headline
    assert not any(pair.differs for pair in summary.findings.pairs)


def test_two_rules_need_six_seeds_however_clear_the_difference():
    clear = {"adam": [0.9, 0.91, 0.92, 0.93, 0.94], "sgd": [0.1, 0.11, 0.12, 0.13, 0.14]}
    assert "too few seeds to tell (5; 6 needed)." in accuracies(clear).verdict.headline
    clear = {rule: [*values, values[-1] + 0.01] for rule, values in clear.items()}
    assert accuracies(clear).verdict.headline == "Adam is better than the other rule on the digits (6 seeds, 5% level)."


def test_a_rule_that_wins_every_seed_is_better_than_each():
    wins = {
        name: [0.9 - 0.1 * i + 0.001 * seed for seed in range(10)] for i, name in enumerate(["adam", "sgd", "momentum"])
    }
    verdict = accuracies(wins).verdict
    assert verdict.headline == "Adam is better than each of the other two rules on the digits (10 seeds, 5% level)."
    assert "Of three pairs of rules, three can be told apart" in verdict.text


def test_rules_that_cannot_be_told_apart_are_named():
    base = [0.900, 0.905, 0.910, 0.915, 0.920, 0.925, 0.930, 0.935, 0.940, 0.945]
    near = [v + (0.004 if i % 2 else -0.005) for i, v in enumerate(base)]
    far = [v - 0.1 for v in base]
    headline = accuracies({"sgd": far, "adam": base, "adagrad": near}).verdict.headline
    assert headline == (
        "Adam is better than SGD on the digits, and cannot be told apart from AdaGrad (10 seeds, 5% level)."
    )
    headline = accuracies({"adam": base, "adagrad": near}).verdict.headline
    assert headline == (
        "Adam came first on the digits with a test accuracy of 0.922, but the others cannot be told apart from it "
        "(10 seeds, 5% level)."
    )


def test_equal_rules_share_the_first_place():
    headline = accuracies({"adam": [0.9, 0.8], "sgd": [0.8, 0.9], "momentum": [0.1, 0.1]}).verdict.headline
    assert headline.startswith("Adam and SGD share first place on the digits with a test accuracy of 0.850, but")


def test_one_rule_alone_has_nobody_to_be_compared_with():
    verdict = accuracies({"adam": [0.9, 0.8]}).verdict
    assert "Adam alone was tried" in verdict.headline
    assert "seeds to tell" not in verdict.text


def test_nothing_finished_and_nothing_run():
    assert "all of them diverged" in accuracies({"adam": [None], "sgd": [None]}).verdict.headline
    nothing = summarize(study({"adam": [0.1], "sgd": [0.1]}), [], None)
    assert "No run has finished yet" in nothing.verdict.headline
    assert any("Not complete: 0 of 6 runs" in warning for warning in nothing.warnings)


def test_seeds_that_diverge_at_the_best_rate_are_told():
    summary = accuracies({"adam": [0.9, None, 0.9], "sgd": [None, None, None]})
    assert "There 1 of 3 seeds diverged." in summary.verdict.text
    assert "SGD did not finish a single run." in summary.verdict.text
    assert any(warning.startswith("Adam diverges at its own best rate: 1 of 3 seeds") for warning in summary.warnings)


def test_the_way_to_the_target_is_told_with_those_who_are_first():
    summary = accuracies({"adam": [0.95], "sgd": [0.92], "momentum": [0.5]})
    assert "Adam and SGD reach the target, validation accuracy ≥ 0.90, first, after 2 epochs." in summary.verdict.text
    assert "No rule reaches the target" in accuracies({"adam": [0.5], "sgd": [0.4]}).verdict.text


def test_warnings_of_a_real_study():
    declared, records, timing = realistic()
    (warning,) = summarize(declared, records, timing).warnings
    assert warning.startswith("The seeds that chose the learning rates also gave the results")
    warned = " ".join(summarize(declared, records[:-30], None).warnings)
    assert "Not complete: 132 of 162 runs" in warned
    assert "times are not comparable" in warned


@pytest.mark.parametrize("rates, word, other", [([0.1, 1.0], "lowest", "lower"), ([0.001, 0.1], "highest", "higher")])
def test_a_best_rate_on_the_edge_is_a_warning_that_says_what_to_do(rates, word, other):
    records = [record("adam", lr, 0, [0.1, 0.5, 0.9 if lr == 0.1 else 0.2]) for lr in rates]
    warning = summarize(study({"adam": rates}, 1), records, None).warnings[0]
    assert warning.startswith(f"Adam's best rate, 0.1, is the {word} of its range: a {other} one may be better still.")
    assert "--lrs" in warning


def test_one_rate_is_not_tuned_and_one_seed_shows_no_spread():
    warned = " ".join(accuracies({"adam": [0.9]}).warnings)
    assert "Adam was tried at one learning rate, 0.01: it is not tuned." in warned
    assert "One seed shows no spread" in warned
    assert "seeds that chose" not in warned


def test_records_of_different_versions_and_machines_are_told():
    declared, records, timing = realistic()
    records[0] = records[0] | {"version": "0.0.9", "machine": records[0]["machine"] | {"cores": 64}}
    warned = " ".join(summarize(declared, records, timing).warnings)
    assert "different versions of thalweg: 0.0.9 and 0.1.0" in warned
    assert "different machines" in warned


HOUSE_RULES = [
    "Equal declared budget for each rule",
    "The tuned subset is part of the name",
    "The search space is printed",
    "No best value on the edge of its range",
    "Tuning seeds differ from evaluation seeds",
    "Validation chooses, test reports",
    "The target is fixed before looking, with a sweep beside it",
    "A miss is infinity, and is counted",
    "Diverged runs are never dropped",
    "Cost in at least two units",
    "Timings are measured alone, or marked",
    "Every seed is visible when there are fewer than ten",
    "Ranges carry their name",
    "The claim comes from the exact paired sign-flip test with Holm's correction",
    "With too few seeds to tell, the verdict says so",
]


def statuses(summary):
    return {check.rule: check.status for check in summary.checks}


def test_every_rule_of_the_house_is_checked_and_gives_its_reason():
    summary = summarize(*realistic())
    assert [check.rule for check in summary.checks] == HOUSE_RULES
    assert all(check.why.endswith(".") for check in summary.checks)
    unmet = {rule for rule, status in statuses(summary).items() if status != "met"}
    assert unmet == {"Tuning seeds differ from evaluation seeds"}


def test_a_check_that_is_not_met_says_so():
    declared, records, _ = realistic()
    found = statuses(summarize(declared, records[:-1], None))
    assert found["Equal declared budget for each rule"] == "not met"
    assert found["Cost in at least two units"] == "not met"
    on_edge = statuses(summarize(study({"adam": [0.1, 1.0]}, 1), [record("adam", 0.1, 0, [0.1, 0.5, 0.9])], None))
    assert on_edge["No best value on the edge of its range"] == "not met"


def test_a_surface_has_no_data_to_hold_out():
    found = statuses(summarize(*realistic("ravine")))
    assert found["Validation chooses, test reports"] == "does not apply"
