"""How a rule is transcribed once more from its paper: in mpmath at 50 digits, element by element, apart from thalweg.

`@paper(rule, *conventions, equation=..., level=..., other=...)` keeps a function in PAPERS under (rule, convention):

- level "element": `f(w, g, s, t, **numbers) -> w`, where w and g are numbers and s is what is kept for this element;
- level "tensor": the same, where w and g are the elements of one tensor in a list, in C order; its shape too, under
  that name, where the function takes it;
- level "matrix": the same, where w and g are the rows of one matrix, lists of lists; a vector does not reach it;
- level "model": the same, where w and g are lists of such lists of elements, one for each tensor in the order of names.

s is a dict in which what is missing is zero; t is the number of the step, 1, 2, ...; numbers are the hyper-parameters
under the names that they have in thalweg, and `value`, the loss of the step, where the function takes it. An element
also gets `hessian`, its second derivative or None, where the function takes it. In s["doubt"] a function may sum up how
far roundings can have carried our steps, where that is more than what holds for all.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mpmath import mp, mpf

mp.dps = 50
ZERO = mpf(0)
ONE = mpf(1)
DECADES = 12.0


@dataclass(frozen=True)
class Paper:
    """A transcription.

    equation: where it stands. other: a value for every hyper-parameter that is not its default. average: what s holds
    the point of evaluation under (levels element and tensor), where the rule has one. decades: over which gradients are
    spread; over fewer than DECADES where that is needed for every slip to be noticed. at_edges: what may differ in the
    runs of edges besides.

    later: what other numbers change to halfway; "t", the number of the step, too. edges: numbers beside the others for
    more runs, such as an eps of zero. idle: how many steps at the beginning of these have gradients of zero throughout.
    swing: over how many decades the gradients of a tensor go together from step to step. from_zero: start the run of
    the defaults at zero. wide_eps: what eps is in the run of the defaults over DECADES, where its default is nothing
    beside the squares of gradients, so that the method leaves no digit.
    """

    rule: str
    convention: str
    equation: str
    level: str
    function: Callable[..., Any]
    other: dict[str, float] = field(default_factory=dict)
    average: str | None = None
    decades: float = DECADES
    at_edges: float = 0.0
    later: dict[str, float] = field(default_factory=dict)
    edges: tuple[dict[str, float], ...] = ()
    idle: int = 0
    swing: float = 0.0
    from_zero: bool = False
    wide_eps: float | None = None

    @property
    def runs(self) -> dict[str, dict[str, float]]:
        """The numbers of each run that there is, by its name; those that are left out have their defaults."""
        beside = {f"edge {i}": {**self.other, **edge} for i, edge in enumerate(self.edges, 1)}
        return {"defaults": {}, "other": self.other, **beside}

    @property
    def wide(self) -> dict[str, dict[str, float]]:
        """The numbers of two more runs over DECADES, where the others span fewer; no slip needs them to be noticed."""
        more = {} if self.wide_eps is None else {"eps": self.wide_eps}
        return {} if self.decades >= DECADES else {"wide": self.other, "wide defaults": more}

    @property
    def needs_hessian(self) -> bool:
        """Whether it takes the diagonal of the Hessian."""
        return "hessian" in inspect.signature(self.function).parameters

    @property
    def needs_value(self) -> bool:
        """Whether it takes the loss of the step."""
        return "value" in inspect.signature(self.function).parameters

    @property
    def needs_shape(self) -> bool:
        """Whether it takes the shape of the tensor."""
        return "shape" in inspect.signature(self.function).parameters


PAPERS: dict[tuple[str, str], Paper] = {}


def paper(
    rule: str,
    *conventions: str,
    equation: str,
    level: str = "element",
    other: dict[str, float] | None = None,
    average: str | None = None,
    decades: float = DECADES,
    at_edges: float = 0.0,
    later: dict[str, float] | None = None,
    edges: Sequence[dict[str, float]] = (),
    idle: int = 0,
    swing: float = 0.0,
    from_zero: bool = False,
    wide_eps: float | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Keep a transcription of a rule for these conventions. equation: paper, section, number of the equation."""

    def keep(function: Callable[..., Any]) -> Callable[..., Any]:
        for convention in conventions:
            assert (rule, convention) not in PAPERS, f"{rule}[{convention}] is transcribed twice"
            PAPERS[rule, convention] = Paper(
                rule, convention, equation, level, function, other or {}, average, decades, at_edges,
                later or {}, tuple(edges), idle, swing, from_zero, wide_eps,
            )  # fmt: skip
        return function

    return keep


def fresh() -> dict[str, Any]:
    """What is kept, before the first step."""
    return defaultdict(lambda: ZERO)


class Transcribed:
    """A transcription at work, on the tensors of a model: name -> nested list of mpf, of any depth."""

    def __init__(self, of: Paper, **numbers: float) -> None:
        self.paper = of
        self.numbers = {name: mpf(x) for name, x in numbers.items()}
        self.kept: dict[Any, dict[str, Any]] = defaultdict(fresh)
        self.t = 0

    def doubt(self, name: str) -> float:
        """How far roundings may have carried this tensor in ours; zero where the transcription says nothing of it."""
        return float(self.kept[name]["doubt"])

    def change(self, numbers: dict[str, float]) -> None:
        """Go on with other numbers; "t": the number of the step that comes next."""
        self.numbers |= {name: mpf(x) for name, x in numbers.items() if name != "t"}
        self.t = int(numbers.get("t", self.t + 1)) - 1

    def update(
        self,
        params: dict[str, list[Any]],
        grads: dict[str, list[Any]],
        shapes: dict[str, tuple[int, ...]],
        value: float | None = None,
        hessian: dict[str, list[Any]] | None = None,
    ) -> None:
        """Take one step. params: name -> flat list of mpf, in C order, which is changed; grads: flat lists."""
        self.t += 1
        more = dict(self.numbers) | ({"value": mpf(value)} if self.paper.needs_value else {})
        f, t = self.paper.function, self.t
        names = list(params)
        match self.paper.level:
            case "element":
                for name in names:
                    seconds = [
                        {"hessian": None if hessian is None else hessian[name][i]} if self.paper.needs_hessian else {}
                        for i in range(len(params[name]))
                    ]
                    params[name][:] = [
                        f(w, g, self.kept[name, i], t, **seconds[i], **more)
                        for i, (w, g) in enumerate(zip(params[name], grads[name], strict=True))
                    ]
            case "tensor":
                for name in names:
                    shape = {"shape": shapes[name]} if self.paper.needs_shape else {}
                    params[name][:] = f(list(params[name]), list(grads[name]), self.kept[name], t, **shape, **more)
            case "matrix":
                for name in names:
                    n = shapes[name][-1]
                    w, g = ([list(x[i : i + n]) for i in range(0, len(x), n)] for x in (params[name], grads[name]))
                    params[name][:] = [x for row in f(w, g, self.kept[name], t, **more) for x in row]
            case "model":
                new = f([list(params[n]) for n in names], [list(grads[n]) for n in names], self.kept[None], t, **more)
                for name, one in zip(names, new, strict=True):
                    params[name][:] = one
            case level:
                raise ValueError(level)
