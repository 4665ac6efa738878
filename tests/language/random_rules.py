"""Rules drawn at random: texts of any statements, words and kinds of state that the language has."""

from __future__ import annotations

import random

import thalweg as tw

LEVELS = {"S": "S", "M": "SM", "T": "SMT"}  # step, model, tensor: what a number may be made of
REDUCTIONS = ("sum", "mean", "norm", "rms", "amax")
KINDS = {
    "A": (tw.full("eps"), tw.copy("w"), tw.full(0.0)),
    "T": (tw.number("beta"),),
    "M": (tw.shared(1.5),),
    "R": (tw.rows(0.25),),
    "C": (tw.columns("lr"),),
}
NAMES = ("x", "y", "z", "i", "row", "lo", "T", "size", "c", "n", "r", "b", "p", "stop", "buffer_0", "nan")


class Draw:
    """One rule: `text` and `state`. Letters are kinds: numbers S M T, arrays A, one number a row R or a column C."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.axes = self.random.random() < 0.35
        letters = "AAATM" + "RRCC" * self.axes
        self.slots = {f"s{k}": self.random.choice(letters) for k in range(self.random.randint(0, 4))}
        self.state = {name: self.random.choice(KINDS[letter]) for name, letter in self.slots.items()}
        self.known = {"w": "A", "g": "A", **self.slots, **dict.fromkeys(["t", "lr", "beta", "eps"], "S")}
        self.in_branch = False
        lines = [line for _ in range(self.random.randint(1, 4)) for line in self.statement("    ")]
        arrays = [name for name, letter in self.slots.items() if letter == "A"]
        if len(arrays) > 1:
            lines.append(f"    {arrays[0]}, {arrays[1]} = {arrays[1]}, {arrays[0]}")
        lines += [f"    {name} = 0.5 * {name} + {self.value(letter, 2)}" for name, letter in self.slots.items()]
        lines.append(f"    w = w - lr * {self.array('A', 3)} - g * beta * eps")
        names = ", ".join(["w", *self.slots])
        head = f"def drawn({', '.join(['w', 'g', *self.slots])}, *, t, lr=0.1, beta=0.5, eps=1e-3):"
        self.text = "\n".join([head, *lines, f"    return {names}"])

    def pick(self, *choices):
        """Return one of several texts; each is a function, so that only one is drawn."""
        return self.random.choice(choices)()

    def name(self, letters):
        return self.random.choice([name for name, letter in self.known.items() if letter in letters])

    def statement(self, indent):
        target = self.random.choice(NAMES)
        if self.in_branch or self.random.random() < 0.7:
            letter = self.random.choice("AAATMS" + "RC" * self.axes)
            line = f"{indent}{target} = {self.value(letter, 3)}"
            self.known[target] = letter
            return [line]
        letter = self.random.choice("AT")
        out, before = [f"{indent}if {self.condition('T', 2)}:"], dict(self.known)
        self.in_branch = True
        for k in range(2):
            inner = f"{indent}    "
            out += [f"{indent}else:"] if k else []
            out.append(f"{inner}{target} = {self.value(letter, 2)}")
            self.known[target] = letter
            if self.random.random() < 0.4:
                out += [f"{inner}if {self.condition('T', 1)}:", f"{inner}    {target} = {self.value(letter, 1)}"]
                out += [f"{inner}else:", f"{inner}    {target} = {target}"]
            self.known = dict(before)
        self.in_branch = False
        self.known[target] = letter
        return out

    def value(self, letter, depth, *, lazy=False):
        return self.number(letter, depth, lazy=lazy) if letter in LEVELS else self.array(letter, depth, lazy=lazy)

    def literal(self):
        return self.random.choice(["1", "2", "0.5", "0.0", "-0.0", "3", "-1", "1e-3", "-2.5", "16777217"])

    def number(self, level, depth, *, lazy=False):
        """A number of a level or below; `lazy` where it may be left unevaluated, so that no total stands in it."""
        if depth <= 0:
            return self.pick(self.literal, lambda: self.name(LEVELS[level]))

        def x():
            return self.number(level, depth - 1, lazy=lazy)

        choices = [
            lambda: f"({x()} {self.random.choice('+-*')} {x()})",
            lambda: f"({x()} / ({x()} + 1.7))",
            lambda: f"sqrt(abs({x()}))",
            lambda: f"{self.random.choice(['maximum', 'minimum'])}({x()}, {x()})",
            lambda: f"{self.random.choice(['sign', 'square', '-'])}({x()})",
            lambda: f"(abs({x()}) + 0.1)**{self.random.choice(['2', '0.5', '-1'])}",
            lambda: (
                f"({self.number(level, depth - 1, lazy=True)} if {self.condition(level, depth - 1, lazy=lazy)} else "
                f"{self.number(level, depth - 1, lazy=True)})"
            ),
            x,
        ]
        if level == "T":
            choices += [
                lambda: f"{self.random.choice(REDUCTIONS)}({self.array(self.shape(), depth - 1, lazy=lazy)})"
            ] * 3
        if level != "S" and not lazy and not self.in_branch:
            choices.append(lambda: f"total({self.number('T', depth - 1)})")
        return self.pick(*choices)

    def condition(self, level, depth, *, lazy=False):
        def compare(k):
            return f"{self.number(level, k, lazy=lazy)} {self.random.choice(['<', '<=', '>', '>=', '==', '!='])} "

        later = self.number(level, depth - 1, lazy=True)
        if depth <= 0:
            return compare(0) + self.literal()
        return self.pick(
            lambda: compare(depth - 1) + self.number(level, depth - 1, lazy=lazy),
            lambda: f"(({compare(depth - 1)}{self.literal()}) {self.random.choice(['and', 'or'])} {later} > 0)",
            lambda: f"(not {self.number(level, depth - 1, lazy=lazy)})",
            lambda: f"{self.literal()} < {self.number(level, 0)} <= {self.number(level, 0)}",
        )

    def shape(self):
        return self.random.choice("AARC") if self.axes else "A"

    def array(self, letter, depth, *, lazy=False):
        if depth <= 0:
            if letter in self.known.values():
                return self.name(letter)
            return f"{self.random.choice(REDUCTIONS)}({self.name('A')}, axis={-1 if letter == 'R' else -2})"

        def x():
            return self.array(letter, depth - 1, lazy=lazy)

        def y():
            narrow = self.shape() if letter == "A" else letter
            return self.pick(
                lambda: self.number("T", depth - 1, lazy=lazy), x, lambda: self.array(narrow, depth - 1, lazy=lazy)
            )

        def late():
            return self.array(letter, depth - 1, lazy=True)

        def other():
            return self.pick(late, lambda: self.number("T", 1, lazy=True))

        choices = [
            lambda: f"({x()} {self.random.choice('+-*')} {y()})",
            lambda: f"({y()} - {x()})",
            lambda: f"({x()} / ({y()} + 1.3))",
            lambda: f"sqrt(abs({x()}))",
            lambda: f"{self.random.choice(['maximum', 'minimum'])}({y()}, {x()})",
            lambda: f"clip({x()}, {y()}, {y()})",
            lambda: f"{self.random.choice(['sign', 'abs', '-', 'square'])}({x()})",
            lambda: f"({x()})**{self.random.choice(['2', '0.5', '-1'])}",
            lambda: f"where({x()} {self.random.choice(['<', '>=', '==', '!='])} {y()}, {x()}, {y()})",
            lambda: f"({late()} if {self.condition('T', depth - 1, lazy=lazy)} else {other()})",
        ]
        if letter in "RC":
            axis = -1 if letter == "R" else -2
            choices += [
                lambda: f"{self.random.choice(REDUCTIONS)}({self.array('A', depth - 1, lazy=lazy)}, axis={axis})"
            ] * 3
        return self.pick(*choices)
