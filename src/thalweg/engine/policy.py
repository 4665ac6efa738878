"""Compiler policy: every option that a kernel is compiled with, and why. No other file passes options to Numba.

The text of a compiled module, generated or written by hand, says

    from thalweg.engine.policy import kernel

    @kernel("void(intp, intp)")
    def ...

and is made a module by `thalweg.engine.cache.compile_module`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS: dict[str, Any] = {
    # Kernels run on several of our threads at once, so they give the interpreter lock back while they run.
    "nogil": True,
    # No reordering, no assumptions about NaN, no contraction to fused multiply-add: a kernel must give the bits that
    # the meaning of the rule gives. Costs 1 to 2 % against contracted code.
    "fastmath": False,
    # A division by zero is an infinity or a NaN, as in NumPy. With Python's model every division would be a branch that
    # raises, which also keeps the loop from being vectorised.
    "error_model": "numpy",
    # Pointers and lengths are checked by the gate, once a step and before the kernel.
    "boundscheck": False,
    # Numba's own threads abort the process on concurrent use (workqueue) or kill forked children (OpenMP); kernels are
    # serial and `thalweg.engine.threads` shares them out.
    "parallel": False,
    # Kernels are called from Python and from each other, never through a C function pointer: leaving that entry out
    # saves a fifth of the time to compile.
    "no_cfunc_wrapper": True,
}


def kernel(signature: str, *, holds_gil: bool = False) -> Callable[[F], F]:
    """Return a decorator that compiles a function now, for this signature alone, with `OPTIONS`.

    signature: a Numba signature such as "void(intp, intp)". Nothing is ever compiled for other types afterwards.
    holds_gil: keep the interpreter lock, for a kernel that reads Python objects.

    A function of a module that has a file is cached beside that file, and nowhere else; a function of a module without
    a file is not cached.
    """

    def compile_now(function: F) -> F:
        dispatcher = _njit(function, holds_gil=holds_gil)
        file = cast("FunctionType", function).__globals__.get("__file__")
        if file is not None:
            dispatcher.enable_caching()
            # Before anything is read from there: Numba unpickles what it finds.
            if Path(dispatcher.stats.cache_path) != Path(file).parent / "__pycache__":
                raise RuntimeError(f"Numba would cache {file} in {dispatcher.stats.cache_path}")
        dispatcher.compile(signature)
        dispatcher.disable_compile()
        return dispatcher  # type: ignore[no-any-return]

    return compile_now


def inlined(function: F) -> F:
    """Mark a helper of kernels: compiled, for the types that it is called with, into each kernel that calls it."""
    return _njit(function, holds_gil=False)  # type: ignore[no-any-return]


def _njit(function: Callable[..., Any], *, holds_gil: bool) -> Any:
    from numba import njit

    return njit(**OPTIONS | {"nogil": not holds_gil})(function)
