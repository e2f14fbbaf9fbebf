"""Invented payment data with right check digits: cards, IBANs, accounts, crypto addresses."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from corpusforge.audit.draw import DIGITS, HEX, UPPER, Draw, Value

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

# Brand: prefixes and length (ISO/IEC 7812 ranges as the networks publish them).
CARDS: dict[str, tuple[tuple[str, ...], int]] = {
    "visa": (("4539", "4716", "4929"), 16),
    "visa-13": (("4485",), 13),
    "mastercard": (("52", "53", "54"), 16),
    "mastercard-2": (("2223", "2301", "2650"), 16),
    "amex": (("34", "37"), 15),
    "discover": (("6011", "6504"), 16),
    "jcb": (("3530", "3566"), 16),
    "diners": (("36", "38"), 14),
    "unionpay": (("6212", "6225"), 16),
    "maestro": (("6759", "5018"), 16),
    "mir": (("2200", "2204"), 16),
}

# Country: the form of the account part; n digits, a capitals, c either (SWIFT IBAN registry).
IBANS: dict[str, str] = {
    "DE": "18n", "GB": "4a14n", "FR": "10n11c2n", "ES": "20n", "IT": "1a10n12c", "NL": "4a10n", "PL": "24n",
    "PT": "21n", "SE": "20n", "NO": "11n", "DK": "14n", "FI": "14n", "CH": "5n12c", "AT": "16n", "BE": "12n",
    "IE": "4a14n", "CZ": "20n", "GR": "7n16c", "RO": "4a16c", "TR": "6n16c", "SA": "2n18c", "LU": "3n13c",
}  # fmt: skip


def luhn_digit(digits: str) -> str:
    """The check digit of the Luhn algorithm for a number without it (ISO/IEC 7812-1)."""
    doubled = [int(d) if i % 2 else int(d) * 2 - 9 * (int(d) > 4) for i, d in enumerate(reversed(digits))]
    return str(-sum(doubled) % 10)


def grouped(text: str, sizes: tuple[int, ...], by: str) -> str:
    """A text in groups; the last size repeats."""
    groups, at, k = [], 0, 0
    while at < len(text):
        size = sizes[min(k, len(sizes) - 1)]
        groups.append(text[at : at + size])
        at, k = at + size, k + 1
    return by.join(groups)


def card_groups(number: str) -> tuple[int, ...]:
    """How a card's number is embossed."""
    return {15: (4, 6, 5), 14: (4, 6, 4)}.get(len(number), (4,))


def card(brand: str) -> Callable[[Draw], Value]:
    """A maker of card numbers of one network, in groups."""
    prefixes, length = CARDS[brand]

    def make(draw: Draw) -> Value:
        head = draw.pick(prefixes)
        body = head + draw.chars(length - 1 - len(head))
        number = body + luhn_digit(body)
        return Value(grouped(number, card_groups(number), " "))

    return make


def iban(country: str) -> Callable[[Draw], Value]:
    """A maker of IBANs of one country, in groups of four."""

    def make(draw: Draw) -> Value:
        account, count = "", ""
        for c in IBANS[country]:
            if c.isdigit():
                count += c
                continue
            account += draw.chars(int(count), {"n": DIGITS, "a": UPPER, "c": DIGITS + UPPER}[c])
            count = ""
        check = 98 - int("".join(str(int(c, 36)) for c in f"{account}{country}00")) % 97
        return Value(grouped(f"{country}{check:02d}{account}", (4,), " "))

    return make


def _base58check(payload: bytes) -> str:
    raw = payload + hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = _BASE58[rest] + text
    return "1" * (len(raw) - len(raw.lstrip(b"\0"))) + text


def bitcoin(version: int) -> Callable[[Draw], Value]:
    """A maker of Base58Check addresses: version 0 begins with 1, version 5 with 3."""
    return lambda draw: Value(_base58check(bytes([version, *(draw.below(256) for _ in range(20))])))


def segwit(draw: Draw) -> Value:
    """A Bech32 address (BIP 173)."""
    data = [0, *(draw.below(32) for _ in range(31)), 16 * draw.below(2)]
    values = [3, 3, 0, 2, 3, *data, 0, 0, 0, 0, 0, 0]
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> i & 1 else 0
    check ^= 1
    data += [check >> 5 * (5 - i) & 31 for i in range(6)]
    return Value("bc1" + "".join(_BECH32[value] for value in data))


def ethereum(draw: Draw) -> Value:
    """An Ethereum address in lower case, which carries no checksum (ERC-55)."""
    return Value("0x" + draw.mixed(40, HEX))
