"""Rewords answers so that they stay true, and corrupts them in five ways so that they do not; a hash chooses."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from corpusforge.generate.phrasings import word_list
from corpusforge.record import stable_hash

KINDS = ("number", "entity", "negation", "scope", "addition")


def pick(n: int, *key: str) -> int:
    """A number in [0, n) that the key decides."""
    return int(stable_hash(*key), 16) % n


@dataclass(frozen=True)
class Around:
    """What stands near an answer and elsewhere: the passage, entities of other documents, sentences of others."""

    passage: str
    entities: Sequence[str]
    sentences: Sequence[str]


# ---------------------------------------------------------------- rewording

_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_SYNONYMS = [
    ("choose", "pick"), ("select", "choose"), ("begin", "start"), ("delete", "remove"), ("display", "show"),
    ("displays", "shows"), ("obtain", "get"), ("require", "need"), ("requires", "needs"), ("create", "make"),
    ("creates", "makes"), ("large", "big"), ("use", "make use of"), ("using", "by means of"), ("help", "assist"),
    ("also", "additionally"), ("allows", "lets"), ("ensure", "make sure"), ("several", "various"),
    ("however", "though"), ("contains", "holds"), ("modify", "change"), ("modified", "changed"), ("want", "wish"),
    ("usually", "normally"), ("quickly", "fast"), ("information", "details"), ("similar", "comparable"),
    ("error", "fault"),
    ("instead of", "in place of"), ("in order to", "to"), ("such as", "like"), ("for example", "for instance"),
    ("is able to", "can"), ("if you want to", "if you wish to"), ("a number of", "several"), ("find", "locate"),
]  # fmt: skip
_CONTRACTIONS = [
    ("do not", "don't"), ("does not", "doesn't"), ("is not", "isn't"), ("are not", "aren't"), ("cannot", "can't"),
    ("will not", "won't"), ("it is", "it's"), ("you are", "you're"), ("you will", "you'll"), ("that is", "that's"),
    ("should not", "shouldn't"), ("did not", "didn't"), ("was not", "wasn't"), ("has not", "hasn't"),
]  # fmt: skip
_SMALL = re.compile(r"(?<![\w.,:/$€£-])([2-9]|1[0-2])(?= [a-z]{3,})(?! (?:am|pm|bit|st|nd|rd|th)\b)")


def reworded(text: str, key: str) -> str:
    """The answer in other words that say the same; perhaps as it was, where no rule fits."""
    rules: list[Callable[[str, str], str]] = [
        _synonyms,
        _contractions,
        _numerals,
        _fronting,
        _lead_in,
        _shorter,
        _joined,
    ]
    for rule in rules:
        if pick(3, key, rule.__name__) < 2:
            text = rule(text, key)
    return text


def _replace(text: str, old: str, new: str) -> str:
    """Where it stands in running text: not in code, not in the name of a button or menu."""
    if "```" in text:
        return text
    begun = rf"(?m)(?:^|(?<=[.!?] )){re.escape(old.capitalize())}(?![\w`/-])"
    changed = re.sub(rf"(?<![\w`/“\"'-]){re.escape(old)}(?![\w`/-])", new, text, count=1)
    return changed if changed != text else re.sub(begun, new.capitalize(), text, count=1)


def _synonyms(text: str, key: str) -> str:
    done = 0
    for old, new in sorted(_SYNONYMS, key=lambda pair: stable_hash(key, pair[0])):
        changed = _replace(text, old, new)
        done += changed != text
        text = changed
        if done == 3:
            break
    return text


def _contractions(text: str, key: str) -> str:
    for full, short in _CONTRACTIONS:
        text = _replace(text, full, short) if full in text else _replace(text, short, full)
    return text


def _numerals(text: str, key: str) -> str:
    return text if "```" in text else _SMALL.sub(lambda match: _WORDS[int(match[1])], text)


def _fronting(text: str, key: str) -> str:
    """`If x, y.` as `Y if x.`, and `To x, y.` as `Y to x.`"""

    def turn(match: re.Match[str]) -> str:
        lead, first, second, stop = match[1], match[2], match[3], match[4]
        return f"{second[:1].upper()}{second[1:]} {lead.lower()} {first}{stop}"

    first, second = r"([^.,\n:;`()“”]{8,90})", r"(?!and\b|or\b|then\b)([^.,\n:;()“”]{10,140})"
    return re.sub(rf"(?<![\w,] )\b(If|When|To) {first}, {second}([.])(?=\s|$)", turn, text)


def _lead_in(text: str, key: str) -> str:
    first = re.match(r"[A-Z][a-z]+", text)
    if first and first[0].lower() in word_list("verbs"):
        return f"You can {text[:1].lower()}{text[1:]}"
    return text


def _shorter(text: str, key: str) -> str:
    """Without its last sentence, where more than one is left."""
    parts = re.split(r"(?<=[a-z)][.!?])\s+(?=[A-Z])", text)
    return " ".join(parts[:-1]) if len(parts) >= 3 else text


def _joined(text: str, key: str) -> str:
    """A short list as one line."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if 2 <= len(lines) <= 6 and all(re.match(r"(?:[-*]|\d+\.) ", line) for line in lines):
        return "; ".join(re.sub(r"^(?:[-*]|\d+\.) ", "", line).rstrip(".;") for line in lines) + "."
    return text


# ---------------------------------------------------------------- corrupting


def corrupted(kind: str, text: str, around: Around, key: str) -> str:
    """The answer made wrong in one way, or the empty string where that way does not fit it."""
    return _WAYS[kind](text, around, key)


_NUMBER = re.compile(r"(?<![\w.,:/`-])(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(?![\w]*[-/.:]\d)(?!\d)")
_NUMBER_WORD = re.compile(r"\b(two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b", re.IGNORECASE)
_UNIT = re.compile(
    r"(?<=\d )(seconds?|minutes?|hours?|days?|weeks?|months?|years?|[KMGT]i?B|bytes?|bits?|inches|percent)\b"
)
_OTHER_UNIT = {
    "second": "minute", "minute": "hour", "hour": "day", "day": "week", "week": "month", "month": "year", "year": "day",
    "byte": "bit", "bit": "byte", "KB": "MB", "MB": "GB", "GB": "MB", "TB": "GB", "KiB": "MiB", "MiB": "GiB",
    "GiB": "MiB",
}  # fmt: skip
_ITEM_NUMBER = re.compile(r"(?m)^\s*\d+[.)]\s")


def _number(text: str, around: Around, key: str) -> str:
    unit = _UNIT.search(text)
    if unit and pick(3, key, "unit") == 0:
        one = unit[1].removesuffix("s") if unit[1].islower() else unit[1]
        if one in _OTHER_UNIT:
            other = _OTHER_UNIT[one] + ("s" if unit[1].endswith("s") and unit[1].islower() else "")
            return text[: unit.start()] + other + text[unit.end() :]
    marks = {match.start() for match in _ITEM_NUMBER.finditer(text)}
    places = [m for m in _NUMBER.finditer(text) if not any(start <= m.start() < start + 4 for start in marks)]
    if places:
        match = places[pick(len(places), key, "place")]
        others = sorted({m[0] for m in _NUMBER.finditer(_ITEM_NUMBER.sub("", around.passage))} - {m[0] for m in places})
        if others and pick(2, key, "near") == 0:
            new = others[pick(len(others), key, "other")]
        else:
            value = int(match[1].replace(",", ""))
            step = [1, 2, 3, 5, -1, -2][pick(6, key, "step")] * (10 ** (len(str(value)) - 1) if value >= 10 else 1)
            new = str(abs(value + step) or 7) + (match[2] or "")
        return text[: match.start()] + new + text[match.end() :] if new != match[0] else ""
    words = list(_NUMBER_WORD.finditer(text))
    if words:
        match = words[pick(len(words), key, "place")]
        new = _WORDS[2 + (_WORDS.index(match[0].lower()) - 2 + 1 + pick(9, key, "word")) % 11]
        return text[: match.start()] + (new.capitalize() if match[0][0].isupper() else new) + text[match.end() :]
    return ""


ENTITY = re.compile(
    r"`[^`\n]{2,40}`|(?<=[a-z,] )[A-Z][\w.+-]{2,}(?: [A-Z][\w.+-]+){0,3}|(?<=[a-z,] )/[\w/.-]{3,}"
    r"|(?<=[a-z,] )[A-Z]{2,}\b"
)


def _entity(text: str, around: Around, key: str) -> str:
    places = list(ENTITY.finditer(text))
    if not places:
        return ""
    match = places[pick(len(places), key, "place")]
    code = match[0][0] in "`/"
    said = text.lower()

    def fits(value: str) -> bool:
        bare = value.strip("`").lower()
        return (value[0] in "`/") == code and bare not in said and match[0].strip("`").lower() not in bare

    near = sorted({m[0] for m in ENTITY.finditer(around.passage) if fits(m[0])})
    far = [value for value in around.entities if fits(value)]
    choices = near if near and pick(2, key, "near") == 0 else far
    return text[: match.start()] + choices[pick(len(choices), key, "other")] + text[match.end() :] if choices else ""


_DENIED = [
    (r"\bcannot\b", "can"), (r"\bcan't\b", "can"), (r"\bdon't\b", "do"), (r"\bdoesn't (\w+)", r"does \1"),
    (r"\b(do|does|did|is|are|was|were|can|could|will|would|should|must|may|has|have) not\b", r"\1"),
    (r"\b(is|are|was|were|does|did|has|have|could|would|should)n't\b", r"\1"), (r"\bwon't\b", "will"),
    (r"\bwithout\b", "with"), (r"\bnot (?!only)", ""), (r"\bunable to\b", "able to"), (r"\bno longer\b", "still"),
]  # fmt: skip
_STATED = re.compile(
    r"\b(is|are|was|were|can|could|will|would|should|must|may|has been|have been)\b(?! not\b)(?! no\b)"
)


def _negation(text: str, around: Around, key: str) -> str:
    fitting = [(form, new) for form, new in _DENIED if re.search(form, text)]
    if fitting:
        form, new = fitting[pick(len(fitting), key, "which")]
        return re.sub(r" {2,}", " ", re.sub(form, new, text, count=1))
    places = list(_STATED.finditer(text))
    if places:
        match = places[pick(len(places), key, "place")]
        return f"{text[: match.end()]} not{text[match.end() :]}"
    opening = r"(?m)(?:^(?:[-*] |\d+\. )?|(?<=[.!] ))([A-Z][a-z]+)\b"
    verbs = [m for m in re.finditer(opening, text) if m[1].lower() in word_list("verbs")]
    if verbs:
        match = verbs[pick(len(verbs), key, "verb")]
        return f"{text[: match.start(1)]}Do not {match[1].lower()}{text[match.end(1) :]}"
    return ""


_SCOPES = [
    ("all", "some"), ("every", "some"), ("each", "some"), ("always", "sometimes"), ("never", "rarely"), ("must", "may"),
    ("may", "must"), ("might", "will always"), ("should", "must"), ("only", ""), ("at least", "at most"),
    ("up to", "at least"), ("at most", "at least"), ("more than", "less than"), ("less than", "more than"),
    ("some", "all"), ("most", "all"), ("many", "all"), ("several", "all"), ("usually", "always"), ("often", "always"),
    ("sometimes", "always"), ("any", "only one"), ("have to", "may"), ("need to", "may"), ("need not", "must"),
    ("generally", "always"), ("normally", "always"), ("typically", "always"), ("required", "optional"),
    ("can", "must"), ("optionally", "always"),
]  # fmt: skip


def _scope(text: str, around: Around, key: str) -> str:
    fitting = [
        (m, new) for old, new in _SCOPES for m in re.finditer(rf"(?<![\w`/-]){old}(?![\w`/-])", text, re.IGNORECASE)
    ]
    if fitting:
        match, new = fitting[pick(len(fitting), key, "which")]
        new = new.capitalize() if match[0][0].isupper() else new
        return re.sub(r" {2,}", " ", text[: match.start()] + new + text[match.end() :])
    plural = list(
        re.finditer(
            r"(?<=[a-z] )(?:the )?(?=(?:files|users|packages|options|commands|settings|programs|devices)\b)", text
        )
    )
    if plural:
        match = plural[pick(len(plural), key, "plural")]
        return text[: match.start()] + ["all ", "only some "][pick(2, key, "amount")] + text[match.end() :]
    verb = re.search(r"\b(is|are|will|you)\b(?= [a-z])", text)
    return f"{text[: verb.end()]} {['only', 'always'][pick(2, key, 'adverb')]}{text[verb.end() :]}" if verb else ""


_INVENTED = [
    "This also works without an internet connection.",
    "It was added in version 4.2 of the program.",
    "Most administrators turn this off for security reasons.",
    "The change takes effect after the next restart.",
    "Your previous data is kept for thirty days.",
    "This feature costs extra on older hardware.",
    "Support staff can do this for you over the phone.",
    "The same result can be had from the mobile application.",
    "It is known to fail on laptops from before 2015.",
    "A confirmation message is sent to the registered address.",
]
_CLAUSES = [
    ", which also speeds up later logins", ", provided that the firewall has been turned off",
    ", as this prevents the battery from draining", " and then notifies the manufacturer about it",
    ", because older kernels handle it badly", " and keeps a hidden copy for later recovery",
    ", which most experts advise against", " unless the guest account is active",
]  # fmt: skip


def _addition(text: str, around: Around, key: str) -> str:
    way = pick(3, key, "way")
    if way == 0 and around.sentences:
        return f"{text.rstrip()} {around.sentences[pick(len(around.sentences), key, 'sentence')]}"
    if way == 1:
        return f"{text.rstrip()} {_INVENTED[pick(len(_INVENTED), key, 'invented')]}"
    stop = re.search(r"(?<=[a-z`)])[.](?=\s|$)", text)
    clause = _CLAUSES[pick(len(_CLAUSES), key, "clause")]
    return text[: stop.start()] + clause + text[stop.start() :] if stop else f"{text.rstrip()}{clause}"


_WAYS: dict[str, Callable[[str, Around, str], str]] = {
    "number": _number,
    "entity": _entity,
    "negation": _negation,
    "scope": _scope,
    "addition": _addition,
}
