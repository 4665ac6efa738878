"""State as it is shown: by the name of the parameter, or by its position in a list, then by slot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from thalweg.binding import ParameterState


class States(Mapping[str, Mapping[str, Any]]):
    """State of every parameter: floats, and views of the arrays in use. What links draw anew at each step is left out.

    A view writes to the array that it shows, and cannot give it another size or shape, which kernels rely on.
    """

    def __init__(self, states: Mapping[str, ParameterState]) -> None:
        self._states = states

    def __getitem__(self, name: str | int) -> Mapping[str, Any]:
        slots = kept(self._states[str(name) if isinstance(name, int) else name])
        return MappingProxyType({s: x.view() if isinstance(x, np.ndarray) else x for s, x in slots.items()})

    def __iter__(self) -> Iterator[str]:
        return iter(self._states)

    def __len__(self) -> int:
        return len(self._states)

    def __repr__(self) -> str:
        return repr({name: dict(slots) for name, slots in self.items()})


def kept(state: ParameterState) -> dict[str, Any]:
    """Return the slots of a parameter that are kept from step to step."""
    passing = {name for name, slot in state.rule.slots.items() if not slot.is_kept}
    return {name: value for name, value in state.slots.items() if name not in passing}
