import pytest

from thalweg.lab import formats


@pytest.mark.parametrize(
    "value, text",
    [
        (0.00316, "0.00316"),
        (0.001, "0.001"),
        (0.000316, "3.16e-4"),
        (1e-5, "1e-5"),
        (0.0031622776601683794, "0.00316"),
        (10.0, "10"),
        (31.6, "31.6"),
        (0.5, "0.5"),
        (0.09996, "0.1"),
        (0.00099999, "0.001"),
        (1234.0, "1234"),
        (12345.0, "1.23e4"),
        (0.0, "0"),
        (-0.25, "-0.25"),
    ],
)
def test_numbers(value, text):
    assert formats.number(value) == text


@pytest.mark.parametrize("value, text", [(0.104, "0.10"), (4e-30, "4.0e-30"), (0.35, "0.35"), (12.0, "12"), (0.0, "0")])
def test_measured_numbers_keep_the_noughts_that_they_know(value, text):
    assert formats.measured(value, 2) == text


@pytest.mark.parametrize(
    "seconds, text",
    [(12.34e-6, "12.3 µs"), (1.04e-3, "1.04 ms"), (2.5, "2.50 s"), (85e-9, "85.0 ns"), (1e-6, "1.00 µs")],
)
def test_durations(seconds, text):
    assert formats.duration(seconds) == text


@pytest.mark.parametrize(
    "reached, median, text",
    [((3, 4, 4), 4, "4"), ((3, 4, None), 4, "4 (1 never)"), ((3, None, None), None, "never (2 of 3)")],
)
def test_epochs(reached, median, text):
    assert formats.epochs(reached, median) == text


def test_words():
    assert formats.listing(["A"]) == "A"
    assert formats.listing(["A", "B", "C"]) == "A, B and C"
    assert formats.plural(1, "seed") == "1 seed"
    assert formats.plural(3, "seed") == "3 seeds"
    assert formats.numeral(6) == "six"
    assert formats.numeral(162) == "162"
    assert formats.signed("-0.004") == "\N{MINUS SIGN}0.004"
    assert formats.signed("0.004") == "+0.004"
