"""Turns loops over arrays into machine code when a process first calls them; later processes find it on the disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Number = Any
"""An integer within compiled loops: numpy's to the compiler, whatever Python makes of it to the type checker."""
Loop = TypeVar("Loop", bound=Callable[..., object])


def compiled(loop: Loop) -> Loop:
    """The loop as numba compiles it: on arrays and numbers alone, without bounds checks, floats as IEEE has them.

    The code is kept beside the module, or in the user's cache folder where that cannot be written; where neither can
    be, each process compiles anew, which takes some seconds.
    """
    try:
        return cast(Loop, numba.njit(loop, cache=True, nogil=True, error_model="numpy"))
    except RuntimeError:
        return cast(Loop, numba.njit(loop, nogil=True, error_model="numpy"))


def inlined(loop: Loop) -> Loop:
    """The same for a loop within another that is called for each of many short pieces: it becomes a part of the other,
    which costs less than handing it many arrays.
    """
    return cast(Loop, numba.njit(loop, nogil=True, error_model="numpy", inline="always"))
