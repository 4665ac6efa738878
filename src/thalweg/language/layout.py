"""A rule for matrices of the other layout: the same text on the transposed parameter and gradient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from thalweg.language import nodes as n
from thalweg.language.state import Slot


def flipped(text: n.Text) -> n.Text:
    """Return the text that transposes the parameter and its gradient, does what `text` does, and transposes back.

    Slots stay as the rule knows them, in its own layout (see `flipped_slots`). A last assignment `w = w - (step)` keeps
    that form, which links on the step ask for.
    """
    w, g = text.signature.arrays[:2]
    first = text.source.def_line
    inner = {w: f"{w}__in", g: f"{g}__in"}

    def rename(x: n.Expr) -> n.Expr:
        return n.Name(inner.get(x.id, x.id)) if isinstance(x, n.Name) else n.rebuild(x, rename)

    body = [n.Assign((inner[name],), (_turned(n.Name(name)),), first) for name in (w, g)]
    last = max(k for k, s in enumerate(text.body) if w in n.assigned((s,)))
    is_only = not any(w in n.assigned((s,)) for k, s in enumerate(text.body) if k != last)
    for k, s in enumerate(text.body):
        match s:
            case n.Assign((_,), (n.Bin("+" | "-" as op, n.Name(left), step),)) if k == last and is_only and left == w:
                body.append(n.Assign((w,), (n.Bin(op, n.Name(w), _turned(rename(step))),), s.line))
                if any(_reads(later, w) for later in text.body[k + 1 :]):
                    body.append(n.Assign((inner[w],), (_turned(n.Name(w)),), s.line))
            case _:
                body.append(_targets(n.map_expressions(s, rename), inner))  # type: ignore[arg-type]
                if k == last:
                    body.append(n.Assign((w,), (_turned(n.Name(inner[w])),), s.line))
    return replace(text, body=tuple(body))


def flipped_slots(slots: Mapping[str, Slot]) -> dict[str, Slot]:
    """Return the slots of a flipped text, in the shapes of the transposed parameter."""
    return {name: replace(slot, flipped=not slot.flipped) for name, slot in slots.items()}


def _turned(x: n.Expr) -> n.Expr:
    return n.Call("transpose", (x,))


def _reads(s: n.Stmt, name: str) -> bool:
    """Tell whether a statement reads a name."""
    read: list[str] = []

    def look(x: n.Expr) -> n.Expr:
        read.extend(n.names(x))
        return x

    n.map_expressions(s, look)
    return name in read


def _targets(s: n.Stmt, names: Mapping[str, str]) -> n.Stmt:
    if isinstance(s, n.Assign):
        return replace(s, targets=tuple(names.get(x, x) for x in s.targets))
    body, orelse = (tuple(_targets(i, names) for i in arm) for arm in (s.body, s.orelse))
    return replace(s, body=body, orelse=orelse)
