"""An attribute that is found when first asked for: as `functools.cached_property`, without its lock.

Up to Python 3.11 that lock costs more than many of the values here; no value is shared between threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")


class lazily(Generic[T]):
    """A method's value, found once for each instance and then an attribute of it."""

    def __init__(self, found: Callable[[Any], T]) -> None:
        self._found = found
        self.__doc__ = found.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> Self | T:
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._found(instance)
        return value
