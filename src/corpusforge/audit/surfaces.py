"""The forms in which one value is written: plain, in other case, in markup and data, or disguised."""

from __future__ import annotations

import html
from collections.abc import Callable

import orjson

from corpusforge.audit.draw import Value

# How a carrier comes out: the lines or turns to plant, given the cue, the value's text and the sentence around it.
_SPOKEN = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

# Surfaces that spell the value otherwise and keep its characters in their order.
SPELLED: dict[str, Callable[[str], str]] = {
    "plain": lambda v: v,
    "lower": str.lower,
    "upper": str.upper,
    "solid": lambda v: "".join(c for c in v if c.isalnum()),
    "dashed": lambda v: v.replace(" ", "-"),
    "dotted": lambda v: v.replace(" ", ".").replace("-", "."),
}

# Surfaces that put something around the value.
AROUND: dict[str, Callable[[str], str]] = {
    "bold": lambda v: f"**{v}**",
    "angle": lambda v: f"<{v}>",
    "parentheses": lambda v: f"({v})",
    "quotes": lambda v: f"“{v}”",
    "backtick": lambda v: f"`{v}`",
    "comma": lambda v: f"{v}, and that is all",
    "slash": lambda v: f"{v}/none",
    "mailto": lambda v: f"[write to me](mailto:{v})",
    "link": lambda v: f"[open it]({v})",
    "at-sign": lambda v: f"@{v}",
}

# Surfaces that bring their own lines; the cue is part of them.
BLOCKS: dict[str, Callable[[str, str], str]] = {
    "json": lambda c, v: orjson.dumps({"note": "as agreed", c.replace(" ", "_"): v}).decode(),
    "table": lambda c, v: f"| field | value |\n|---|---|\n| {c} | {v} |",
    "code": lambda c, v: f"```\n{c.replace(' ', '_')} = {v}\n```",
    "quoted": lambda c, v: f"> On Tuesday you wrote:\n> {c}: {v}",
    "csv": lambda c, v: f"1042;open;{c};{v};none",
    "log": lambda c, v: f"10:11:12 INFO saved {c}={v} ok",
    "list": lambda c, v: f"- {c}: {v}\n- topic: other",
    "cell": lambda c, v: f"<tr><td>{c}</td><td>{v}</td></tr>",
}

# Surfaces that hide the value from whoever looks for its form.
DISGUISED: dict[str, Callable[[str], str]] = {
    "at-dot": lambda v: v.replace("@", " at ").replace(".", " dot "),
    "brackets": lambda v: v.replace("@", " [at] ").replace(".", "[dot]"),
    "apart": lambda v: " ".join(c for c in v if c.isalnum()),
    "spoken": lambda v: " ".join(_SPOKEN[int(c)] if c.isdigit() else "plus" for c in v if c.isdigit() or c == "+"),
    "full-width": lambda v: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in v),
    "entity": lambda v: html.escape(v).replace("@", "&#64;").replace(".", "&#46;"),
    "percent": lambda v: v.replace("@", "%40").replace(":", "%3A"),
    "zero-width": lambda v: v[: len(v) // 2] + "\u200b" + v[len(v) // 2 :],
    "two-lines": lambda v: v[: len(v) // 2] + "\n" + v[len(v) // 2 :],
    "two-turns": lambda v: v,
}

_ANY = ("bold", "parentheses", "quotes", "comma", "json", "table", "code", "quoted", "csv", "log", "list", "cell")
_NUMBER = ("solid", "dashed", "dotted", *_ANY)
# Kind: the surfaces that make sense for it.
SURFACES: dict[str, tuple[str, ...]] = {
    "email": ("upper", "angle", "mailto", *_ANY, "at-dot", "brackets", "full-width", "entity", "percent", "zero-width",
              "two-lines"),
    "phone": (*_NUMBER, "slash", "apart", "spoken", "full-width", "two-lines", "two-turns"),
    "card": (*_NUMBER, "apart", "spoken", "full-width", "zero-width", "two-lines", "two-turns"),
    "iban": ("solid", "lower", "dashed", *_ANY, "apart", "two-lines"),
    "ssn": ("solid", *_ANY, "apart", "spoken", "two-turns"),
    "national-id": ("solid", "lower", *_ANY, "apart"),
    "ip": ("angle", "backtick", *_ANY, "at-dot", "full-width"),
    "mac": ("upper", "angle", "backtick", *_ANY),
    "crypto": ("backtick", *_ANY),
    "url": ("angle", "link", "backtick", *_ANY, "brackets"),
    "secret": ("backtick", *_ANY, "two-lines"),
    "password": ("backtick", "quotes", "json", "code", "quoted", "csv", "log", "cell"),
    "code": ("quotes", "table"),
    "username": ("at-sign", "bold", "quotes", "json", "table", "log"),
    "hostmask": ("parentheses", "backtick"),
    "order-id": ("lower", "bold", "parentheses", "json", "table", "log", "apart"),
    "customer-id": ("lower", "bold", "json", "table", "log"),
    "ticket-id": ("parentheses", "json", "table"),
    "account": ("json", "table", "quoted"),
    "address": ("lower", "upper", "json", "table", "quoted"),
    "date-of-birth": ("parentheses", "json", "table", "quoted"),
    "passport": ("lower", "json", "table"),
    "licence": ("lower", "table"),
    "name": ("lower", "upper", "bold", "quotes", "json", "table", "quoted", "cell"),
}  # fmt: skip


def spelled(value: Value, surface: str) -> Value:
    """The value as a surface spells it; a spoken number's parts are its words. What stands around it is not in it."""
    form = DISGUISED.get(surface) or SPELLED.get(surface)
    text = value.text if form is None else form(value.text)
    if surface == "spoken":
        words = text.split()
        return Value(text, (" ".join(words[-6:]), " ".join(words[:6])))
    return Value(text, value.parts)


def surrounded(text: str, surface: str) -> str:
    """A spelled value with what the surface puts around it."""
    form = AROUND.get(surface)
    return text if form is None else form(text)


def turns(value: Value) -> tuple[str, str]:
    """The value in two halves, for two turns; cut at a space if there is one near the middle."""
    middle = len(value.text) // 2
    spaces = [i for i, c in enumerate(value.text) if not c.isalnum() and 2 < i < len(value.text) - 2]
    cut = min(spaces, key=lambda i: abs(i - middle)) if spaces else middle
    return value.text[:cut], value.text[cut:].lstrip()
