"""Links around a rule: one text made of several, so that every backend sees a rule like any other.

A link is a text that works on `x`, what is passed on, or on `w`, the parameter. Where it stands says what that is:

    gradient   before the rule; x is the gradient.
    step       behind the rule; x is the step, which the last assignment `w = w - (step)` subtracts.
    old        the parameter before the step is taken off it (decoupled decay).
    parameter  behind the step; w is the new parameter.

Beside `x` a link may read `w`, the parameter before the step, and `g`, the gradient as the rule sees it; its numbers
`t` and `lr` are the rule's. Everything else in its signature is a slot or a hyper-parameter of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from thalweg.language import nodes as n
from thalweg.language.errors import RuleError

Place = Literal["gradient", "step", "old", "parameter"]
READ_ONLY = ("w", "g")
RULES_OWN = ("t", "lr")


@dataclass(frozen=True)
class Part:
    """A link where it stands: its text, the place, and what its slots and numbers are called in the chain."""

    name: str
    text: n.Text
    place: Place
    names: Mapping[str, str]


def slots_in(text: n.Text) -> tuple[str, ...]:
    """Return the slots of a link's text."""
    return tuple(name for name in text.signature.arrays[1:] if name not in READ_ONLY)


def compose(rule: n.Text, parts: Sequence[Part]) -> n.Text:
    """Return the text of a rule with links around it; raises RuleError where a link cannot stand where it does."""
    return _Composer(rule, parts).whole()


def measured(rule: n.Text, parts: Sequence[Part], number: str) -> n.Text:
    """Return the text that computes a number and changes nothing else: the last part returns it, and it goes to a slot.

    number: the name of that slot, which is to be declared as shared.
    """
    return _Composer(rule, parts).measure(number)


def gathered(rule: n.Text, parts: Sequence[Part]) -> n.Text:
    """Return the text that runs links on the gradient and keeps what they keep; the parameter stays as it is."""
    return _Composer(rule, parts).gather()


class _Composer:
    def __init__(self, rule: n.Text, parts: Sequence[Part]) -> None:
        self.rule = rule
        self.parts = {place: [p for p in parts if p.place == place] for place in get_args(Place)}
        self.all = parts
        self.w, self.g = rule.signature.arrays[:2]
        self.gradient = self.g
        self.line = rule.source.def_line
        self.taken = set(rule.signature.arrays) | set(rule.signature.numbers) | set(_assigned(rule.body))
        self.body: list[n.Stmt] = []

    def whole(self) -> n.Text:
        self.links_on_gradient()
        if self.g in _assigned(self.rule.body):
            self.gradient = self.free("gradient")
            self.assign(self.gradient, n.Name(self.g))
        last = self.last_of_parameter()
        self.body += self.rule.body[:last]
        self.take_step(self.rule.body[last])
        self.body += self.rule.body[last + 1 :]
        for part in self.parts["parameter"]:
            self.call(part, self.w)
        return self.text(with_rule=True)

    def measure(self, number: str) -> n.Text:
        self.links_on_gradient()
        is_of_step = self.all[-1].place == "step"
        if is_of_step:
            last = self.last_of_parameter()
            self.body += self.rule.body[:last]
            self.split(self.rule.body[last])
        made = self.body.pop()
        assert isinstance(made, n.Assign)
        self.assign(number, made.values[0])
        return self.text(number, with_rule=is_of_step)

    def gather(self) -> n.Text:
        self.links_on_gradient()
        return self.text(with_rule=False)

    # Parts of the text ------------------------------------------------------------------------------------------------

    def links_on_gradient(self) -> None:
        for part in self.parts["gradient"]:
            self.call(part, self.g)

    def assign(self, name: str, value: n.Expr) -> None:
        self.body.append(n.Assign((name,), (value,), self.line))

    def last_of_parameter(self) -> int:
        return max(k for k, s in enumerate(self.rule.body) if self.w in _assigned((s,)))

    def take_step(self, last: n.Stmt) -> None:
        """Append the assignment that takes the step, with links on the step and on the parameter before it."""
        if not self.parts["step"] and not self.parts["old"]:
            self.body.append(last)
            return
        if self.parts["step"]:
            value: n.Expr = n.Bin("-", n.Name(self.w), n.Name(self.split(last)))
        else:
            value = self.value(last, self.parts["old"][0].name)
        if self.parts["old"]:
            old = self.free("old")
            self.assign(old, n.Name(self.w))
            for part in self.parts["old"]:
                self.call(part, old)
            value = _with_leaf(value, n.Name(old))
        self.body.append(n.Assign((self.w,), (value,), last.line))

    def split(self, last: n.Stmt) -> str:
        """Append the step as a name of its own, with the links on it, and return the name."""
        step = self.free("step")
        match last:
            case n.Assign((_,), (n.Bin("+" | "-" as op, n.Name(self.w), taken),)):
                self.body.append(n.Assign((step,), (taken if op == "-" else n.Neg(taken),), last.line))
            case _:
                raise self.refusal(self.parts["step"][0].name, "the step", f"`{self.w} = {self.w} - (step)`")
        for part in self.parts["step"]:
            self.call(part, step)
        return step

    def value(self, last: n.Stmt, link: str) -> n.Expr:
        """Return what the parameter becomes, a sum that begins with the old one."""
        if isinstance(last, n.Assign) and len(last.targets) == 1:
            left = last.values[0]
            while isinstance(left, n.Bin) and left.op in "+-":
                left = left.left
            if left == n.Name(self.w):
                return last.values[0]
        raise self.refusal(link, "the old parameter", f"`{self.w} = {self.w} - ...`")

    def call(self, part: Part, x: str) -> None:
        """Append the call of a link: `x, slots = link(x, ...)`."""
        arrays, numbers = part.text.signature.arrays, part.text.signature.numbers
        # The first argument is what is worked on; the others that are no slots are the rule's parameter and gradient.
        first, own = arrays[0], {arrays[0]: x, "g": self.gradient, "t": "t", "lr": "lr"}
        if first != "w":
            own["w"] = self.w
        known = own | dict(part.names)
        term = replace(part.text, signature=n.Signature((*arrays, *numbers), {}))
        call = n.TermCall(part.name, term, tuple(n.Name(known[name]) for name in (*arrays, *numbers)))
        kept = [r.id for r in part.text.returns[1:] if isinstance(r, n.Name)]
        self.body.append(n.Assign((x, *(known[name] for name in kept)), (call,), self.line))

    def text(self, *more: str, with_rule: bool) -> n.Text:
        """Return the text with the slots of the links, those of the rule where it takes part, and more."""
        signature = self.rule.signature
        slots = list(signature.arrays[2:]) if with_rule else []
        numbers = dict(signature.numbers) if with_rule else {}
        for part in self.all:
            slots += [part.names[slot] for slot in slots_in(part.text)]
            for name, default in part.text.signature.numbers.items():
                numbers.setdefault(name if name in RULES_OWN else part.names[name], default)
        slots += more
        returns = tuple(n.Name(name) for name in (self.w, *slots))
        whole = n.Signature((self.w, self.g, *slots), numbers)
        return n.Text(self.rule.source, whole, tuple(self.body), returns, self.rule.return_line)

    def free(self, name: str) -> str:
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def refusal(self, link: str, what: str, shape: str) -> RuleError:
        problem = (
            f"{link} works on {what}, and the last assignment to `{self.w}` in this text is not of the form {shape}; "
            f"choose another convention of the rule, or leave {link} out"
        )
        line = self.rule.body[self.last_of_parameter()].line
        return self.rule.source.error(line, problem)


def _with_leaf(x: n.Expr, leaf: n.Expr) -> n.Expr:
    """Return a sum with another first summand."""
    return n.Bin(x.op, _with_leaf(x.left, leaf), x.right) if isinstance(x, n.Bin) else leaf


def _assigned(statements: Sequence[n.Stmt]) -> Iterator[str]:
    """Yield every name that is assigned anywhere."""
    for s in statements:
        if isinstance(s, n.Assign):
            yield from s.targets
        else:
            yield from _assigned((*s.body, *s.orelse))
