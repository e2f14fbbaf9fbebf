"""Finds names without a model: by what stands around them (`my name is`, `regards,`) and by frequent given names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from corpusforge.curate.redaction.findings import Finding
from corpusforge.curate.redaction.rules import Rule, run
from corpusforge.curate.redaction.words import AMBIGUOUS, COMMON, GIVEN

_CAP = r"(?:\p{Lu}[\p{L}\p{M}]*(?:['’-]\p{L}[\p{L}\p{M}]*)*)"
_PART = r"(?:\p{Lu}\.|" + _CAP + r")"
_LINK = r"(?:(?:de|van|von|der|den|da|di|del|della|la|le|bin|al|el|ten|ter|y|dos|das)[ ]+){1,2}"
_FULL = r"(?:" + _PART + r"(?:[ ]+(?:" + _LINK + r")?" + _PART + r"){0,3})"
_TWO = r"(?:" + _PART + r"(?:[ ]+(?:" + _LINK + r")?" + _PART + r"){1,3})"
_ANY = r"(?:[\p{L}][\p{L}\p{M}'’.-]*(?:[ ]+[\p{L}][\p{L}\p{M}'’.-]*){0,2})"
_TITLE = (
    r"(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor|Doctor|Judge|Senator|Captain|Herr|Frau|Monsieur|Madame|Mme"
    r"|Se[nñ]or(?:a|ita)?)"
)
_END = r"(?=[ \t]*(?:[,.!?:;)\n–—-]|$))"

# The value may hold words that are no name (`my name is Bob and I`); `_named` keeps the leading ones that can be.
_STRONG = (
    Rule("PERSON", "my-name-is",
         r"(?i:\b(?:(?:my|his|her|their|the|full|first|last|sur|middle|given|maiden|complete)[ ]*)*name(?:'s"
         r"|(?<=my name)s|[ ]is|[ ]was)[ ]*:?[ ]+)(?P<v>" + _ANY + r")",
         0.8, ("name",)),
    Rule("PERSON", "name-field",
         r"(?i:\b(?:customer|client|contact|full|first|last|given|sur|family|account[ ]holder'?s?|cardholder'?s?"
         r"|passenger)?[ ]?name[ ]?[:=][ ]*)(?P<v>" + _FULL + r")",
         0.8, ("name",)),
    Rule("PERSON", "called", r"(?i:\b(?:I am|I'm|he is|she is|he's|she's)[ ]+(?:called|named)[ ]+)(?P<v>" + _ANY
         + r")", 0.8,
         ("called", "named")),
    Rule("PERSON", "title", r"\b" + _TITLE + r"\b\.?[ ]+(?P<v>" + _FULL + r")", 0.8,
         ("mr", "ms ", "ms.", "miss ", "mx ", "dr ", "dr.", "prof", "doctor ", "judge ", "senator ", "captain ",
          "herr ", "frau ", "monsieur ", "madame ", "mme", "señor", "senor")),
    Rule("PERSON", "name-before-email", r"(?P<v>" + _TWO + r")(?=[ ]*(?:<[^<>\s@]{1,60}@|\([^()\s@]{1,60}@))", 0.8,
         ("@",), gate=r"<[^<>\s@]{1,60}@|\([^()\s@]{1,60}@"),
    Rule("PERSON", "attributed",
         r"(?i:\b(?:attn|attention|c/o|signed[ ](?:by|off[ ]by)|reported[ ]by|written[ ]by|cardholder"
         r"|account[ ]holder|beneficiary|passenger|patient|tenant|employee))[ ]*:?[ ]+(?P<v>" + _TWO + r")",
         0.6, ("at", "c/o", "sign", "by", "holder", "benef", "passenger", "tenant", "employee")),
)  # fmt: skip

# Weaker cues: the value must be a known given name or at least two capitalised words.
_WEAK = (
    Rule("PERSON", "i-am", r"(?:\bI am|\bI'm|\bI’m|\bi am|\bi'm|\bIm|\bim)[ ]+(?P<v>" + _FULL + r")", 0.6,
         ("i am", "'m", "’m", "im ")),
    Rule("PERSON", "this-is", r"(?i:\bthis is|\bit's|\bit is)[ ]+(?P<v>" + _FULL + r")(?=[ ]+(?:here|speaking"
         r"|from|calling|with|again)\b|[ ]*[,.!\n]|[ ]*$)",
         0.6, ("this is", "it's", "it is")),
    Rule("PERSON", "here", r"(?:^|[.!?,]\s+)(?P<v>" + _FULL + r")[ ]+(?=(?:here|speaking|calling)\b)", 0.6,
         ("here", "speaking", "calling"), gate=r"[ ](?:here|speaking|calling)\b"),
    Rule("PERSON", "met", r"(?i:\b(?:sp[eo]aking|spoke|speak|talk(?:ing|ed)?|chat(?:ting|ted)?|met|meet|contact"
         r"(?:ed)?|ask(?:ed)?|email(?:ed)?|call(?:ed)?|behalf|married|invited?)[ ]+(?:(?:to|with|for|of)[ ]+)?)"
         r"(?P<v>" + _FULL + r")",
         0.5, ("speak", "spoke", "talk", "chat", "met", "meet", "contact", "ask", "mail", "call", "behalf",
          "married", "invite")),
    Rule("PERSON", "mail-header",
         r"^(?:>[ ]?)*(?:From|To|Cc|Bcc|Sender|Reply-To|Author|Signed-off-by)[ ]?:[ ]*\"?(?P<v>" + _TWO + r")", 0.7,
         ("from", "to", "cc", "sender", "author", "signed")),
)  # fmt: skip
_GREETING = Rule(
    "PERSON", "greeting",
    r"(?:^|[.!?:\n>][ ]*|\b)(?i:hi|hello|hey|dear|thanks|thank you|thx|cheers|welcome|sorry|good (?:morning"
    r"|afternoon|evening)|goodbye|bye)(?:[ ]+there)?,?[ ]+(?P<v>"
    + _FULL + r")" + _END, 0.6,
    ("hi", "hello", "hey", "dear", "thank", "thx", "cheers", "welcome", "sorry", "good ", "bye"),
)  # fmt: skip
SIGN_OFF = Rule(
    "PERSON", "sign-off",
    r"(?:^|\n)[ \t]*(?i:(?:(?:kind|best|warm|many|with)[ ])*(?:regards|thanks|thank you|sincerely|cheers|yours"
    r"(?:[ ]truly|[ ]sincerely|[ ]faithfully)?|best wishes|best|love))[,.!]?[ \t]*\n\s{0,4}[-–—~]{0,2}[ ]?(?P<v>"
    + _FULL + r")[ \t]*(?=\n|$)", 0.7,
    ("regards", "thanks", "thank you", "sincerely", "cheers", "yours", "best", "love"), cased=True,
)  # fmt: skip
_LETTER = re.compile(r"[^\W\d_]")
_SURNAMES = re.compile(
    r"(?:[ ]+(?:(?:de|van|von|der|den|da|di|del|la|le|bin|al|el)[ ]+){0,2}"
    r"(?:[A-ZÀ-ÖØ-Þ]\.|[A-ZÀ-ÖØ-Þ][^\W\d_]+(?:['’-][^\W\d_]+)*)(?![\w(])){1,3}"
)
_CAPITALISED = re.compile(r"(?<![\w@./#<-])[A-Z][^\W\d_]+(?![\w@/=(]|\.\w)")
_CASED = tuple(replace(rule, cased=True) for rule in (*_STRONG, *_WEAK, _GREETING))
_KNOWN_ONLY = frozenset(rule.name for rule in _WEAK)

NAME_RULES: tuple[Rule, ...] = _CASED


def named(window: str, folded: str, rules: Sequence[Rule], *, chat: bool) -> Iterator[Finding]:
    """Persons that the window names, without any model; `rules` are those of NAME_RULES that can find anything.

    Raises RedactionFailed when a pattern runs out of time.
    """
    for finding in run(rules, window, folded, digits=0):
        if finding.detector in ("my-name-is", "called") and not chat and window[finding.start].islower():
            continue
        kept = leading_name(window, finding, known=finding.detector in _KNOWN_ONLY)
        if kept is not None:
            yield kept
    if window != folded:
        yield from _by_given_name(window)


def leading_name(window: str, finding: Finding, *, known: bool = False) -> Finding | None:
    """The leading words of a finding that can be a name; `known` asks for a given name or two words."""
    text = window[finding.start : finding.end]
    end = 0
    words: list[str] = []
    for match in re.finditer(r"\S+", text):
        word = match[0].strip(".,'’-")
        if word.casefold() in COMMON and not (words and word in GIVEN):
            break
        words.append(word)
        end = match.start() + len(match[0].rstrip(".,'’-") or match[0])
        if match[0].endswith((",",)) or (match[0].endswith(".") and len(word) > 2):
            break
    if not words or not _LETTER.search(words[0]) or all(len(word) < 2 for word in words):
        return None
    if known and len(words) < 2 and words[0] not in GIVEN and words[0] not in AMBIGUOUS:
        return None
    return Finding(finding.kind, finding.start, finding.start + end, finding.detector, finding.score)


def _by_given_name(window: str) -> Iterator[Finding]:
    for match in _CAPITALISED.finditer(window):
        first = match[0]
        if first not in GIVEN and first not in AMBIGUOUS:
            continue
        tail = _SURNAMES.match(window, match.end())
        if tail is not None and tail[0].split()[0].strip(".,'’-").casefold() not in COMMON:
            whole = Finding("PERSON", match.start(), tail.end(), "given-name", 0.6)
            kept = leading_name(window, whole)
            if kept is not None and kept.end > match.end():
                yield kept
        elif first not in AMBIGUOUS and first.casefold() not in COMMON:
            yield Finding("PERSON", match.start(), match.end(), "given-name", 0.45)
