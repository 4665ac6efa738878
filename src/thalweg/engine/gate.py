"""The gate before the kernels: what the caller's arrays are, checked at every step, and where they lie.

Kernels trust pointers and lengths, so this is where a wrong array must be stopped. The first step and every change are
looked at in Python, with an error that says what to do. A step that looks like the one before, which is nearly every
step, takes one compiled call: it reads each array through the interface that NumPy documents for C, compares kind,
dtype, flags, shape and strides with what is remembered, and takes the data pointers as they are now.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg.engine.arrays import Extent, Memory, check_gradient, check_parameter, extent
from thalweg.engine.cache import compiled
from thalweg.engine.halves import compute_dtype
from thalweg.engine.numba_support import numba_available

Order = Literal["C", "F"]

_STRUCT = "__array_struct__"
_C_CONTIGUOUS, _F_CONTIGUOUS, _ALIGNED, _NOT_SWAPPED, _WRITEABLE = 0x1, 0x2, 0x100, 0x200, 0x400


class _Array(NamedTuple):
    """What is remembered of an array: everything that the next step is compared with."""

    kind: type
    dtype: np.dtype[Any]
    flags: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    span: Extent


class _Name(NamedTuple):
    """What is remembered of a name. `start` is the address of the parameter's first element."""

    parameter: _Array
    start: int
    gradient: _Array | None
    touches: bool


class Gate:
    """Reads the parameters and gradients of a fixed tuple of names, step after step.

    After `read`, for each name in order:

    pointers: (n, 2) intp: address of the first element of the parameter and of the gradient; 0 for a gradient of None.
        The array stays the same object; it says nothing after a refusal.
    dtypes, shapes, sizes: of the parameters.
    compute_dtypes: what they are evaluated in, and their state is kept in: float32 for float16 and bfloat16.
    orders: "C" or "F": how the elements of the parameter follow each other in memory. "C" where both are true, and
        where neither is, since it has to be staged.
    stage_param: (n,) bool: not contiguous, not aligned, or evaluated in another dtype. The kernel must work on a copy,
        written back afterwards.
    stage_grad: (n,) bool: not contiguous in the order of the parameter, not aligned, not of the dtype that it is
        evaluated in, or touching the memory of some parameter or of an array that is watched. The kernel must read a
        copy in the parameter's order and that dtype, made before anything is written; the pointer is not to be used.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        n = len(self.names)
        self.pointers: NDArray[np.intp] = np.zeros((n, 2), np.intp)
        self.dtypes: tuple[np.dtype[Any], ...] = ()
        self.compute_dtypes: tuple[np.dtype[Any], ...] = ()
        self.shapes: tuple[tuple[int, ...], ...] = ()
        self.sizes: tuple[int, ...] = ()
        self.orders: tuple[Order, ...] = ()
        self.stage_param: NDArray[np.bool_] = np.zeros(n, np.bool_)
        self.stage_grad: NDArray[np.bool_] = np.zeros(n, np.bool_)
        self._seen: list[_Name] = []
        self._memory = Memory([])
        self._watched: list[tuple[int, Extent]] = []
        self._kinds: list[tuple[int, int, np.dtype[Any]]] = []
        self._first_change: Callable[[int, int, int], int] | None = None
        self._context = 0
        self._alive: tuple[Any, ...] = ()

    def read(self, params: list[Any], grads: list[Any]) -> bool:
        """Check all arrays and read their pointers. Nothing is written to them, and nothing is kept of them.

        params, grads: an object for each name. A gradient may be None: no gradient in this step.

        Returns whether something besides the gradients' pointers differs from the last step, so that what was derived
        from the attributes must be derived anew. Raises TypeError for a wrong kind of object or dtype, and ValueError
        for a wrong shape, layout or permission or for shared memory, and then remembers what it remembered before.
        """
        n = len(self.names)
        if len(params) != n or len(grads) != n:
            raise ValueError(f"{len(params)} parameters and {len(grads)} gradients for {n} names")
        if (
            self._seen
            and self._first_change is not None
            and all(getattr((params, grads)[side][i], "dtype", None) == dtype for i, side, dtype in self._kinds)
            and self._first_change(id(params), id(grads), self._context) < 0
        ):
            return False
        return self._look_closely(params, grads)

    def watch(self, arrays: Sequence[NDArray[Any]]) -> None:
        """Let these arrays be written to in a step beside the parameters: a gradient that touches one is staged too.

        The next `read` looks closely and says that something has changed.
        """
        self._watched = [(_start(array), extent(array.shape, array.strides, array.itemsize)) for array in arrays]
        self._seen, self._first_change = [], None

    def _look_closely(self, params: list[Any], grads: list[Any]) -> bool:
        for name, parameter, gradient in zip(self.names, params, grads, strict=True):
            check_parameter(name, parameter)
            if gradient is not None:
                check_gradient(name, gradient, parameter)
        starts = [_start(array) for array in params]
        arrays = [_remember(array) for array in params]
        memory = self._memory
        if [(name.start, name.parameter) for name in self._seen] != list(zip(starts, arrays, strict=True)):
            places = [(start, array.span) for start, array in zip(starts, arrays, strict=True)]
            Memory(places).check_apart(self.names, params)
            watched = Memory(self._watched)
            for name, (start, span) in zip(self.names, places, strict=True):
                if watched.touched(start, span):
                    raise ValueError(
                        f"parameter {name!r} lies in the memory of the optimizer's own state, which a step writes "
                        "to as well; give a .copy() of it"
                    )
            memory = Memory(places + self._watched)
        seen = []
        grad_starts = [0 if gradient is None else _start(gradient) for gradient in grads]
        for start, array, gradient, grad_start in zip(starts, arrays, grads, grad_starts, strict=True):
            remembered = None if gradient is None else _remember(gradient)
            touches = remembered is not None and memory.touched(grad_start, remembered.span)
            seen.append(_Name(array, start, remembered, touches))
        if seen == self._seen:
            self._point(starts, grad_starts)
            return False
        # Nothing is refused from here on. An interruption leaves the gate as if it had seen nothing yet.
        self._seen, self._first_change = [], None
        self._point(starts, grad_starts)
        self._describe(seen)
        first_change = self._arm(seen, memory) if numba_available() else None
        self._seen, self._memory, self._first_change = seen, memory, first_change
        return True

    def _point(self, starts: list[int], grad_starts: list[int]) -> None:
        self.pointers[:, 0], self.pointers[:, 1] = starts, grad_starts

    def _describe(self, seen: list[_Name]) -> None:
        parameters = [name.parameter for name in seen]
        self.dtypes = tuple(array.dtype for array in parameters)
        self.compute_dtypes = tuple(map(compute_dtype, self.dtypes))
        self.shapes = tuple(array.shape for array in parameters)
        self.sizes = tuple(int(np.prod(array.shape, dtype=np.int64)) for array in parameters)
        contiguous = [array.flags & (_C_CONTIGUOUS | _F_CONTIGUOUS) for array in parameters]
        self.orders = tuple("F" if flags == _F_CONTIGUOUS else "C" for flags in contiguous)
        for i, (array, _, gradient, touches) in enumerate(seen):
            dtype = self.compute_dtypes[i]
            self.stage_param[i] = contiguous[i] == 0 or not array.flags & _ALIGNED or array.dtype != dtype
            wanted = _ALIGNED | (_F_CONTIGUOUS if self.orders[i] == "F" else _C_CONTIGUOUS)
            self.stage_grad[i] = gradient is not None and (
                touches
                or gradient.dtype != dtype
                or gradient.flags & wanted != wanted
                or issubclass(gradient.kind, np.generic)  # its memory lasts no longer than the look at it
            )

    def _arm(self, seen: list[_Name], memory: Memory) -> Callable[[int, int, int], int]:
        """Lay out what is remembered for the compiled comparison (`thalweg.engine.kernels.gate`), and return that."""
        rows = np.zeros((len(seen), 2, 9), np.intp)
        dims: list[NDArray[np.intp]] = []
        self._kinds = []
        for i, name in enumerate(seen):
            for side, array in enumerate((name.parameter, name.gradient)):
                if array is not None:  # a row of zeros is like no array
                    if array.dtype.kind != "f":  # bfloat16, which to C looks like any two bytes
                        self._kinds.append((i, side, array.dtype))
                    dims.append(np.array(array.shape + array.strides, np.intp))
                    last = int(name.touches) if side else name.start
                    row = (id(array.kind), len(array.shape), ord(array.dtype.kind), array.dtype.itemsize, array.flags)
                    rows[i, side] = (*row, dims[-1].ctypes.data, *array.span, last)
        where = [array.ctypes.data for array in (rows, self.pointers, memory.lows, memory.reach)]
        context = np.array([len(seen), id(None), id(_STRUCT), *where, len(memory.lows)], np.intp)
        self._context, self._alive = context.ctypes.data, (rows, dims, memory, context)
        return compiled("gate").first_change  # type: ignore[no-any-return]


def _start(array: Any) -> int:
    """Return the address of the first element."""
    return int(array.__array_interface__["data"][0])


def _remember(array: Any) -> _Array:
    flags = np.asarray(array).flags  # those of a NumPy number are its own, and not those of its array interface
    bits = (flags.c_contiguous, _C_CONTIGUOUS), (flags.f_contiguous, _F_CONTIGUOUS), (flags.aligned, _ALIGNED)
    word = sum(bit for is_set, bit in bits if is_set)
    word |= _WRITEABLE if flags.writeable else 0
    word |= _NOT_SWAPPED if array.dtype.isnative else 0
    span = extent(array.shape, array.strides, array.itemsize)
    return _Array(type(array), array.dtype, word, array.shape, array.strides, span)
