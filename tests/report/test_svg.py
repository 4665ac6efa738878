import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.report import axes, svg
from thalweg.report.style import RULE_STYLES, styles
from thalweg.report.svg import Scale


def test_a_scale_maps_its_ends_and_keeps_the_rest_inside():
    scale = Scale(1e-3, 10.0, 20.0, 120.0, svg.log10)
    assert (scale(1e-3), scale(10.0), scale(0.1)) == pytest.approx((20.0, 120.0, 70.0))
    assert (scale(1e-9), scale(0.0), scale(1e9)) == (20.0, 20.0, 120.0)
    turned = Scale(0, 4, 100, 0)
    assert (turned(0), turned(1), turned(4)) == (100, 75, 0)


def test_the_scale_of_accuracies_is_that_of_the_error():
    steps = [svg.log_error(b) - svg.log_error(a) for a, b in [(0.8, 0.9), (0.98, 0.99), (0.0, 0.5)]]
    assert steps == pytest.approx([steps[0]] * 3)
    assert svg.log_error(1.0) < 5  # a perfect accuracy has a place too


@pytest.mark.parametrize("high", [1, 2, 3, 7, 20, 30, 100, 12345])
def test_whole_ticks_start_at_nought_are_even_and_few(high):
    ticks = svg.whole_ticks(high)
    assert ticks[0] == 0
    assert ticks[-1] <= high
    assert 2 <= len(ticks) <= 6
    assert len({b - a for a, b in itertools.pairwise(ticks)}) == 1


@pytest.mark.parametrize("low, high", [(1e-5, 10.0), (1e-12, 1e4), (0.02, 0.5), (1e-300, 1e300)])
def test_power_ticks_are_powers_inside_the_range_and_few(low, high):
    ticks = svg.power_ticks(low, high)
    assert 1 <= len(ticks) <= 6
    assert all(low * 0.999 <= tick <= high * 1.001 for tick in ticks)


@given(st.lists(st.floats(-50, 250), max_size=12), st.floats(5, 15))
def test_labels_do_not_collide_stay_inside_and_keep_their_order(positions, gap):
    placed = svg.spaced(positions, gap, 0, 200)
    room = min(gap, 200 / max(len(positions) - 1, 1))
    ordered = [place for _, place in sorted(zip(positions, placed, strict=True), key=lambda pair: pair[0])]
    assert all(b - a >= room - 1e-9 for a, b in itertools.pairwise(ordered))
    assert all(-1e-9 <= place <= 200 + 1e-9 for place in placed)


@given(st.lists(st.floats(0, 200), min_size=1, max_size=8))
def test_labels_with_room_stay_where_they_are(positions):
    positions = sorted(positions)
    if all(b - a >= 10 for a, b in itertools.pairwise(positions)):
        assert svg.spaced(positions, 10, 0, 200) == pytest.approx(positions)


def test_two_labels_at_one_place_part_evenly():
    assert svg.spaced([100, 100, 30], 12, 0, 200) == pytest.approx([94, 106, 30])


def test_a_line_has_gaps_where_there_is_nothing():
    path = svg.line([(0, 0), (1, 1), None, (3, 3), (4, 4)], "seed")
    assert 'd="M0 0L1 1M3 3L4 4"' in path


def test_every_classic_rule_has_a_colour_a_dash_and_a_marker_of_its_own():
    for look in ("colour", "dash", "marker"):
        assert len({getattr(style, look) for style in RULE_STYLES.values()}) == 6


def test_a_rule_looks_the_same_whatever_it_is_compared_with():
    assert styles(["adam"])["adam"] == styles(["sgd", "mine", "adam"])["adam"]
    new = styles(["b", "a", "adam"])
    assert new == styles(["a", "adam", "b"])
    assert len({(style.colour, style.dash, style.marker) for style in new.values()}) == 3


def test_a_loss_axis_names_its_floor():
    axis = axes.loss_axis([1e-48, 3.0])
    assert axis.ticks[0] == (1e-12, "≤ 1e-12")
    assert axis.scale(0, 100)(1e-48) == 0
    assert "≤" not in "".join(words for _, words in axes.loss_axis([1e-4, 3.0]).ticks)


@pytest.mark.parametrize("values", [[2.3, 2.4], [0.5], [1e-3, 1e3], []])
def test_a_loss_axis_has_at_least_one_tick(values):
    axis = axes.loss_axis(values)
    assert axis.ticks
    assert all(axis.low <= tick <= axis.high for tick, _ in axis.ticks)


@pytest.mark.parametrize("rates", [[0.01], [0.01, 0.02], [1e-5, 10.0]])
def test_an_axis_of_rates_holds_them_all(rates):
    axis = axes.rate_axis(rates)
    assert axis.ticks
    assert axis.low < min(rates)
    assert max(rates) < axis.high
