"""From names to work: groups, the state of each parameter, and what each rule has to do in a step."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg.engine.finite import FiniteCheck, first_nonfinite
from thalweg.engine.gate import Gate
from thalweg.engine.interpreter import cast, evaluate, write
from thalweg.engine.numba_support import numba_available
from thalweg.engine.table import Table, Tensor
from thalweg.hyperparams import HyperParams
from thalweg.recipe import Recipe
from thalweg.rule import Rule

Arrays = Sequence[NDArray[Any]]
Numbers = Sequence[Mapping[str, float]]
"""Numbers of a step, for each group."""

MASTER = "master"
"""What the float32 copy of a parameter in half precision is called in its state."""


@dataclass(frozen=True)
class Group:
    """Parameters with numbers or a rule of their own. pattern: of their names; recipe: None leaves them alone."""

    pattern: str
    recipe: Recipe | None
    hyper: HyperParams | None


@dataclass
class ParameterState:
    """What is kept for one parameter.

    rule: the rule that updates it. group: the position of its group. shape, dtype: of the parameter. slots: slot ->
    array like the parameter in `order`, or float. missed: how many of the optimizer's steps it did not take part in, so
    that its own step count is the optimizer's less this.
    """

    rule: Rule
    group: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    order: Literal["C", "F"]
    slots: dict[str, Any]
    missed: int


class Finish(NamedTuple):
    """The calls that write a step. is_compiled: they are compiled code alone, in which no signal handler runs."""

    calls: tuple[Callable[[], object], ...]
    is_compiled: bool = False


class Work:
    """One rule's work on some parameters, in the order of their names.

    positions: of the parameters among all names. states: theirs. beside: work on the same parameters whose pointers
    this one uses. Work is done by a table of kernels, or where there is none (no Numba, whole matrices) by the meaning.
    """

    def __init__(
        self,
        rule: Rule,
        gate: Gate,
        positions: Sequence[int],
        states: Sequence[ParameterState],
        beside: Work | None = None,
    ) -> None:
        self.rule = rule
        self.positions = positions
        self.states = [state.slots for state in states]
        self._counted = states
        self._wanted = rule.text.signature.numbers
        # What a rule keeps for the whole model has the optimizer's step count.
        self._counts_steps = "t" in self._wanted and not (beside is None and rule.facts.coupled)
        self._keys, self._sets = self._sets_of_numbers()
        self.table: Table | None = None
        if numba_available() and not rule.facts.matrix and (beside is None or beside.table is not None):
            source = gate.pointers if beside is None or beside.table is None else beside.table.pointers[:, :2]
            tensors = [
                Tensor(
                    index=i if beside is None else row,
                    shape=state.shape,
                    dtype=gate.compute_dtypes[i],
                    order=state.order,
                    state=state.slots,
                    numbers=own,
                    stage_param=beside is None and (bool(gate.stage_param[i]) or gate.orders[i] != state.order),
                    stage_grad=beside is None and (bool(gate.stage_grad[i]) or gate.orders[i] != state.order),
                    master=state.slots.get(MASTER) if beside is None else None,
                )
                for row, (i, state, own) in enumerate(zip(positions, states, self._sets, strict=True))
            ]
            self.table = Table(rule, source, tensors, len(self._keys))
            sizes, itemsizes = [t.size for t in tensors], [t.dtype.itemsize for t in tensors]
            self._finite = FiniteCheck(self.table.pointers[:, 1], sizes, itemsizes)

    def _sets_of_numbers(self) -> tuple[list[tuple[int, int]], list[int]]:
        """Return the sets of numbers of a step that there are, by group and steps missed, and which one each has."""
        keys = [(state.group, state.missed if self._counts_steps else 0) for state in self._counted]
        distinct = sorted(set(keys))
        return distinct, [distinct.index(key) for key in keys]

    def recount(self) -> bool:
        """Look again how many steps were missed; False if the sets of numbers are others now."""
        self._keys, sets = self._sets_of_numbers()
        return sets == self._sets

    def fetch(self, params: Arrays, grads: Sequence[Any]) -> None:
        """Take the pointers of this step. params, grads: of all names."""
        if self.table is not None:
            self.table.fetch(params, grads)

    def first_nonfinite(self, params: Arrays, grads: Sequence[Any]) -> tuple[int, tuple[Any, ...]] | None:
        """Return (position among all names, index) of the first gradient element that is not finite, or None.

        An element that is too large for the dtype of the arithmetic is an infinity in it.
        """
        if self.table is not None:
            found = self._finite.first_nonfinite()
            if found is None:
                return None
            tensor = self.table.tensors[found[0]]
            return tensor.index, np.unravel_index(found[1], tensor.shape, tensor.order)
        found = first_nonfinite([cast(grads[i], params[i].dtype) for i in self.positions])
        if found is None:
            return None
        position = self.positions[found[0]]
        return position, np.unravel_index(found[1], grads[position].shape)

    def prepare(
        self, params: Arrays, grads: Sequence[Any], numbers: Numbers, t: int, shared: dict[str, float]
    ) -> Finish:
        """Compute all that can fail, and return what writes the step; before its calls nothing changes.

        numbers: those of each group at this step. t: the number of this step. Raises NumberError.
        """
        sets = self._numbers_of(numbers, t)
        table = self._prepared(sets, shared)
        if table is not None:
            calls = table.kernel_calls
            return (
                Finish((partial(table.finish, params, shared),)) if calls is None else Finish(calls, is_compiled=True)
            )
        results = self._evaluated(params, grads, sets, shared)
        mine, masters = [params[i] for i in self.positions], [state.get(MASTER) for state in self.states]
        return Finish((partial(write, self.rule, results, mine, self.states, shared, masters),))

    def number(
        self,
        name: str,
        params: Arrays,
        grads: Sequence[Any],
        numbers: Numbers,
        t: int,
        shared: Mapping[str, float],
    ) -> float:
        """Return the number that a rule which measures computes; nothing is changed."""
        sets, found = self._numbers_of(numbers, t), {**shared, name: 0.0}
        table = self._prepared(sets, found)
        if table is None:
            return float(self._evaluated(params, grads, sets, found)[-1][1 + list(self.rule.slots).index(name)])
        table.finish(params, found)
        return found[name]

    def _numbers_of(self, numbers: Numbers, t: int) -> list[dict[str, float]]:
        sets = []
        for group, missed in self._keys:
            own = {name: number for name, number in numbers[group].items() if name in self._wanted}
            sets.append(own | {"t": t - missed} if "t" in self._wanted else own)
        return sets

    def _prepared(self, sets: Sequence[Mapping[str, float]], shared: dict[str, float]) -> Table | None:
        """Return the table, ready to finish; None where the meaning has to be asked."""
        hoisted = [self.rule.hoisted.numbers(own) for own in sets]
        is_known = not any(soft for _, soft in hoisted)
        is_ready = self.table is not None and is_known and self.table.prepare([found for found, _ in hoisted], shared)
        return self.table if is_ready else None

    def _evaluated(
        self, params: Arrays, grads: Sequence[Any], sets: Sequence[Mapping[str, float]], shared: Mapping[str, float]
    ) -> list[tuple[Any, ...]]:
        mine, own_grads = [params[i] for i in self.positions], [grads[i] for i in self.positions]
        masters = [state.get(MASTER) for state in self.states]
        return evaluate(self.rule, mine, own_grads, self.states, [sets[i] for i in self._sets], shared, masters)


class Share:
    """The part of a step that one recipe takes: what it measures, and then its rule."""

    def __init__(self, recipe: Recipe, gate: Gate, positions: Sequence[int], states: Sequence[ParameterState]) -> None:
        self.work = Work(recipe.rule, gate, positions, states)
        self.measures = [(name, Work(rule, gate, positions, states, self.work)) for name, rule in recipe.measures]
        self._draws = [
            (f"{seed} {slot} {gate.names[i]}", state.slots[slot])
            for i, state in zip(positions, states, strict=True)
            for slot, seed in recipe.draws.items()
        ]

    @property
    def works(self) -> list[Work]:
        """The work of the rule, and that of what it measures."""
        return [self.work, *(work for _, work in self.measures)]

    def fetch(self, params: Arrays, grads: Sequence[Any], drawn: int) -> None:
        """Take the pointers of this step, and draw what is random in it. drawn: the number of this draw."""
        self.work.fetch(params, grads)
        for _, measure in self.measures:
            measure.fetch(params, grads)
        for key, array in self._draws:
            digest = hashlib.sha256(key.encode()).digest()
            generator = np.random.Generator(
                np.random.Philox(key=int.from_bytes(digest[:16], "little"), counter=drawn << 128)
            )
            array[...] = generator.standard_normal(array.shape, array.dtype)


class Binding:
    """One set of names: the gate that reads their arrays, and the share of each recipe in a step.

    active: positions, among all names, of those that are not frozen; what else is here counts these alone.
    taking_part: positions of the names that have a gradient.
    """

    def __init__(self, groups: Sequence[Group], all_names: tuple[str, ...]) -> None:
        self.groups = groups
        self.all_names = all_names
        # The last group is that of all names which no pattern matches.
        matches = [group_at(groups, name) for name in all_names]
        self.matched = {g.pattern for g in groups if any(fnmatchcase(name, g.pattern) for name in all_names)}
        self.active = [i for i, k in enumerate(matches) if groups[k].recipe is not None]
        self.group_of = [matches[i] for i in self.active]
        self.names = tuple(all_names[i] for i in self.active)
        self.frozen = frozenset(all_names) - frozenset(self.names)
        self.gate = Gate(self.names)
        self.taking_part: list[int] = []
        self.steps: list[Share] = []
        self.holds: list[Share] = []
        self._is_ready = False
        self._watches = -1
        self.as_of = -1  # the count of changes that it has taken notice of

    def refresh(self, states: Mapping[str, ParameterState]) -> None:
        """Take notice of steps that were taken without this binding."""
        if len(states) != self._watches:
            self.watch(states)
        works = [work for share in (*self.steps, *self.holds) for work in share.works]
        self._is_ready = self._is_ready and all([work.recount() for work in works])  # noqa: C419 - all are to count

    def watch(self, states: Mapping[str, ParameterState]) -> None:
        """Let gradients be copied that lie in the memory of state, which a step writes to as well."""
        self._watches = len(states)
        self.gate.watch([a for s in states.values() for a in s.slots.values() if isinstance(a, np.ndarray)])

    def read(self, arrays: list[Any], gradients: list[Any]) -> bool:
        """Check all arrays and read their pointers; True if `derive` has to be called before the step."""
        changed = self.gate.read(arrays, gradients)
        self._is_ready = self._is_ready and not changed
        return not self._is_ready

    def check_frozen(self, arrays: Sequence[Any]) -> None:
        """Raise ValueError for a frozen parameter in the memory of one that is not. arrays: of all names."""
        if not self.frozen:
            return
        for i, name in enumerate(self.all_names):
            for j in self.active if name in self.frozen and isinstance(arrays[i], np.ndarray) else ():
                if np.may_share_memory(arrays[i], arrays[j]) and np.shares_memory(arrays[i], arrays[j]):
                    raise ValueError(
                        f"the frozen parameter {name!r} lies over the same memory as {self.all_names[j]!r}, which is "
                        "updated; freeze both, or give a .copy()"
                    )

    def fresh(
        self,
        states: Mapping[str, ParameterState],
        arrays: Arrays,
        gradients: Sequence[Any],
        numbers: Numbers,
        t: int,
        *,
        master: bool,
    ) -> dict[str, ParameterState]:
        """Return the state of names that have none yet.

        numbers: the hyper-parameters of each group, which slots may start at. t: the optimizer's steps so far. master:
        keep a float32 copy of parameters in half precision. Raises ValueError for a parameter whose state was made for
        another array.
        """
        gate, new = self.gate, {}
        for i, gradient in enumerate(gradients):
            name, shape, dtype = self.names[i], gate.shapes[i], gate.dtypes[i]
            if gradient is None:
                continue
            group = self.group_of[i]
            recipe = self.recipe_for(i)
            rule = recipe.rule
            known = states.get(name)
            if known is not None and (known.shape, known.dtype, known.rule) == (shape, dtype, rule):
                continue
            if known is not None and (rule.slots or known.slots):
                raise ValueError(
                    f"parameter {name!r} is {dtype} of shape {shape}, and its state was made for {known.dtype} of "
                    f"shape {known.shape}; use a new {rule.title} for another network, and another name for "
                    "another parameter"
                )
            order = gate.orders[i] if rule.facts.elementwise else "C"
            w = np.asarray(arrays[i], gate.compute_dtypes[i])
            slots = {s: start(rule, s, numbers[group], w, order) for s in rule.slots if rule.slots[s].shape != "shared"}
            if master and w.dtype != dtype:
                slots[MASTER] = np.array(w, order=order, subok=False)
            missed = t if known is None else known.missed
            new[name] = ParameterState(rule, group, shape, dtype, order, slots, missed)
        return new

    def recipe_for(self, i: int) -> Recipe:
        """Return the recipe for the parameter at a position."""
        return recipe_at(self.groups[self.group_of[i]], self.names[i], self.gate.shapes[i])

    def derive(self, states: Mapping[str, ParameterState], gradients: Sequence[Any]) -> None:
        """Lay out the work of the steps to come, until something changes."""
        self.taking_part = [i for i, g in enumerate(gradients) if g is not None]
        by_recipe: dict[Recipe, list[int]] = {}
        for i in self.taking_part:
            if self.gate.sizes[i]:
                by_recipe.setdefault(self.recipe_for(i), []).append(i)
        parts = [(recipe, found, [states[self.names[i]] for i in found]) for recipe, found in by_recipe.items()]
        self.steps = [Share(recipe, self.gate, found, own) for recipe, found, own in parts]
        self.holds = [Share(recipe.hold, self.gate, found, own) for recipe, found, own in parts if recipe.hold]
        self._is_ready = True


def group_at(groups: Sequence[Group], name: str) -> int:
    """Return the position of the first group whose pattern matches a name; the last one matches every name."""
    return next(k for k, group in enumerate(groups) if fnmatchcase(name, group.pattern))


def recipe_at(group: Group, name: str, shape: tuple[int, ...]) -> Recipe:
    """Return the recipe for a parameter of this shape: its group's, or the one that this names for vectors.

    Raises ValueError where there is none.
    """
    recipe = group.recipe
    assert recipe is not None
    rule = recipe.rule
    if recipe.most_axes is not None and len(shape) > recipe.most_axes:
        raise ValueError(
            f"{name!r} has shape {shape}, and a link of this chain knows {recipe.most_axes} axes at most; "
            "give it as a matrix, such as the view kernel.reshape(-1, outputs)"
        )
    if rule.takes(len(shape)):
        return recipe
    if recipe.vectors is not None:
        return recipe.vectors
    raise ValueError(
        f"{rule.title} is a rule for matrices, with two axes or more, and {name!r} has shape {shape}; "
        f"the rule can name another one for vectors: @rule(vectors=...)"
    )


def start(rule: Rule, name: str, numbers: Mapping[str, float], w: NDArray[Any] | None = None, order: Any = "C") -> Any:
    """Return a slot as it is before the first step: a float, or an array for the parameter w."""
    slot = rule.slots[name]
    if slot.copies:
        own = np.swapaxes(w, -1, -2) if slot.flipped and w is not None else w
        return np.array(own, order=order, subok=False)
    first = numbers[slot.start] if isinstance(slot.start, str) else float(slot.start)
    if slot.is_number or w is None:
        return first
    shape = slot.shape_for(w.shape, numbers)
    assert shape is not None
    with np.errstate(over="ignore", under="ignore"):
        if slot.is_square:
            return np.array(np.broadcast_to(first * np.eye(shape[-1], dtype=w.dtype), shape), w.dtype)
        return np.full(shape, first, w.dtype, order=order)
