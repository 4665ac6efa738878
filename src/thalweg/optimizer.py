"""The optimizer: `update(params, grads)` in place, all or nothing."""

from __future__ import annotations

import copy
import os
import pickle
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from thalweg.arguments import by_name, chosen, specials
from thalweg.assembly import Assembly, Links, Made, assemble
from thalweg.averages import Swap
from thalweg.checkpoint import CheckpointError, Snapshot, from_dict, to_dict, write
from thalweg.groups import GroupView
from thalweg.hyperparams import HyperParams, Schedule, unknown
from thalweg.interrupts import deferred
from thalweg.recipe import Link
from thalweg.rule import LAYOUTS, Rule
from thalweg.saving import (
    check_same,
    checked_numbers,
    counts_in,
    described,
    placed_into,
    shared_in,
    snapshot_of,
    states_in,
)
from thalweg.states import States
from thalweg.step import Stepper
from thalweg.tree import check_names, leaves

Closure = Callable[[Any], tuple[float, Any] | tuple[float, Any, Any]]
NONFINITE = ("raise", "skip", "allow")
BUSY = (
    "a step of this optimizer is under way, in another thread or around this closure; give each thread an optimizer of "
    "its own, or let them take turns with a lock"
)
AVERAGED = "inside of `with opt.averaged()` the parameters are averages; do this outside of it"


class Optimizer:
    """A rule at work: `Optimizer(rule, lr=...)`, or a class of its own for each rule, such as `Adam(lr=0.001)`.

    Args:
        rule: a Rule, or the name of one of thalweg's own.
        *args: hyper-parameters, in the order of the rule's text.
        convention: whose form of the rule: "book", "paper", "torch", ...; None is the rule's default.
        nonfinite: what a NaN or an infinity in a gradient does. "raise" (default): an error that names the
            parameter, with nothing changed. "skip": the step is left out and counted in `skipped`. "allow": nobody
            looks, which saves one read of the gradients.
        master: keep a float32 copy of each float16 or bfloat16 parameter, which small steps add up in; the parameter is
            this copy, rounded.
        groups: pattern of names -> dict of hyper-parameters that differ there, an optimizer with another rule, or None,
            which leaves these parameters as they are. Patterns are those of the shell ("*.b", "layers.[01].*"), and the
            first that matches a name counts.
        layout: for rules of whole matrices, what the axes of weights are: "in_out", (inputs, outputs) as in the book,
            which is the default, or "out_in", as in torch.
        **hyperparams: hyper-parameters by name. Each is a number, or a function of the step count t = 1, 2, ... that
            returns one.

    Raises:
        TypeError: a hyper-parameter does not exist, is missing, or is no real number.
        ValueError: a hyper-parameter is out of range; there is no such rule or convention.
    """

    def __init__(
        self,
        rule: Rule | str,
        *args: Any,
        convention: str | None = None,
        nonfinite: str = "raise",
        master: bool = False,
        groups: Mapping[str, Any] | None = None,
        layout: str | None = None,
        **hyperparams: Any,
    ) -> None:
        form = chosen(rule, convention, layout)
        given = by_name(form, args, hyperparams, _is_reserved)
        self._set_up(Made(form, Links(), given, specials(form, groups, _made_of)), nonfinite, master)

    def _set_up(self, made: Made, nonfinite: str, master: bool) -> None:
        if not isinstance(master, bool):
            raise TypeError(f"master = {master!r}; it is True (keep a float32 copy) or False")
        self._assembly: Assembly = assemble(made, _is_reserved)
        self._hyper = self._assembly.hyper
        self._sam = self._assembly.sam
        self._stepper = Stepper(self._assembly, master=master)
        self._busy = threading.Lock()
        self._last_params: Any = None  # kept where there are averages to show in their place
        self._shows_averages = False
        self.nonfinite = nonfinite

    # What can be read and set -----------------------------------------------------------------------------------------

    @property
    def rule(self) -> Rule:
        """The Rule in use, of this convention; in a chain, with its links."""
        return self._assembly.recipe.rule

    @property
    def links(self) -> tuple[Link, ...]:
        """The links of the chain around the rule, in order; none for a rule alone."""
        links = self._assembly.now().links
        return (*links.before, *links.after)

    @property
    def groups(self) -> Mapping[str, GroupView | None]:
        """Groups by pattern: their hyper-parameters can be read and set, as in `opt.groups["*.b"].lr = 0.1`."""
        found = {g.pattern: g for g in self._assembly.groups[:-1]}
        views = {
            p: None
            if g.recipe is None or g.hyper is None
            else GroupView(g.recipe.rule, g.hyper, lambda: self._stepper.t)
            for p, g in found.items()
        }
        return MappingProxyType(views)

    @property
    def t(self) -> int:
        """The number of steps taken; 0 before the first."""
        return self._stepper.t

    @property
    def skipped(self) -> int:
        """The number of steps left out because of gradients that were not finite (`nonfinite="skip"`)."""
        return self._stepper.skipped

    @property
    def gathered(self) -> int:
        """The number of gradients gathered since the last step, in a chain with `accumulate`."""
        return self._stepper.gathered

    @property
    def master(self) -> bool:
        """Whether a float32 copy of parameters in half precision is kept."""
        return self._stepper.master

    @property
    def nonfinite(self) -> str:
        """What a NaN or an infinity in a gradient does: "raise", "skip" or "allow"."""
        return self._nonfinite

    @nonfinite.setter
    def nonfinite(self, value: str) -> None:
        if value not in NONFINITE:
            raise ValueError(f"nonfinite = {value!r}; it is one of {', '.join(map(repr, NONFINITE))}")
        self._nonfinite = value

    @property
    def hyperparams(self) -> dict[str, float]:
        """Every hyper-parameter as a number: a schedule at the last step taken, or at t = 1 before the first."""
        return self._hyper.at(max(1, self._stepper.t))

    @property
    def schedules(self) -> Mapping[str, Schedule]:
        """The hyper-parameters that are functions of t, by name: `opt.schedules["lr"].feed(loss)` after a load."""
        return MappingProxyType({name: x for name, x in self._hyper.items() if callable(x)})

    @property
    def state(self) -> Mapping[str, Mapping[str, Any]]:
        """State by the name of the parameter, then of the slot: floats, and the arrays in use."""
        return States(self._stepper.states)

    @property
    def shared(self) -> Mapping[str, float]:
        """Numbers that the rule keeps for the whole model, by the name of the slot; empty before the first step."""
        return MappingProxyType(self._stepper.shared)

    def __getattr__(self, name: str) -> float:
        if not name.startswith("_"):
            if name in self._hyper:
                return self._hyper.now(name, max(1, self._stepper.t))
            raise AttributeError(
                f"{type(self).__name__} has no attribute {name!r}; its hyper-parameters: {', '.join(self._hyper)}"
            )
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_") or name == "nonfinite":
            object.__setattr__(self, name, value)
        elif name in self._hyper:
            self._hyper[name] = value
        else:
            read_only = f"`{name}` can be read and not set"
            raise AttributeError(read_only if hasattr(type(self), name) else unknown(self.rule, name))

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._hyper})

    def chained(self, links: Links, groups: Mapping[str, Any] | None = None) -> Optimizer:
        """Return a new optimizer with links around this one's rule, which has taken no steps: see `thalweg.chain`."""
        if self._stepper.changes:
            raise ValueError(f"{self!r} has taken steps; a chain takes a new optimizer")
        made = self._assembly.now()
        around = Links((*links.before, *made.links.before), (*made.links.after, *links.after))
        own = specials(made.rule, groups, _made_of) | dict(made.groups)
        return remade(Optimizer, replace(made, links=around, groups=own), self._nonfinite, self._stepper.master)

    def __repr__(self) -> str:
        made, rule = self._assembly.now(), self.rule
        shown = [f"{name}={_shown(self._hyper[name])}" for name in self._assembly.own_numbers]
        if rule.convention_name != rule.family.default:
            shown.append(f"convention={rule.convention_name!r}")
        if made.rule.layout != LAYOUTS[0]:
            shown.append(f"layout={made.rule.layout!r}")
        if made.groups:
            shown.append(f"groups={{{', '.join(f'{g.pattern!r}: ...' for g in self._assembly.groups[:-1])}}}")
        whole = f"{rule.title}({', '.join(shown)})"
        if self.links:
            whole = f"chain({', '.join([*map(repr, made.links.before), whole, *map(repr, made.links.after)])})"
        return f"{whole} after {self._stepper.t} step{'' if self._stepper.t == 1 else 's'}"

    # The step ---------------------------------------------------------------------------------------------------------

    def update(
        self,
        params: Any,
        grads: Any = None,
        *,
        value: float | None = None,
        closure: Closure | None = None,
        hessian: Any = None,
    ) -> float | None:
        """Take one step, in place: the caller's array objects stay the same, and gradients are never written to.

        Args:
            params: a dict of name -> array, of float16, bfloat16, float32 or float64 and of any shape and layout; a
                nested one (names are joined with "."), a list or tuple (the name is the position), or one array. A
                Python number in a dict or list is replaced by the new number. A name seen for the first time gets
                fresh state and counts its own steps.
            grads: of the same structure -> array of the same shape, or None, which leaves this parameter, its state
                and its step count alone.
            value: the loss of this step, for rules that need it.
            closure: in the place of grads and value, a function of params that returns (value, grads), or (value,
                grads, hessian). It is called once (twice in a chain with `sam`), and its value is returned; otherwise
                update returns None.
            hessian: of the same structure as grads -> the diagonal of the Hessian or an estimate of it, for rules that
                use one (Sophia); None in the steps between two estimates.

        Raises:
            TypeError, ValueError: an array that cannot be updated, or names that do not match.
            NonFiniteError: a gradient holds a NaN or an infinity (see `nonfinite`).
            NumberError: a number of the rule cannot be computed.
            RuntimeError: a step of this optimizer is under way, in another thread.
            After any of these nothing has changed.
        """
        # Asked first and then taken by `with`, since between a call that takes a lock and the next line an interrupt
        # may be raised. Who slips in between has taken a step, which is seen below.
        changes = self._stepper.changes
        if self._busy.locked():
            raise RuntimeError(BUSY)
        with self._busy:
            if changes != self._stepper.changes:
                raise RuntimeError(BUSY)
            if closure is not None:
                if grads is not None or value is not None or hessian is not None:
                    raise TypeError(
                        "update(params, closure=f) gets value, grads and hessian from f; leave these arguments out"
                    )
                value, grads, hessian = _returned(closure(params))
                if self._sam is not None:
                    grads = self._sam.gradients(closure, params, grads, self._stepper.frozen(params))
            elif self._sam is not None:
                raise TypeError(
                    "a chain with sam evaluates the gradient at a second point: give a function that computes it, "
                    "update(params, closure=f) with f(params) -> (value, grads)"
                )
            if self._shows_averages:
                raise RuntimeError(AVERAGED)
            if self._assembly.averages:
                self._last_params = params
            self._stepper.take(params, grads, value, self._nonfinite, hessian)
        return None if closure is None else value

    @contextmanager
    def averaged(self, params: Any = None, link: str | None = None) -> Iterator[Any]:
        """Let the parameters be their averages inside of a `with` block, and themselves again on any way out of it.

        Args:
            params: what the last step was given, if nothing else is said.
            link: which average, where there are several: "ema", "polyak", "swa", or the name of a rule that is
                evaluated elsewhere than where it takes gradients, such as "schedulefreesgd".

        Yields params, with the averages in place. What the block writes to them is undone at its end.

        Raises:
            ValueError: the chain keeps no average, or not that one.
            RuntimeError: no step has been taken yet, or a step is under way.
        """
        label = self._assembly.average(link)
        target = self._last_params if params is None else params
        if not self._stepper.t:
            raise RuntimeError("no step has been taken yet, so there is no average")
        if target is None:
            raise RuntimeError(
                "no step has been taken since this optimizer was made, so it does not know the parameters; "
                "give them: opt.averaged(params)"
            )
        swap = None
        try:
            self._check_rest()
            with self._busy, deferred():
                stepper = self._stepper
                swap = Swap(target, stepper.states, label, self._assembly.groups, stepper.shared, stepper.t)
                self._shows_averages = True
                swap.show()
            yield target
        finally:
            if swap is not None:
                try:
                    self._end_averaged(swap)
                except BaseException:  # an interrupt before its first line
                    self._end_averaged(swap)
                    raise

    def _end_averaged(self, swap: Swap) -> None:
        with deferred():
            try:
                swap.restore()
            finally:
                self._shows_averages = False

    def _check_rest(self) -> None:
        """Raise RuntimeError if a step is under way, or averages are in the place of parameters."""
        if self._busy.locked():
            raise RuntimeError(BUSY)
        if self._shows_averages:
            raise RuntimeError(AVERAGED)

    # Checkpoints ------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the next step depends on, apart from parameters and code.

        A dict of JSON values and arrays, which are copies. Keys: see `thalweg.checkpoint`.
        """
        self._check_rest()
        with self._busy:
            return to_dict(self._snapshot(None))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the optimizer was that `state_dict` was called of.

        Hyper-parameters are those of the state; a function of t, which no state holds, stays the optimizer's own.

        Raises:
            CheckpointError: the state is damaged, or of an optimizer made in another way; the message names the key,
                and nothing has changed.
        """
        self.restore(from_dict(state))

    def save(self, path: str | os.PathLike[str], params: Any = None) -> None:
        """Write everything that the next step depends on to a file, whole or not at all; `thalweg.load` reads it.

        Args:
            path: of a file in a folder that exists. What stood there is replaced when the new file is safe on disk.
            params: parameters that are to be kept in the same file.

        Raises:
            CheckpointError: the state cannot be written. OSError: the file cannot be.
        """
        self._check_rest()
        with self._busy:
            write(path, self._snapshot(params))

    def _options(self) -> dict[str, Any]:
        return {"nonfinite": self._nonfinite, "master": self._stepper.master}

    def _snapshot(self, params: Any) -> Snapshot:
        arrays = {}
        if params is not None:
            found = leaves(params, {})
            check_names(found.names)
            arrays = dict(zip(found.names, found.arrays, strict=True))
        made = described(self._assembly, self._options())
        counts = {"t": self._stepper.t, "skipped": self._stepper.skipped, "gathered": self._stepper.gathered}
        return snapshot_of(made, counts, self._stepper.shared, self._stepper.states, arrays)

    def restore(self, snapshot: Snapshot, params: Any = None) -> None:
        """Take over a snapshot, and put its parameters into params; all is checked before anything is changed."""
        check_same(snapshot.made, described(self._assembly, self._options()))
        hyper = checked_numbers(snapshot.made["hyperparams"], self._hyper, self.rule, "hyperparams")
        own: list[tuple[HyperParams, dict[str, Any]]] = [(self._hyper, hyper)]
        for (pattern, special), group in zip(snapshot.made["groups"], self._assembly.groups, strict=False):
            if group.hyper is not None:
                where = f"groups[{pattern!r}].hyperparams"
                own.append((group.hyper, checked_numbers(special["hyperparams"], group.hyper, self.rule, where)))
        counts = counts_in(snapshot)
        found = {id(group): new for group, new in own}
        numbers = [{**hyper, **found.get(id(group.hyper), {})} for group in self._assembly.groups]
        states = states_in(snapshot, self._assembly.groups, numbers, master=self._stepper.master)
        shared = shared_in(snapshot, (rule for _, rule in self._assembly.rules))
        nonfinite = snapshot.made["options"].get("nonfinite")
        if nonfinite not in NONFINITE:
            raise CheckpointError(f"options.nonfinite = {nonfinite!r}; it is one of {', '.join(map(repr, NONFINITE))}")
        put_back = placed_into(params, snapshot.arrays)
        self._check_rest()
        with self._busy, deferred():
            for numbers_of, new in own:
                numbers_of.replace(new)
            self._stepper.take_over(counts, states, shared)
            self._nonfinite = nonfinite
            put_back()

    def __copy__(self) -> Optimizer:
        return copy.deepcopy(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Optimizer:
        made = copy.deepcopy(self._assembly.now(), memo)  # schedules that are fed are not shared
        return _copied(type(self), made, self._options(), self.state_dict())

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        code = [(name, x) for g in self._assembly.groups if g.hyper for name, x in g.hyper.own.items() if callable(x)]
        for name, x in code:
            try:
                pickle.dumps(x)
            except Exception as error:
                raise pickle.PicklingError(
                    f"{type(self).__name__}: {name} = {x!r} cannot be pickled ({error}); use one of thalweg.schedules "
                    f"or a function at the top level of a module, or opt.save(path) and thalweg.load(path, {name}=...)"
                ) from error
        return _copied, (type(self), self._assembly.now(), self._options(), self.state_dict())


def remade(
    kind: type[Optimizer], made: Made, nonfinite: str, master: bool, numbers: Mapping[str, Any] | None = None
) -> Optimizer:
    """Return an optimizer that is made as another was. numbers: hyper-parameters of links too, as they are now."""
    opt = kind.__new__(kind)
    opt._set_up(made, nonfinite, master)  # noqa: SLF001 - one of its own kind
    for name, x in (numbers or {}).items():
        setattr(opt, name, x)
    return opt


def _copied(kind: type[Optimizer], made: Made, options: Mapping[str, Any], state: Mapping[str, Any]) -> Optimizer:
    opt = remade(kind, made, options["nonfinite"], options["master"])
    opt.load_state_dict(state)
    return opt


def _returned(returned: Any) -> tuple[Any, Any, Any]:
    if isinstance(returned, tuple | list) and len(returned) in (2, 3):
        return returned[0], returned[1], returned[2] if len(returned) == 3 else None
    kind = type(returned).__name__
    raise TypeError(f"a closure returns (value, grads), the loss and the gradients; this one returned a {kind}")


def _is_reserved(name: str) -> bool:
    """Tell whether every optimizer has an attribute of this name, so that no hyper-parameter can have it."""
    return name.startswith("_") or hasattr(Optimizer, name)


def _made_of(optimizer: Any) -> Made | None:
    """Return how an optimizer was made; None for what is none."""
    if not isinstance(optimizer, Optimizer):
        return None
    if optimizer._stepper.changes:  # noqa: SLF001 - its own kind
        raise ValueError(f"{optimizer!r} has taken steps; a group takes a new optimizer")
    if optimizer.nonfinite != "raise" or optimizer.master:
        raise ValueError("nonfinite and master are those of the whole optimizer; give them to that one")
    return optimizer._assembly.now()  # noqa: SLF001 - its own kind


def _shown(value: Any) -> str:
    return getattr(value, "__name__", repr(value)) if callable(value) else f"{value!r}"
