"""Invented ways to reach somebody: addresses, numbers, machines, handles; none of them in a reserved range."""

from __future__ import annotations

from collections.abc import Callable

from corpusforge.audit.draw import DIGITS, HEX, Draw, Value

Make = Callable[[Draw], Value]
_HEADS = ("tarv", "quil", "bren", "dolm", "hask", "vint", "korr", "melv", "stav", "orin", "plen", "grud", "wexl")
_TAILS = ("ano", "eby", "osk", "ard", "ivo", "une", "eld", "ock", "ira", "ust", "ewin", "aldo", "imer", "otte")


def word(draw: Draw) -> str:
    """A word of no language that could be somebody's handle, with two digits, so that it is nobody else's."""
    return draw.pick(_HEADS) + draw.pick(_TAILS) + draw.chars(2)


def letters(draw: Draw) -> str:
    """A word of letters alone, long enough to be nobody else's."""
    return draw.pick(_HEADS) + draw.pick(_TAILS) + draw.pick(_HEADS) + draw.pick(_TAILS)


def email(form: str) -> Make:
    """A maker of addresses. In `form` L stands for a word, W for a word with digits, 9 for a digit."""

    def make(draw: Draw) -> Value:
        text = "".join(
            letters(draw) if c == "L" else word(draw) if c == "W" else draw.pick("123456789") if c == "9" else c
            for c in form
        )
        local, _, host = text.partition("@")
        return Value(text, (local, host.partition(".")[0]))

    return make


EMAILS: dict[str, Make] = {
    "word": email("W@L.com"),
    "dotted": email("L.L@L.com"),
    "plus": email("L+W@L.net"),
    "digits": email("L999@L.org"),
    "underscore": email("L_L@L.de"),
    "hyphen": email("L-L@L-L.fr"),
    "subdomain": email("L@L.mail.L.com"),
    "two-part-suffix": email("L.W@L.co.uk"),
    "long-suffix": email("W@L.museum"),
    "new-suffix": email("W@L.dev"),
    "country-suffix": email("W@L.com.br"),
    "one-letter": email("L.9@L.io"),
}

# Region: the international form, the national one, the language; x stands for a digit from 2 to 9.
PHONES: dict[str, tuple[str, str, str]] = {
    "us": ("+1 415 8xx xxxx", "(415) 8xx-xxxx", "en"),
    "ca": ("+1 604 6xx xxxx", "604-6xx-xxxx", "en"),
    "gb": ("+44 20 7xxx xxxx", "020 7xxx xxxx", "en"),
    "gb-mobile": ("+44 7975 xxxxxx", "07975 xxxxxx", "en"),
    "de": ("+49 30 8xxxxxxx", "030 8xxxxxxx", "de"),
    "de-mobile": ("+49 151 2xxxxxxx", "0151 2xxxxxxx", "de"),
    "fr": ("+33 6 6x xx xx xx", "06 6x xx xx xx", "fr"),
    "es": ("+34 612 xx xx xx", "612 xx xx xx", "es"),
    "it": ("+39 347 xxx xxxx", "347 xxx xxxx", "it"),
    "pt": ("+351 912 xxx xxx", "912 xxx xxx", "pt"),
    "nl": ("+31 6 4xxxxxxx", "06-4xxxxxxx", "nl"),
    "pl": ("+48 601 xxx xxx", "601 xxx xxx", "pl"),
    "se": ("+46 70 xxx xx xx", "070-xxx xx xx", "en"),
    "no": ("+47 412 xx xxx", "412 xx xxx", "en"),
    "ch": ("+41 79 xxx xx xx", "079 xxx xx xx", "de"),
    "at": ("+43 664 xxxxxxx", "0664 xxxxxxx", "de"),
    "in": ("+91 982xx xxxxx", "0982xx xxxxx", "en"),
    "br": ("+55 11 98xxx-xxxx", "(11) 98xxx-xxxx", "pt"),
    "mx": ("+52 55 4xxx xxxx", "55 4xxx xxxx", "es"),
    "au": ("+61 412 xxx xxx", "0412 xxx xxx", "en"),
    "jp": ("+81 90 4xxx xxxx", "090-4xxx-xxxx", "ja"),
    "cn": ("+86 138 xxxx xxxx", "138 xxxx xxxx", "zh"),
    "ru": ("+7 916 xxx-xx-xx", "8 (916) xxx-xx-xx", "ru"),
    "za": ("+27 82 4xx xxxx", "082 4xx xxxx", "en"),
    "il": ("+972 52-xxx-xxxx", "052-xxx-xxxx", "en"),
    "sg": ("+65 91xx xxxx", "91xx xxxx", "en"),
}


def phone(form: str) -> Make:
    """A maker of numbers of one form; whoever knows the last six digits has found the person."""

    def make(draw: Draw) -> Value:
        text = "".join(draw.pick(DIGITS[2:]) if c == "x" else c for c in form)
        digits = "".join(c for c in text if c.isdigit())
        return Value(text, (digits[-9:], digits[-6:]))

    return make


def ipv4(draw: Draw) -> Value:
    """A public IPv4 address."""
    host = [draw.pick((62, 81, 84, 91, 93, 109, 151, 176, 188, 212)), *(draw.between(32, 250) for _ in range(3))]
    return Value(".".join(map(str, host)), (".".join(map(str, host[:3])), ".".join(map(str, host[1:]))))


def ipv4_port(draw: Draw) -> Value:
    """An address with a port."""
    value = ipv4(draw)
    return Value(f"{value.text}:{draw.between(2001, 64000)}", (value.text, *value.parts))


def ipv6(draw: Draw) -> Value:
    """A whole global IPv6 address."""
    groups = [draw.pick(("2a02", "2a01", "2003", "2600")), *(draw.pick(HEX[1:]) + draw.mixed(3, HEX) for _ in range(7))]
    return Value(":".join(groups))


def ipv6_short(draw: Draw) -> Value:
    """An IPv6 address with a gap."""
    groups = [draw.pick(("2a02", "2a01", "2003")), *(draw.pick(HEX[1:]) + draw.mixed(3, HEX) for _ in range(3))]
    return Value(f"{groups[0]}:{groups[1]}::{groups[2]}:{groups[3]}")


def mac(by: str, size: int = 2) -> Make:
    """A maker of hardware addresses: colons, dashes, or Cisco's dots."""

    def make(draw: Draw) -> Value:
        pairs = "".join(draw.pick("0123456789abcdef") + draw.pick("0482ace") for _ in range(5)) + draw.mixed(2, HEX)
        text = by.join(pairs[i : i + size] for i in range(0, 12, size))
        return Value(text, (pairs[:6] + pairs[6:10], pairs[2:]))

    return make


def handle(form: str) -> Make:
    """A maker of user names; W stands for a word with digits, L for letters, U for a capital one."""

    def make(draw: Draw) -> Value:
        marks = {"W": word(draw), "L": letters(draw), "U": letters(draw).capitalize()}
        text = "".join(marks.get(c, c) for c in form)
        return Value(text, (text,))

    return make


HANDLES: dict[str, Make] = {
    "word": handle("W"),
    "underscore": handle("L_W"),
    "capitals": handle("UU"),
    "dotted": handle("L.L"),
}


def hostmask(form: str) -> Make:
    """A maker of IRC identities; N is the nick, I the user, H the host."""

    def make(draw: Draw) -> Value:
        nick, user = word(draw), word(draw)
        host = f"{word(draw)}.dsl.{letters(draw)}.net"
        text = form.replace("N", nick).replace("I", user).replace("H", host)
        return Value(text, tuple(part for part in (nick, user, host.partition(".")[0]) if part in text))

    return make


HOSTMASKS: dict[str, Make] = {
    "whole": hostmask("N!~I@H"),
    "joined": hostmask("N [~I@H] has joined"),
    "host": hostmask("~I@H"),
}


def url(form: str) -> Make:
    """A maker of addresses that open something: `token`, `user` and `password`, `host`; the host alone is no leak."""

    def make(draw: Draw) -> Value:
        token, user, password = draw.mixed(28), word(draw), draw.mixed(14)
        text = form.format(token=token, user=user, password=password, host=letters(draw))
        return Value(text, tuple(part for part in (token, user, password) if part in text))

    return make


URLS: dict[str, Make] = {
    "reset": url("https://app.{host}.com/reset?token={token}"),
    "session": url("https://{host}.com/chat?session_id={token}&lang=en"),
    "basic-auth": url("https://{user}:{password}@files.{host}.com/export"),
    "signed": url("https://{host}.s3.amazonaws.com/report.pdf?X-Amz-Signature={token}"),
    "path": url("https://hooks.{host}.com/services/{token}"),
    "fragment": url("https://{host}.com/login#access_token={token}"),
    "invite": url("https://meet.{host}.com/join?pwd={token}"),
    "key": url("http://api.{host}.com/v2/orders?api_key={token}"),
}
