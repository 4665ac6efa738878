"""Compares arrays with what is remembered of them, through the array interface that NumPy documents for C.

`__array_struct__` is a capsule with a pointer to a PyArrayInterface; the rest is Python's stable C interface.
"""

from __future__ import annotations

import ctypes

import numpy as np
from numba import types

from thalweg.engine.kernels.memory import VOID_POINTER, address_of, load, pointer, store
from thalweg.engine.policy import inlined, kernel


class ArrayInterface(ctypes.Structure):
    """numpy.org/doc/stable/reference/arrays.interface.html, "C-struct access"."""

    _fields_ = (
        ("two", ctypes.c_int),
        ("nd", ctypes.c_int),
        ("typekind", ctypes.c_char),
        ("itemsize", ctypes.c_int),
        ("flags", ctypes.c_int),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("data", ctypes.c_void_p),
        ("descr", ctypes.c_void_p),
    )


ND, TYPEKIND, ITEMSIZE, FLAGS, SHAPE, STRIDES, DATA = (
    getattr(ArrayInterface, field).offset
    for field in ("nd", "typekind", "itemsize", "flags", "shape", "strides", "data")
)
FLAGS_READ = 0x1 | 0x2 | 0x100 | 0x200 | 0x400
"""C-contiguous, F-contiguous, aligned, not byte-swapped, writable; the other flags say nothing about the numbers."""
WORD = ctypes.sizeof(ctypes.c_void_p)

PyList_GetItem = types.ExternalFunction("PyList_GetItem", VOID_POINTER(VOID_POINTER, types.intp))
PyObject_Type = types.ExternalFunction("PyObject_Type", VOID_POINTER(VOID_POINTER))
PyObject_GetAttr = types.ExternalFunction("PyObject_GetAttr", VOID_POINTER(VOID_POINTER, VOID_POINTER))
PyCapsule_GetPointer = types.ExternalFunction("PyCapsule_GetPointer", VOID_POINTER(VOID_POINTER, VOID_POINTER))
PyErr_Clear = types.ExternalFunction("PyErr_Clear", types.void())
Py_DecRef = types.ExternalFunction("Py_DecRef", types.void(VOID_POINTER))

DIFFERENT = -1


@inlined
def word(address: int, index: int) -> int:
    """The intp at this index behind the address."""
    return int(load(address + WORD * index, np.intp))


@inlined
def data_if_same(array: int, name: int, row: int) -> int:
    """Return the address of an array's first element if all that the row says is true of the array; else -1."""
    kind = PyObject_Type(pointer(array))
    same = address_of(kind) == word(row, 0)
    Py_DecRef(kind)
    if not same:
        return DIFFERENT
    capsule = PyObject_GetAttr(pointer(array), pointer(name))
    if address_of(capsule) == 0:
        PyErr_Clear()
        return DIFFERENT
    interface = address_of(PyCapsule_GetPointer(capsule, pointer(0)))
    if interface == 0:
        PyErr_Clear()
        Py_DecRef(capsule)
        return DIFFERENT
    nd = load(interface + ND, np.int32)
    same = (
        nd == word(row, 1)
        and load(interface + TYPEKIND, np.uint8) == word(row, 2)
        and load(interface + ITEMSIZE, np.int32) == word(row, 3)
        and load(interface + FLAGS, np.int32) & FLAGS_READ == word(row, 4)
    )
    if same:
        dims = word(row, 5)
        shape = load(interface + SHAPE, np.intp)
        strides = load(interface + STRIDES, np.intp)
        for axis in range(nd):
            same = same and word(shape, axis) == word(dims, axis) and word(strides, axis) == word(dims, nd + axis)
    data = load(interface + DATA, np.intp)
    Py_DecRef(capsule)
    return data if same else DIFFERENT


@inlined
def touched(low: int, high: int, lows: int, reach: int, count: int) -> bool:
    """Whether the bytes from low to high overlap one of the spans (see `arrays.Memory`)."""
    first, last = 0, count
    while first < last:
        middle = (first + last) // 2
        if word(lows, middle) < high:
            first = middle + 1
        else:
            last = middle
    return first > 0 and low < high and word(reach, first - 1) > low


@kernel("intp(intp, intp, intp)", holds_gil=True)
def first_change(parameters: int, gradients: int, context: int) -> int:
    """Reads the data pointers of all arrays; the index of the first name whose arrays are not as remembered, or -1.

    parameters, gradients: addresses of two lists that the caller holds, with one object for each name.
    context: address of nine words: number of names; addresses of None and of the string "__array_struct__"; of the rows
        (two for each name, of nine words: type, nd, typekind, itemsize, flags, address of shape and strides, lowest and
        highest byte as offsets, then the data pointer of the parameter or whether the gradient touches a parameter);
        of the pointers to be written (parameter, gradient); of lows and reach (`arrays.Memory`), and their number.
    """
    none, name, rows, pointers = word(context, 1), word(context, 2), word(context, 3), word(context, 4)
    lows, reach, spans = word(context, 5), word(context, 6), word(context, 7)
    for i in range(word(context, 0)):
        row = rows + 18 * WORD * i
        data = data_if_same(address_of(PyList_GetItem(pointer(parameters), i)), name, row)
        if data == DIFFERENT or data != word(row, 8):
            return i
        store(pointers + 2 * WORD * i, data)
        gradient = address_of(PyList_GetItem(pointer(gradients), i))
        data = 0
        row += 9 * WORD
        if gradient == none:
            if word(row, 0) != 0:  # there was one at the last step
                return i
        else:
            data = data_if_same(gradient, name, row)
            if data == DIFFERENT:
                return i
            if touched(data + word(row, 6), data + word(row, 7), lows, reach, spans) != (word(row, 8) != 0):
                return i
        store(pointers + 2 * WORD * i + WORD, data)
    return -1
