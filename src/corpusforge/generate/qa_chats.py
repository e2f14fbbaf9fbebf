"""Questions from conversations that were resolved: the first question, the last answer before thanks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpusforge.generate.page import Page
from corpusforge.generate.qa_pair import Pair, ask
from corpusforge.generate.sentences import unwrapped
from corpusforge.record import Message, Record, part_offsets, speaker

MAX_QUESTION = 600
MIN_QUESTION = 15
MIN_ANSWER = 12
MAX_ANSWER = 1200
_THANKS = re.compile(
    r"\b(?:thanks?|thank you|thx|tnx|cheers|much appreciated|that (?:worked|works|did it|helped|helps|fixed it)"
    r"|it works|works now|working now|solved|got it (?:working|to work)|perfect)\b",
    re.IGNORECASE,
)
# One of these stands in every text that the pattern finds: most conversations have none, and a pattern is slow.
_THANKING = (
    "thank", "thx", "tnx", "cheers", "appreciated", "worked", "works", "did it", "helped", "helps", "fixed it",
    "working now", "solved", "got it", "perfect",
)  # fmt: skip
_NOT_YET = re.compile(
    r"\bin advance\b|n't\b|\b(?:not|doesnt|didnt|no|still|but|nope|wont|cant|dont|anyways?|though)\b",
    re.IGNORECASE,
)
_NEED = re.compile(
    r"\?|\b(?:how (?:do|can|to)|what(?:'s| is)|why|where|i(?:'m| am)? (?:need|want|would like|can't|cannot|cant|trying)"
    r"|doesn't work|not working|error|fails?|problem|trouble|is there (?:a|any)|help (?:me|with))\b",
    re.IGNORECASE,
)
_NEEDING = (
    "how ", "what", "why", "where", "i need", "i want", "i would", "i can", "i trying", "m need", "m want", "m would",
    "m can", "m trying", "work", "error", "fail", "problem", "trouble", "there a", "help ",
)  # fmt: skip
_CLOSING = re.compile(
    r"anything else|(?:have a|you'?re) (?:very )?(?:nice|great|good|welcome)|how (?:can|may) i (?:help|assist)"
    r"|^(?:np|yw|no problem|good ?bye|bye|goodbye|hello|hi|hey|ok|okay|sure|yes|no|thank)\b.{0,40}$"
    r"|one (?:moment|second)|please wait|hold on|right place|\b(?:sarcasm|jok(?:e|ing)|kidding|lol|haha+|rofl)\b"
    # Who is sent to another channel has no answer yet.
    r"|(?:^|\s)#+[a-z][\w-]+",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\b(?:sorry|unfortunately|(?:don't|do not) (?:know|understand)|no idea|not sure|cannot|unable to)\b", re.IGNORECASE
)
# What holds for one customer alone teaches a model to make numbers up.
_PERSONAL = re.compile(
    r"\b(?:your|balance|booking|reservation|confirmation|order|account|appointment)\b[^.]*\d|[$€£]\s?\d", re.IGNORECASE
)
_GREETING = re.compile(
    r"^(?:hi|hello|hey|good (?:morning|afternoon|evening)|greetings)(?: (?:there|all|everyone|guys|folks))?[,!.?]* +",
    re.IGNORECASE,
)
_POINTING = re.compile(r"^(?:and|but|so|also|then|ok|oh|not|it|that|this|yes|no|yeah|yep)\b", re.IGNORECASE)
_ADDRESSED = re.compile(r"\s*(?P<name><+[A-Z_]+_\d+>+|[^\s:,]{2,24})\s*(?:[:,]|\.{2,})\s*|\s*<+[A-Z_]+_\d+>+\s+")
_URL = re.compile(r"https?://\S+|www\.\S+")
_COUNTER_QUESTION = re.compile(r"\w\s?\?(?:\s|$)")
_TECHNICAL = re.compile(r"[/`!]\w|\s-{1,2}\w|\b(?:sudo|apt|aptitude|install|run|type|man)\b", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z][\w-]{3,}")
_NAME = re.compile(r"(?<=[\w,'\"] )['\"]?([A-Z][a-z]{2,})")
_EMPTY_WORDS = frozenset(
    """about could would should have need help want with please this that what your there some like when where which
    from just know then will they make""".split()  # noqa: SIM905
)


def chat_pairs(page: Page) -> Iterator[Pair]:
    """At most one pair for a conversation: only where the asker said that it helped."""
    messages = page.record.messages or ()
    found = resolution(messages) if may_be_resolved(page.record) else None
    if found is None:
        return
    names = [speaker(message) for message in messages]
    asked, thanks = found
    asker, last_asking = names[asked[0]], asked[-1]
    answered = _answer(messages, names, asker, last_asking, thanks)
    question = _clean(" ".join(messages[at].content for at in asked), names)
    heads = [_addressing(messages[at].content, names) for at in answered]
    answer = "\n".join(unwrapped(messages[at].content[head:]) for at, head in zip(answered, heads, strict=True))
    if not MIN_QUESTION <= len(question) <= MAX_QUESTION or not MIN_ANSWER <= len(answer) <= MAX_ANSWER:
        return
    if _COUNTER_QUESTION.search(_URL.sub(" ", answer)):
        return
    if len(_URL.sub(" ", answer).split()) < 3 and _URL.search(answer):
        # What stood behind the address is not in the text.
        return
    if _POINTING.match(question) or _REFUSAL.search(answer) or _PERSONAL.search(answer):
        return
    # One issue a thread: who asks again before the answer may have been answered something else.
    between = [messages[at].content for at in range(last_asking + 1, answered[0]) if names[at] == asker]
    if any("?" in content for content in between) or not _related(question, between, answer, any(heads)):
        return
    offsets = part_offsets(messages)
    spans = tuple(
        (offsets[at] + head, offsets[at] + len(messages[at].content)) for at, head in zip(answered, heads, strict=True)
    )
    # A name, a number or an address of one conversation is no part of an answer for all.
    if any(page.redacted(start, end) for start, end in spans):
        return
    yield Pair("chat", "chat", ask(page, "chat", offsets[asked[0]], question=question), answer, spans, 0, "chat")


def may_be_resolved(record: Record) -> bool:
    """Whether somebody may have asked, been answered and said thanks; most conversations are done with this."""
    return len(record.messages or ()) >= 3 and _may_hold(record.text, _THANKING)


def resolution(messages: tuple[Message, ...]) -> tuple[list[int], int] | None:
    """The turns in which a conversation's problem is put, and the turn in which its asker says that it is solved."""
    names = [speaker(message) for message in messages]
    asked = _question(messages, names)
    if asked is None:
        return None
    later = range(asked[-1] + 2, len(messages))
    said = (at for at in later if names[at] == names[asked[0]] and _acknowledges(messages[at].content))
    thanks = next(said, None)
    return None if thanks is None else (asked, thanks)


def _question(messages: tuple[Message, ...], names: list[str]) -> list[int] | None:
    # The asker's first turns up to the first answer; a conversation that opens otherwise has no clear issue.
    for at, message in enumerate(messages[:6]):
        content = message.content
        if message.role in ("assistant", "system") or not ("?" in content or _needs(content)):
            continue
        turns = [at]
        for later in range(at + 1, min(at + 4, len(messages))):
            if names[later] != names[at]:
                break
            turns.append(later)
        return turns
    return None


def _needs(text: str) -> bool:
    return _may_hold(text, _NEEDING) and bool(_NEED.search(text))


def _may_hold(text: str, words: tuple[str, ...]) -> bool:
    # Patterns take some letters beyond ASCII for others in capitals; those few texts are left to them.
    lower = text.lower()
    for word in words:
        if word in lower:
            return True
    return not text.isascii()


def _acknowledges(text: str) -> bool:
    if len(text) > 160 or "?" in text or not _may_hold(text, _THANKING):
        return False
    return bool(_THANKS.search(text)) and not _NOT_YET.search(text)


def _answer(messages: tuple[Message, ...], names: list[str], asker: str, after: int, before: int) -> list[int]:
    at = before - 1
    helper = ""
    answered: list[int] = []
    while at > after:
        content = messages[at].content.strip()
        if names[at] == asker or messages[at].role == "system":
            if answered:
                break
        elif not helper or names[at] == helper:
            if not _CLOSING.search(content):
                if content.endswith("?") or len(content) < 8:
                    # Thanks for a counter-question is no resolution.
                    break
                helper = names[at]
                answered.append(at)
        elif answered:
            break
        at -= 1
    return answered[::-1]


def _addressing(text: str, names: list[str]) -> int:
    """How many characters at a turn's start only say whom it is for: an answer must not begin with a name."""
    match = _ADDRESSED.match(text)
    if match is None or (match["name"] and not match["name"].startswith("<") and match["name"] not in names):
        return 0
    return match.end()


def _related(question: str, between: list[str], answer: str, addressed: bool) -> bool:
    # The answer must speak of what was asked, or be something to do that is said to the asker, and not of another
    # named thing.
    told = " ".join([question, *between])
    named, answered = set(_NAME.findall(told)), set(_NAME.findall(answer))
    if named and answered and not named & answered:
        return False
    shared, technical = len(_stems(told) & _stems(answer)), bool(_TECHNICAL.search(answer))
    # One shared word is often only the channel's subject.
    return shared >= 2 or (technical and (addressed or shared == 1))


def _stems(text: str) -> set[str]:
    return {word[:6].lower() for word in _WORD.findall(text) if word.lower() not in _EMPTY_WORDS}


def _clean(text: str, names: list[str]) -> str:
    text = unwrapped(text)
    head, mark, rest = text.partition(":")
    if not mark:
        head, mark, rest = text.partition(",")
    if mark and head in names:
        text = rest.strip()
    return _GREETING.sub("", text)
