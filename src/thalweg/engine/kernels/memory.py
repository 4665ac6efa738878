"""Memory by address, for kernels. The caller guarantees that what is read or written is there.

An address is an intp. Nothing is compiled here: these words become instructions of the kernels that use them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.extending import intrinsic

VOID_POINTER = types.voidptr


def instruction(function: Callable[..., Any]) -> Any:
    """Make a word for kernels of the function that types it; Any, since that function has arguments of its own."""
    return intrinsic(function)


@instruction
def pointer(_typing: Any, _address: Any) -> Any:
    """`pointer(address)`: the address as a void pointer, as C functions and `numba.carray` take it."""

    def build(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(VOID_POINTER))

    return VOID_POINTER(types.intp), build


@instruction
def address_of(_typing: Any, _pointer: Any) -> Any:
    """`address_of(pointer)`: a void pointer as an address."""

    def build(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ptrtoint(arguments[0], context.get_value_type(types.intp))

    return types.intp(VOID_POINTER), build


@instruction
def load(_typing: Any, _address: Any, dtype: Any) -> Any:
    """`load(address, np.int32)`: the number of this dtype at the address."""
    number = dtype.dtype

    def build(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(arguments[0], context.get_data_type(number).as_pointer()))

    return number(types.intp, dtype), build


@instruction
def store(_typing: Any, _address: Any, value: Any) -> Any:
    """`store(address, value)`: writes the number to the address, in the value's own type."""

    def build(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        builder.store(arguments[1], builder.inttoptr(arguments[0], arguments[1].type.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.intp, value), build
