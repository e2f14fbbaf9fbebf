"""Cheap checks of a row's form: its parts are there, its question stands alone, its language and length are right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from corpusforge.generate.verify.problem import Problem
from corpusforge.generate.verify.view import RowView

MIN_LANGUAGE_CHARS = 60
_TEXT = (
    r"(?:(?:the |this |that |these |those )?(?:given |provided |supplied |above |following |preceding |accompanying )?"
    r"(?:text|passage|article|document|excerpt|context|paragraph|snippet|section|chapter|conversation|transcript|"
    r"dialogue|chat log|information|material|source)(?: provided| given| above| below)?)"
)
_POINTS_OUT = re.compile(
    rf"\b(?:according to|based on|as (?:per|stated in|described in|mentioned in)|(?:stated|mentioned|described|given"
    rf"|listed|discussed|provided|presented|outlined|found|shown) (?:in|by)) {_TEXT}\b"
    rf"|\bin (?:the|this) (?:given |provided |above |following )?(?:text|passage|article|document|excerpt|paragraph)\b"
    rf"|\b(?:the|this) (?:text|passage|article|document|excerpt|paragraph|author|speaker|writer) "
    rf"(?:says?|states?|mentions?|describes?|explains?|discuss(?:es)?|tells?|suggests?|recommends?)\b"
    rf"|\b(?:does|do|did) (?:the|this) (?:text|passage|article|document|excerpt|paragraph|author) \w+"
    rf"|\b(?:mentioned|described|shown|listed|noted|discussed|seen|stated) (?:above|below|earlier|previously)\b"
    rf"|\b(?:the )?(?:above|aforementioned)[- ](?:mentioned )?(?:text|example|section|steps?|command|table|figure)\b"
    rf"|\bthis (?:section|article|document|page|guide|passage|chapter|paragraph|text|manual|tutorial|lesson)\b",
    re.IGNORECASE,
)
_ANSWER_POINTS_OUT = re.compile(
    rf"\b(?:according to|based on) {_TEXT}\b"
    rf"|\bthe (?:given |provided |supplied )(?:text|passage|article|document|excerpt|context|paragraph|information)\b"
    rf"|\bthe (?:passage|excerpt|text) (?:says?|states?|mentions?|describes?|explains?|does not|doesn't)\b"
    rf"|\bas an ai\b|\bas a language model\b|\bi (?:cannot|can't|am unable to) (?:help|assist|answer|provide)\b",
    re.IGNORECASE,
)
_POINTING = re.compile(
    r"^(?:(?:and|but|so|then)\s+)?(?:what|how|why|when|where|which|who|can|could|do|does|did|is|are|was|were|should|will|"
    r"would|must|may)\b(?:\s+(?:do|does|did|is|are|was|were|can|could|should|would|will|must|may|to|i|you|we|one|happens|if"
    r"|n't|not))*\s+(?P<pronoun>it|its|they|them|their|this|these|that|those)\b(?P<rest>.*)",
    re.IGNORECASE,
)
_POINTS_AT_LAST = re.compile(
    r"^(?:how|why|when|where|can|could|should|do|does|is|are)\b(?:\s+(?:do|does|can|could|should|would|will|must|to|i|you"
    r"|we|one))*\s+\w+\s+(?:it|this|these|those|them)\s*\??$",
    re.IGNORECASE,
)
# `it` that stands for nothing: is it possible to, does it take, is it that; `this year` and `that you` point nowhere.
_EMPTY_IT = re.compile(
    r"^\s*(?:possible|necessary|safe|required|important|recommended|better|best|ok|okay|advisable|legal|easy|hard"
    r"|difficult|useful|enough|usual|normal|true|worth|take|takes|cost|costs|matter|mean|means|that|called|when|if|to)\b",
    re.IGNORECASE,
)
_BARE_THIS = re.compile(
    r"^\s*(?:$|[?.,!]|(?:is|are|do|does|did|has|have|work|works|mean|means|happen|happens|fail|fails|called|for|in|on|at|"
    r"to|be|and|or|when|if|with|from|by)\b)",
    re.IGNORECASE,
)
_LANGUAGES = (
    "ar", "cs", "da", "de", "el", "en", "es", "fi", "fr", "he", "hu", "it", "ja", "ko", "nl", "pl", "pt", "ru", "sv",
    "tr", "uk", "zh",
)  # fmt: skip
_WORDY = re.compile(r"[^\W_]")
_SCRIPT = {"zh": r"[\u3400-\u9fff]", "ja": r"[\u3040-\u30ff\u3400-\u9fff]", "ko": r"[\uac00-\ud7af]",
           "ru": r"[\u0400-\u04ff]", "uk": r"[\u0400-\u04ff]", "el": r"[\u0370-\u03ff]"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """The longest question and answer of a row, in characters; `reading` and `turns` may hold a passage."""

    question: int = 1_000
    question_with_text: int = 8_000
    answer: int = 4_000


def structure(view: RowView) -> Iterator[Problem]:
    """Parts that every row has: two turns, question and answer that stand in them, evidence within its own passage."""
    row = view.row
    messages = row.messages or ()
    turns = [message for message in messages if message.role != "system"]
    if len(turns) < 2 or any(not message.content.strip() for message in turns):
        yield Problem("structure", len(turns), 2)
        return
    if [message.role for message in turns] != ["user", "assistant"] * (len(turns) // 2):
        yield Problem("structure", 0, 1)
        return
    if not view.question.strip():
        yield Problem("structure", 0, 1)
        return
    if not _WORDY.search(view.answer) and not view.verbatim:
        # `?` may be an answer where the source says so.
        yield Problem("empty-answer", 0, 1)
        return
    if view.task in ("qa", "mcq") and view.answer.strip() not in turns[-1].content:
        yield Problem("structure", 0, 1)
    if not view.passage:
        # No judge without the source, and no short source that needs none.
        yield Problem("no-source", 0, 1)
    elif row.meta.get("answerable", True) and not view.spans:
        yield Problem("no-evidence", 0, 1)


def self_contained(view: RowView) -> Iterator[Problem]:
    """Whether the question can be understood, and the answer read, without the passage at hand."""
    if view.task in ("reading", "rewrite"):
        return
    alone = view.task != "turns"
    points = _POINTS_OUT.search(view.question) or _ANSWER_POINTS_OUT.search(view.answer)
    if points or (alone and _POINTS_AT_LAST.match(view.question.strip())):
        yield Problem("not-self-contained", 0, 1)
    elif alone and (match := _POINTING.match(view.question.strip())):
        rest, pronoun = match["rest"], match["pronoun"].lower()
        empty = _EMPTY_IT.match(rest) if pronoun == "it" else None
        bare = pronoun in ("this", "these", "that", "those") and not _BARE_THIS.match(rest)
        if not empty and not bare:
            yield Problem("not-self-contained", 0, 1)


def language(view: RowView) -> Iterator[Problem]:
    """Whether an answer of some length is in the row's language; what is verbatim is in its parent's."""
    wanted = view.row.language.partition("-")[0]
    if (
        wanted not in _LANGUAGES
        or view.verbatim
        or len(view.answer) < MIN_LANGUAGE_CHARS
        or view.row.meta.get("options")
    ):
        return
    if (script := _SCRIPT.get(wanted)) and not re.search(script, view.answer):
        yield Problem("wrong-language", 0, 1)
        return
    named, score = _named(view.answer)
    # What the passage itself is taken for is no mistake of the answer's.
    if named != wanted and score >= 0.9 and named != _named(view.passage)[0]:
        yield Problem("wrong-language", round(score, 4), 0.9)


def length(view: RowView, limits: Limits) -> Iterator[Problem]:
    """Whether question and answer keep to the limits."""
    with_text = view.task in ("reading", "turns", "rewrite")
    most = limits.question_with_text if with_text else limits.question
    if view.task == "reading" and view.row.meta.get("engine") != "extractive":
        # Its question is the chunk with a few words around it, and the recipe says how long a chunk may be.
        most = max(most, len(view.passage) + limits.question)
    if len(view.question) > most:
        yield Problem("too-long", len(view.question), most)
    elif len(view.answer) > limits.answer:
        yield Problem("too-long", len(view.answer), limits.answer)


def _named(text: str) -> tuple[str, float]:
    name, score = _identifier().classify(text)
    return str(name), float(score)


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(_LANGUAGES))
    return identifier
