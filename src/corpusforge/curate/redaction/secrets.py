"""Rules for credentials: API keys, tokens, private keys, passwords and URLs that carry them."""

from __future__ import annotations

import itertools
import re

from corpusforge.curate.redaction.rules import Rule

_NOT_A_PASSWORD = frozenset(
    re.findall(
        r"\S+",
        """
        a all also an and any are at authentication available bad be been being blank case changed changeme
        correct decrypt default different disabled does doesn't empty enabled encrypted even expired fine for from good
        hashed here how if in incorrect invalid is it its just kept like locked long lost mandatory missing must
        my needed never no none not now of ok old on only optional or password passwords prompt protected
        required reset right rejected same secret secure sent set shown so still stored strong that the then
        there this to too type unknown up used user valid via wait weak what when where which will with working wrong
        your yes you
        """,
    )
)
_FILLER = frozenset(
    re.findall(
        r"\S+",
        """
        changeme pass passwd password secret xxx xxxx yourpassword mypassword your_password
        """,
    )
)


def _password_word(text: str, start: int, end: int) -> bool:
    value = text[start:end].strip("\"'`.,;!?")
    if len(value) < 4 or value.casefold() in _NOT_A_PASSWORD or value[0] in "$<{%[(*":
        return False
    return len(set(value)) > 2


def _password_value(text: str, start: int, end: int) -> bool:
    value = text[start:end]
    return value.casefold() not in _FILLER and value[0] not in "$<{%[(*" and len(set(value)) > 2


def _mixed(text: str, start: int, end: int) -> bool:
    value = text[start:end]
    return bool(re.search(r"\d", value) and re.search(r"[A-Za-z]", value)) and len(set(value)) > 5


def _opens(text: str, start: int, end: int) -> bool:
    """Whether a part of a URL's path looks drawn by chance: it opens what it names to whoever knows it."""
    return any(_random(part) for part in re.split(r"[/?#]", text[start:end])[3:])


def _random(part: str) -> bool:
    """Whether capitals, small letters and digits change places as they do by chance, unlike in `Server2004Guide`."""
    longest = max(re.split(r"[_-]", part), key=len)
    if len(longest) < 16:
        return False
    classes = ["d" if c.isdigit() else "u" if c.isupper() else "l" for c in longest]
    changes = sum(a != b for a, b in itertools.pairwise(classes))
    return len(set(classes)) == 3 and changes * 5 >= 2 * len(longest)


_EDGE = r"(?<![A-Za-z0-9_])"
_PASSWORD = r"(?:pass(?:word|wd|phrase|code)|pwd)"

SECRETS: tuple[Rule, ...] = (
    Rule("SECRET", "aws-key-id", _EDGE + r"(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}(?![0-9A-Za-z])", 1.0,
         ("akia", "asia", "aroa", "aida"), cased=True),
    Rule("SECRET", "aws-secret", r"(?:aws|secret)[\w .-]{0,20}(?:key|secret)\W{1,6}(?P<v>[A-Za-z0-9/+]{40})"
         r"(?![A-Za-z0-9/+])",
         1.0, ("aws", "secret"), check=_mixed),
    Rule("SECRET", "github-token", _EDGE + r"(?:gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{30,255})", 1.0,
         ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_")),
    Rule("SECRET", "vendor-token",
         _EDGE + r"(?:glpat-[\w-]{18,}|xox[abeoprs]-[\w-]{10,}|xapp-[\w-]{10,}|[rsp]k_(?:live|test)_[A-Za-z0-9]{16,}"
         r"|AIza[\w-]{35}|sk-[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,}"
         r"|SG\.[\w-]{20,}(?:\.[\w-]{16,})?|(?:SK|AC)[0-9a-f]{32}(?![0-9A-Za-z])|dop_v1_[a-f0-9]{64}"
         r"|ya29\.[\w-]{20,})", 1.0,
         ("glpat-", "xox", "xapp-", "k_live_", "k_test_", "aiza", "sk-", "hf_", "npm_", "pypi-", "sg.", "sk", "ac",
          "dop_v1_", "ya29."), cased=True),
    Rule("SECRET", "slack-webhook", r"https://hooks\.slack\.com/services/[\w/]{20,}", 1.0, ("hooks.slack",)),
    Rule("SECRET", "jwt", _EDGE + r"eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?", 1.0, ("eyj",), cased=True),
    Rule("SECRET", "bearer", r"\b(?:bearer|basic|token)[ :]+(?P<v>[A-Za-z0-9_\-.~+/]{16,}=*)", 0.9,
         ("bearer", "basic", "token"), check=_mixed),
    Rule("SECRET", "password-is",
         r"\b" + _PASSWORD + r"(?:[ ](?:is|was)|[ ]?[:=]|[ ]+(?:to|of))[ ]*(?P<v>(?:\"[^\"\n]{3,60}\""
         r"|'[^'\n]{3,60}'|[^\s\"'<>]{4,60}))",
         0.7, ("passw", "passphrase", "passcode", "pwd"), check=_password_word, chat_only=True),
    Rule("SECRET", "password-has-digit",
         r"\b" + _PASSWORD + r"[ ](?:is|was)[ ]*:?[ ]*[\"']?(?P<v>(?=[^\s\"'<>]*\d)[^\s\"'<>]{4,60})",
         0.7, ("passw", "passphrase", "passcode", "pwd"), check=_password_value),
    Rule("SECRET", "password-field",
         r"(?:\b|_|--)" + _PASSWORD + r"[\"']?[ ]?[:=][ ]?[\"']?(?P<v>"
         r"(?=[^\s\"'<>&;,]*[\d!@#%^*?])[^\s\"'<>&;,(){}$]{4,80})(?![\w(])",
         0.8, ("passw", "passphrase", "passcode", "pwd"), check=_password_value),
    Rule("SECRET", "key-field",
         r"(?:api|secret|access|auth|client|private|session|refresh)[_ -]?(?:key|token|secret|id_token)\b[\"']?"
         r"(?:[ ]?[:=]+[ ]?|[ ]is[ ]|[ ])[\"']?(?P<v>[A-Za-z0-9_\-./+=]{12,})", 0.8,
         ("key", "token", "secret"), check=_mixed),
    Rule("SECRET", "pin", r"\b(?:pin|cvv|cvc|security code|one[- ]time (?:code|password)|otp|verification code)"
         r"(?:[ ](?:code|number|no))?(?:[ ]is)?[ :=#]{1,3}(?P<v>\d{3,8})\b", 0.7,
         ("pin", "cvv", "cvc", "code", "otp", "one-time", "one time"), digits=3),
    Rule("URL", "url-with-login", r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@<>\"']+:[^\s/@<>\"']+@[^\s<>\"']+", 1.0, ("://",)),
    Rule("URL", "url-with-token",
         r"\bhttps?://[^\s<>\"'?#]{3,}[?#&;][^\s<>\"']*?\b(?:access_?token|auth(?:_?token)?|token|api_?key|key"
         r"|secret|sig"
         r"|signature|password|passwd|pwd|session(?:_?id)?|sid|phpsessid|jsessionid|code|e-?mail"
         r"|invite)=[^\s<>\"'&]{6,}"
         r"[^\s<>\"']*", 0.9, ("://",)),
    Rule("URL", "url-with-random-part",
         r"\bhttps?://[^\s<>\"'/?#]{3,}/(?:[^\s<>\"'?#]*/)?[A-Za-z0-9_-]{20,}(?:[/?#][^\s<>\"']*)?(?![^\s<>\"')\]`*.,;:!|])",
         0.8, ("://",), check=_opens),
)  # fmt: skip

# These span lines and blank lines, so they run on a whole text instead of a window.
PRIVATE_KEY = Rule(
    "SECRET",
    "private-key",
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:(?!-----END)[\s\S]){0,20000}"
    r"(?:-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----)?",
    1.0,
    ("private key",),
    cased=True,
)
