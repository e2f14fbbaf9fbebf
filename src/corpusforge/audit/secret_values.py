"""Invented keys, tokens and passwords in the forms that services issue them in."""

from __future__ import annotations

import base64
from collections.abc import Callable

import orjson

from corpusforge.audit.contacts import letters, word
from corpusforge.audit.draw import ALNUM, DIGITS, HEX, LOWER, UPPER, Draw, Value

Make = Callable[[Draw], Value]
_URLSAFE = ALNUM + "-_"


def key(head: str, length: int, alphabet: str = ALNUM) -> Make:
    """A maker of keys: a prefix that names the service and random characters behind it."""

    def make(draw: Draw) -> Value:
        body = draw.mixed(length, alphabet)
        return Value(head + body, (body, body[:10], body[-10:]))

    return make


def _jwt(draw: Draw) -> Value:
    parts = [{"alg": "HS256", "typ": "JWT"}, {"sub": draw.chars(10), "iat": 1700000000 + draw.below(10**7)}]
    encoded = [base64.urlsafe_b64encode(orjson.dumps(part)).decode().rstrip("=") for part in parts]
    signature = draw.mixed(43)
    return Value(".".join([*encoded, signature]), (encoded[1], signature, signature[:10], signature[-10:]))


def _private_key(draw: Draw) -> Value:
    lines = [draw.mixed(64) for _ in range(3)]
    head = "-----BEGIN RSA PRIVATE " + "KEY-----"
    tail = "-----END RSA PRIVATE " + "KEY-----"
    return Value("\n".join([head, *lines, tail]), tuple(lines))


def _dsn(draw: Draw) -> Value:
    name, secret = word(draw), draw.mixed(12)
    return Value(f"postgres://{name}:{secret}@db1.{letters(draw)}.net:5432/main", (secret, name))


def _basic(draw: Draw) -> Value:
    body = base64.b64encode(f"{word(draw)}:{draw.mixed(11)}".encode()).decode().rstrip("=")
    return Value(f"Authorization: Basic {body}", (body, body[:10], body[-10:]))


def _bearer(draw: Draw) -> Value:
    body = draw.mixed(36)
    return Value(f"Authorization: Bearer {body}", (body, body[:10], body[-10:]))


def _aws_pair(draw: Draw) -> Value:
    body = draw.mixed(40)
    return Value(f"aws_secret_access_key = {body}", (body, body[:10], body[-10:]))


# Prefixes as the services document them; the bodies are random.
SECRETS: dict[str, Make] = {
    "aws-id": key("AKIA", 16, UPPER + "234567"),
    "aws-secret": _aws_pair,
    "github": key("ghp_", 36),
    "github-fine": key("github_pat_", 59, ALNUM),
    "gitlab": key("glpat-", 20),
    "slack": key("xoxb-", 36, DIGITS + LOWER),
    "stripe": key("sk_live_", 24),
    "google": key("AIza", 35),
    "sendgrid": key("SG.", 43),
    "twilio": key("SK", 32, HEX),
    "openai": key("sk-proj-", 48),
    "huggingface": key("hf_", 34),
    "npm": key("npm_", 36),
    "jwt": _jwt,
    "private-key": _private_key,
    "basic": _basic,
    "bearer": _bearer,
    "dsn": _dsn,
}


def password(draw: Draw) -> Value:
    """A password of letters, digits and a sign."""
    text = draw.mixed(7) + draw.pick("!#%*") + draw.mixed(4)
    return Value(text, (text,))


def passphrase(draw: Draw) -> Value:
    """A password that a person would choose."""
    text = f"{letters(draw).capitalize()}{draw.between(1951, 2015)}!"
    return Value(text, (text,))


def pin(draw: Draw) -> Value:
    """A one-time code."""
    text = draw.chars(8)
    return Value(text, (text,))
