"""What of a text tells its language: words without code, addresses and placeholders, from a bounded sample."""

from __future__ import annotations

import re
import string
import unicodedata
from functools import lru_cache

from corpusforge.record import Record

# What is no language: code, commands, markup; word by word also addresses, paths, options, numbers, placeholders.
_FENCED = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^(?: {4,}|\t).*$", re.MULTILINE)
_INLINE = re.compile(r"`[^`\n]+`|</?[a-zA-Z][^<>\n]{0,200}>")
_NO_WORD = re.compile(r"[\\{}=$_|/@<>`~\d]|^-|^www\.|\w\.\w")
_EDGES = string.punctuation + "“”„‘’‚…«»‹›–—•·¿¡。、，？！（）：；「」『』।؟،"
# Written without spaces: Han, Kana (a character is a word), Thai, Lao, Burmese, Khmer (cut every few characters).
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_CHARACTER = re.compile(r"([\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff])")
_RUN = re.compile(r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]{6})")
# Languages that models tell apart and sources do not.
_ALIASES = {"yue": "zh", "wuu": "zh", "lzh": "zh", "nb": "no", "nn": "no", "arb": "ar", "srl": "sr"}
_LETTER = re.compile(r"[^\W\d_]")
# A longer one is no word of any language, and one vector for it would never serve again.
LONGEST = 40


@lru_cache(maxsize=4096)
def primary(code: str) -> str:
    """A language tag's primary subtag in lower case: `pt_BR` gives `pt`; Chinese and Norwegian count as one each."""
    subtag = re.split(r"[-_]", code.strip(), maxsplit=1)[0].lower()
    return _ALIASES.get(subtag, subtag)


def turns(record: Record) -> list[str]:
    """What decides a record's language: in a chat what the users said, or everybody where they said nothing."""
    if record.messages is None:
        return [record.text]
    asked = [message.content for message in record.messages if message.role == "user"]
    return asked if any(map(str.strip, asked)) else list(record.parts) or [""]


def sample(text: str, chars: int) -> str:
    """At most about `chars` characters: the first, the middle and the last third of them."""
    if len(text) <= chars:
        return text
    third = chars // 3
    middle = (len(text) - third) // 2
    return " ".join((text[:third], text[middle : middle + third], text[-third:]))


def prose(text: str) -> str:
    """The text without code blocks, code spans and markup."""
    if "```" in text or "~~~" in text:
        text = _FENCED.sub(" ", text)
    if "\n    " in text or "\n\t" in text:
        without_code = _INDENTED.sub(" ", text)
        # A text that is indented throughout is verse or a quotation, not code.
        text = without_code if len(without_code) * 3 > len(text) else text
    return _INLINE.sub(" ", text) if "`" in text or "<" in text else text


def glance(text: str, chars: int) -> str:
    """About `chars` characters of prose: the first, the middle and the last third; out of more where code is about."""
    if len(text) <= chars and "`" not in text and "<" not in text and "\n" not in text:
        return text
    if len(text) > chars:
        wide = sample(text, 3 * chars)
        if "```" in wide or "\n    " in wide or "\n\t" in wide or "~~~" in wide:
            return sample(prose(wide), chars)
    return prose(sample(text, chars))


def spaced(text: str) -> str:
    """The text with spaces between the characters, or short runs of them, of scripts that are written without."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
        if _UNSPACED.search(text):
            text = " ".join(_RUN.split(" ".join(_CHARACTER.split(text))))
    return text


def words(text: str) -> list[str]:
    """The words as they stand; scripts without spaces are cut into characters or short runs."""
    return spaced(text).split()


def word_key(word: str) -> str:
    """The word in lower case without the punctuation around it; empty where it is evidence for no language."""
    if word.isalpha():
        return word.lower() if len(word) <= LONGEST else ""
    bare = word.strip(_EDGES)
    if len(bare) > LONGEST or _NO_WORD.search(word) or not _LETTER.search(bare):
        return ""
    return bare.lower()


def letters(word: str) -> int:
    """How many letters of any script; a character of Han or Kana says as much as three."""
    return 3 if len(word) == 1 and word > "\u2fff" else sum(map(str.isalpha, word))
