"""Invented numbers that lead to somebody in a company's own systems: orders, customers, tickets, documents."""

from __future__ import annotations

from collections.abc import Callable

from corpusforge.audit.draw import UPPER, Draw, Value

Make = Callable[[Draw], Value]


def numbered(form: str) -> Make:
    """A maker of numbers: A stands for a capital, 9 for a digit."""

    def make(draw: Draw) -> Value:
        text = "".join(draw.pick(UPPER) if c == "A" else draw.pick("123456789") if c == "9" else c for c in form)
        return Value(text)

    return make


ORDERS: dict[str, Make] = {
    "digits": numbered("9999999999"),
    "hash": numbered("#99999999"),
    "dashed": numbered("999-9999999-9999999"),
    "lettered": numbered("AA99999999"),
    "prefixed": numbered("ORD-9999-99999"),
}
CUSTOMERS: dict[str, Make] = {
    "digits": numbered("999999999"),
    "lettered": numbered("A99-999999"),
    "prefixed": numbered("CUST-9999999"),
}
TICKETS: dict[str, Make] = {
    "hash": numbered("#9999999"),
    "prefixed": numbered("INC99999999"),
    "dashed": numbered("HELP-9999999"),
}
ACCOUNTS: dict[str, Make] = {"us": numbered("99999999999"), "policy": numbered("AA999999999")}
LICENCES: dict[str, Make] = {"us": numbered("A9999999"), "gb": numbered("AAAAA999999AA9AA")}
