"""Repairs the characters of a text: encodings, Unicode form, invisible characters, line ends and blank lines."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any, Literal

Form = Literal["NFC", "NFKC"]

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x03(?:\d{1,2}(?:,\d{1,2})?)?")
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# Joiners shape Persian, Indic and emoji sequences: they go only where a neighbour is ASCII or missing.
_JOINERS = re.compile("(?<![^\x00-\x7f])[\u200c\u200d]+|[\u200c\u200d]+(?![^\x00-\x7f])")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]+"
)
_SURROGATES = re.compile("[\ud800-\udfff]")
_SUSPECT = re.compile("[\x80-\x9f\ud800-\udfff]")
_FOREIGN = re.compile("[^\x00-\x7f]+")
# What a text of English prose has beyond ASCII. No sequence of these and of ASCII characters is a sign of a broken
# encoding, invisible, or in another form than NFC and NFKC would give it (an ellipsis is, in NFKC).
_HARMLESS = frozenset("“”‘’–—•")
_HARMLESS_NFC = _HARMLESS | {"…"}
_CONTROLS = bytes((*range(9), *range(11, 32), 127))
_ROUNDS = 8


def clean_characters(text: str, form: Form = "NFC") -> str:
    """Text with repaired encoding, one Unicode form, LF line ends and no control or zero-width characters.

    Quotes, ligatures, full-width forms and HTML entities stay as they are: in documentation they are often the subject.
    """
    for _ in range(_ROUNDS):
        before = text
        text = _cleaned(text, form)
        # A repair can bring two halves of another broken sequence together.
        if text == before or not _suspect(text, _foreign(text)):
            break
    return text


def _cleaned(text: str, form: Form) -> str:
    if text.isascii():
        return text if text.isprintable() or _is_clean(text) else _visible_ascii(text)
    foreign = _foreign(text)
    if (_HARMLESS if form == "NFKC" else _HARMLESS_NFC).issuperset(foreign) and _is_clean(text):
        return text
    return _rewritten(text, foreign, form)


def _foreign(text: str) -> str:
    """The distinct runs of characters beyond ASCII, one after the other."""
    return "".join(set(_FOREIGN.findall(text)))


def _is_clean(text: str) -> bool:
    """Whether there is no ASCII control character but tabs and newlines; a deletion tells it faster than a search."""
    raw = text.encode("utf-8", "surrogatepass")
    return len(raw.translate(None, _CONTROLS)) == len(raw)


def _rewritten(text: str, foreign: str, form: Form) -> str:
    mended = _mended(text, foreign)
    if mended is not text:
        text, foreign = mended, _foreign(mended)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    clean = _is_clean(text)
    if not clean or _LINE_ENDS.search(foreign):
        text = _LINE_ENDS.sub("\n", text)
    if not clean:
        text = _unescaped(text)
    if not clean or _INVISIBLE.search(foreign):
        text = _INVISIBLE.sub("", text)
    text = text.replace("\u00a0", " ")
    if "\u200c" in text or "\u200d" in text:
        text = _JOINERS.sub("", text)
    if _SURROGATES.search(foreign):
        text = _SURROGATES.sub("\ufffd", text)
    return unicodedata.normalize(form, text)


def tidy_lines(text: str, max_blank_lines: int = 2) -> str:
    """Text without spaces at line ends, without long runs of blank lines and without blank lines at its ends."""
    # A pattern for white space before a line end stops at every space of a book; these looks cost nothing.
    if " \n" in text or "\t\n" in text or text.endswith((" ", "\t")):
        text = "\n".join([line.rstrip(" \t") for line in text.split("\n")])
    if "\n" * (max_blank_lines + 2) in text:
        text = re.sub(f"\n{{{max_blank_lines + 2},}}", "\n" * (max_blank_lines + 1), text)
    return text.strip("\n")


def _visible_ascii(text: str) -> str:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        if _is_clean(text):
            return text
    return _INVISIBLE.sub("", _unescaped(_LINE_ENDS.sub("\n", text)))


def _unescaped(text: str) -> str:
    return _ESCAPES.sub("", text) if "\x1b" in text or "\x03" in text else text


def _mended(text: str, foreign: str) -> str:
    if not _suspect(text, foreign):
        return text
    from ftfy import fix_text

    config = _config()
    return "\n".join(line if line.isascii() else fix_text(line, config) for line in text.split("\n"))


def _suspect(text: str, foreign: str) -> bool:
    # ftfy does nothing to text without bad sequences, C1 controls or surrogates. Looking for them only around the
    # distinct non-ASCII runs is 20 times as fast as over the whole of an English book with letters of other languages.
    if _HARMLESS_NFC.issuperset(foreign):
        return False
    if _SUSPECT.search(foreign):
        return True
    from ftfy.badness import is_bad

    around = {text[max(0, match.start() - 3) : match.end() + 3] for match in _FOREIGN.finditer(text)}
    return bool(is_bad("\n".join(sorted(around))))


@cache
def _config() -> Any:
    from ftfy import TextFixerConfig

    return TextFixerConfig(
        unescape_html=False,
        remove_terminal_escapes=False,
        fix_latin_ligatures=False,
        fix_character_width=False,
        uncurl_quotes=False,
        fix_line_breaks=False,
        remove_control_chars=False,
        normalization=None,
    )
