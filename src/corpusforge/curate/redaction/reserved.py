"""Findings that are no personal data: private and example addresses, version numbers, dates, table columns."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from corpusforge.curate.redaction.findings import Finding
from corpusforge.curate.redaction.words import vocabulary, world_names

_ALWAYS = tuple(
    ipaddress.ip_network(net)
    for net in (
        "0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3",
        "::/127", "fe80::/10", "fc00::/7", "ff00::/8",
    )
)  # fmt: skip
_EXAMPLE = tuple(
    ipaddress.ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)
# RFC 2606 and RFC 6761 names, and the one-word stand-ins that documentation uses.
_EXAMPLE_HOST = re.compile(
    r"(?:^|[.@])(?:example\.(?:com|org|net|edu)|[\w-]+\.(?:example|test|invalid|localhost)|localhost(?:\.localdomain)?"
    r"|(?:your|my)?-?(?:domain|company|host|server|site|isp|provider)(?:name)?\.(?:com|org|net|tld)|foo\.(?:com"
    r"|org)|bar\.com)"
    r"(?:[:/?].*)?$",
    re.IGNORECASE,
)
_GENERIC_AT = re.compile(r"(?:git|hg|svn|cvs|anoncvs|anonymous|user(?:name)?|you|root|name|login)@", re.IGNORECASE)
_VERSION_BEFORE = re.compile(
    r"(?:[-_~+=/]|\b(?:v|ver|version|release|rev|revision|driver|firmware|kernel|linux|build|package|libc|python"
    r"|section|chapter|figure|table|§)[ .:=]{0,2})$",
    re.IGNORECASE,
)
_ADDRESS_BEFORE = re.compile(
    r"(?:ip|addr\w*|adres\w*|dirección|indirizzo|host|server|router|gateway|dns|peer|client|from|src|dst)[\"']?[=:]$",
    re.IGNORECASE,
)
_ADDRESS_NEAR = re.compile(
    r"\b(?:ip|ipv4|addr\w*|adres\w*|host\w*|server|router|gateway|dns|peer|client|from|ping|ssh|route|://)|:\d{2}",
    re.IGNORECASE,
)
_VERSION_AFTER = re.compile(r"(?:[-_~+][A-Za-z0-9]|[a-z]\d|\.tar|\.deb|\.rpm|\.zip|\.\d)")
_DATE_OR_TIME = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:\D.*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}(?:\D.*)?|\d{4}[-–]\d{4}|(?:19"
    r"|20)\d{6}(?:[-T ]?\d{2,6})?"
)
_PHONE_CUE = re.compile(r"\b(?:phone|mobile|cell|tel|call|fax|whatsapp|number|contact|reach|text|dial)", re.IGNORECASE)
_GLUED_BEFORE = re.compile(r"[\w.=/#:_\\,-]$")
_GLUED_AFTER = re.compile(r"[\w=_\\]|[.,:/-]\w")
_FICTION = re.compile(r"(?:555-?01\d\d$)|(?:^|\D)(?:1?800|888|555)\D?555\D?\d{4}$")
_TEST_CARDS = frozenset(
    re.findall(
        r"\S+",
        """
        4111111111111111 4242424242424242 4012888888881881 5555555555554444 5105105105105100 378282246310005
        371449635398431 6011111111111117 30569309025904 3530111333300000 4000056655665556
        """,
    )
)


@lru_cache(maxsize=4096)
def _inside(address: str, networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]) -> bool:
    try:
        value = ipaddress.ip_interface(address).ip
    except ValueError:
        return False
    return any(value.version == network.version and value in network for network in networks)


def harmless(window: str, finding: Finding, *, chat: bool, keep_reserved: bool) -> bool:
    """Whether a finding points at nobody. Private addresses and versions never do; values reserved for examples
    (RFC 2606, 5737, 3849; 555-01xx; card networks' test numbers) are kept where `keep_reserved` says so.
    """
    value = window[finding.start : finding.end]
    if keep_reserved and finding.detector in ("shell-prompt", "home-path"):
        return _in_a_manual(value)
    if finding.kind == "IP_ADDRESS" and not chat and _section(window, finding, value):
        return True
    if finding.kind == "IP_ADDRESS" and finding.detector == "IpRecognizer":
        return _inside(value, _ALWAYS) or (keep_reserved and _inside(value, _EXAMPLE)) or _version(window, finding)
    if finding.kind == "PHONE_NUMBER":
        return (keep_reserved and bool(_FICTION.search(value))) or _no_phone(window, finding, value, chat)
    if finding.kind in ("EMAIL_ADDRESS", "HOSTMASK", "URL"):
        return _no_mail(finding, value, keep_reserved)
    if finding.kind == "CREDIT_CARD" and keep_reserved:
        return "".join(character for character in value if character.isdecimal()) in _TEST_CARDS
    if finding.detector == "UkNinoRecognizer":
        return not any(character.isupper() for character in value)
    return False


def _in_a_manual(value: str) -> bool:
    """Whether a prompt or a home folder of a manual is its author's example: `pete@icebox`, `/home/wanda`."""
    user, _, host = value.casefold().partition("@")
    return (bool(host) and "." not in host) or user in world_names() or user in vocabulary()


def _section(window: str, finding: Finding, value: str) -> bool:
    """Whether four small numbers count sections or versions, as `5.8.4.2` does, unless something says address."""
    if finding.detector != "IpRecognizer" or not re.fullmatch(r"(?:[1-3]?\d\.){3}[1-3]?\d", value):
        return False
    around = window[max(0, finding.start - 40) : finding.start] + window[finding.end : finding.end + 8]
    return not _ADDRESS_NEAR.search(around)


def _version(window: str, finding: Finding) -> bool:
    before = window[max(0, finding.start - 12) : finding.start]
    after = window[finding.end : finding.end + 5]
    if ":" in window[finding.start : finding.end]:
        value = window[finding.start : finding.end]
        # `std::dec`, `a::b` and times are no addresses: an IPv6 address has a digit and three groups or more.
        return not any(c.isdigit() for c in value) or (value.count(":") < 4 and not value.startswith("2"))
    if _ADDRESS_BEFORE.search(window, max(0, finding.start - 24), finding.start):
        return False
    return bool((_VERSION_BEFORE.search(before) and not before.endswith("//")) or _VERSION_AFTER.match(after))


def _no_phone(window: str, finding: Finding, value: str, chat: bool) -> bool:
    if finding.detector == "phone-cue":
        return bool(_DATE_OR_TIME.fullmatch(value)) or bool(re.fullmatch(r"\d{1,3}(?:\.\d{1,3}){3}", value))
    before = window[max(0, finding.start - 48) : finding.start]
    if finding.detector == "PhoneRecognizer" and not value.startswith(("+", "(")):
        if _GLUED_BEFORE.search(before) or _GLUED_AFTER.match(window[finding.end : finding.end + 2]):
            return True
        if _DATE_OR_TIME.fullmatch(value) or re.fullmatch(r"\d{1,3}(?:\.\d{1,3}){3}.*", value):
            return True
        groups = re.findall(r"\d+", value)
        if len(groups) == 1 or len(set(map(len, groups))) == 1 or max(map(len, groups)) > 8:
            return not (_PHONE_CUE.search(before) or (chat and len(groups) == 1 and 10 <= len(groups[0]) <= 12))
    return False


def _no_mail(finding: Finding, value: str, keep_reserved: bool) -> bool:
    if finding.kind == "URL":
        return keep_reserved and bool(_EXAMPLE_HOST.search(re.sub(r"^.*?://(?:[^/@]*@)?", "", value).split("/")[0]))
    if value.casefold().endswith(("@localhost", "@127.0.0.1")):
        return True
    if keep_reserved and _EXAMPLE_HOST.search(value):
        return True
    # `git@github.com:` and `user@host` name a service or nobody.
    return bool(_GENERIC_AT.match(value)) and (finding.kind == "HOSTMASK" or value[:4] in ("git@", "hg@", "svn@"))
