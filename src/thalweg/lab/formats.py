"""How numbers read, in one place: the terminal, the page and the verdict print the same digits for the same number."""

from __future__ import annotations

from collections.abc import Sequence

NUMERALS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def number(value: float, digits: int = 3) -> str:
    """`digits` significant digits: plain from 0.001 to 9999 (0.00316, 12.5), else as 3.16e-4, 1e-5."""
    text, power, exponent = measured(value, digits).partition("e")
    return (text.rstrip("0").rstrip(".") if "." in text else text) + power + exponent


def measured(value: float, digits: int = 3) -> str:
    """As `number`, with the noughts at the end that say how many digits are known: 0.100, 4.00e-5."""
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    if value == 0 or 1e-3 <= abs(float(f"{mantissa}e{exponent}")) < 1e4:
        return f"{value:.{max(digits - 1 - int(exponent), 0)}f}" if value else "0"
    return f"{mantissa}e{int(exponent)}"


def signed(text: str) -> str:
    """A number's text with its sign always shown, and a true minus, so that columns of differences line up."""
    return text.replace("-", "\N{MINUS SIGN}", 1) if text.startswith("-") else f"+{text}"


def duration(seconds: float) -> str:
    """Three digits and a unit: 12.3 µs, 1.04 ms, 2.5 s."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{measured(seconds / size)} {unit}"
    return f"{measured(seconds / 1e-9)} ns"


def of(part: int, whole: int) -> str:
    """A count with what it is a count of: 3 of 27."""
    return f"{part} of {whole}"


def epochs(reached: Sequence[int | None], median: int | None) -> str:
    """Epochs to a target over seeds, a miss (None) being infinity: `4`, `4 (1 never)`, `never (2 of 3)`.

    `median` is that of `reached`, None for infinity.
    """
    missed = sum(epoch is None for epoch in reached)
    if median is None:
        return f"never ({of(missed, len(reached))})"
    return f"{median} ({missed} never)" if missed else str(median)


def numeral(count: int) -> str:
    """A count inside a sentence: words up to twelve."""
    return NUMERALS[count] if 0 <= count < len(NUMERALS) else str(count)


def plural(count: int, noun: str) -> str:
    """`1 seed`, `3 seeds`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listing(names: Sequence[str]) -> str:
    """`A`, `A and B`, `A, B and C`."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
