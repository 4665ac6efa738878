"""The one place that decides whether Numba is there to be used."""

from __future__ import annotations

import functools
import logging

logger = logging.getLogger("thalweg")


@functools.cache
def numba_available() -> bool:
    """Whether kernels can be compiled. The first call imports Numba; where that fails, one line says so, once.

    Without Numba everything works through the meaning of the rules, with the same results.
    """
    try:
        import numba
    except Exception as error:  # noqa: BLE001 - an installation can be broken in more ways than an ImportError
        reason = f"Numba cannot be imported ({type(error).__name__}: {error})".replace("\n", " ")
    else:
        if not numba.config.DISABLE_JIT:
            return True
        reason = "Numba is switched off by NUMBA_DISABLE_JIT"
    logger.warning("%s; thalweg runs through NumPy", reason)
    return False
