"""Analyses texts with Presidio's recognizers: the findings of its AnalyzerEngine, without its cost per call."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from corpusforge.curate.redaction.context import Surroundings, Tokens, Words
from corpusforge.curate.redaction.findings import RedactionFailed
from corpusforge.curate.redaction.gate import Form, Gate, Possible, Searcher, Views
from corpusforge.curate.redaction.phones import PhoneSearch
from corpusforge.curate.redaction.sheets import reached

# Matched values whose validation is remembered.
_MOST_REMEMBERED = 1 << 15
# Presidio's forms are narrow: all fit in one automaton.
_TOGETHER = 64
_MAX_SCORE = 1.0
_NONE: frozenset[int] = frozenset()
# Which of some places of recognizers need not be asked about a text.
Without = Callable[[str, Collection[int]], frozenset[int]]
_DIGIT = re.compile(r"\d")


class Found(NamedTuple):
    """A RecognizerResult of Presidio without its explanation; `recognizer` is the place of the one that gave it."""

    entity_type: str
    start: int
    end: int
    score: float
    recognizer: int
    boosted: bool = False


@dataclass(frozen=True, slots=True)
class Boost:
    """Presidio's LemmaContextAwareEnhancer: its settings."""

    factor: float
    least: float
    before: int
    after: int
    whole_words: bool

    @classmethod
    def of(cls, enhancer: Any) -> Boost:
        """The settings of an enhancer."""
        return cls(
            enhancer.context_similarity_factor,
            enhancer.min_score_with_context_similarity,
            enhancer.context_prefix_count,
            enhancer.context_suffix_count,
            enhancer.context_matching_mode == "whole_word",
        )


class FastAnalyzer:
    """Gives for each text what `AnalyzerEngine.analyze(text, "en", score_threshold=0)` gives with the same recognizers.

    Pattern recognizers run only the patterns that RE2 says can match; phone numbers are looked for once for all
    regions; words around a finding are looked up in place. Recognizers with an `analyze` of their own are called as
    they are. One thing differs on purpose: where Presidio would lose findings without a word (a pattern that ran out of
    time, the phone matcher's last try), this raises RedactionFailed or goes on.
    """

    def __init__(
        self, recognizers: Sequence[Any], *, enhancer: Any = None, words: Words | None = None, nlp_engine: Any = None
    ) -> None:
        """`recognizers`: Presidio's EntityRecognizers. `enhancer`: a LemmaContextAwareEnhancer (None: no context).

        `words`: the tokens for the context where lemmas are lower-case tokens; without it they are those that
        `nlp_engine` gives, which also feeds the recognizers that need its artifacts.
        """
        from presidio_analyzer import EntityRecognizer

        for recognizer in recognizers:
            if type(recognizer).enhance_using_context is not EntityRecognizer.enhance_using_context:
                raise ValueError(f"{recognizer.name} looks for context in its own way")
        self.recognizers = tuple(recognizers)
        self._entities = sorted({entity for r in recognizers for entity in r.supported_entities})
        self._places = {recognizer.id: place for place, recognizer in enumerate(recognizers)}
        self._boost = Boost.of(enhancer) if enhancer is not None else None
        self._words = words
        self._nlp_engine = nlp_engine
        self._runners = [_runner(recognizer, place) for place, recognizer in enumerate(recognizers)]
        forms: list[Form] = []
        for runner in self._runners:
            runner.first = len(forms)
            forms += runner.forms
        self._gate = Gate(forms, _TOGETHER)
        self._any = Possible(*forms)
        self._owners = [place for place, runner in enumerate(self._runners) for _ in runner.forms]
        self._ungated = [place for place, runner in enumerate(self._runners) if not runner.forms]
        self._cues = [
            tuple(word.lower() for word in recognizer.context or ()) if self._boost else ()
            for recognizer in recognizers
        ]
        self._needs_artifacts = any(runner.needs_artifacts for runner in self._runners)

    def analyze(self, texts: Sequence[str]) -> list[list[Found]]:
        """The findings of each text, in AnalyzerEngine's order. Raises RedactionFailed, which names the recognizer."""
        return [self._one(text, artifacts) for text, artifacts in zip(texts, self._artifacts(texts), strict=True)]

    def _artifacts(self, texts: Sequence[str]) -> Iterable[Any]:
        if not self._needs_artifacts and (self._boost is None or self._words is not None):
            return [None] * len(texts)
        return (artifacts for _, artifacts in self._nlp_engine.process_batch(texts, "en", batch_size=64))

    def _one(self, text: str, artifacts: Any) -> list[Found]:
        results = self.raw(text, artifacts)
        if not results:
            return results
        if self._boost is not None:
            results = self.boosted(text, results, artifacts)
        return without_duplicates(results)

    def closed(self, texts: Sequence[str]) -> frozenset[str]:
        """The texts in which no pattern of a recognizer can match."""
        return frozenset(texts) - reached(texts, self._any)

    def raw(
        self, text: str, artifacts: Any = None, *, without: Without | None = None, closed: bool = False
    ) -> list[Found]:
        """What each recognizer reports before the context counts, recognizer after recognizer. `without` tells which
        of some places of recognizers need not be asked about the text. `closed`: no pattern can match.
        """
        opened = _NONE if closed else self._gate.open(text)
        asked = {*self._ungated, *(self._owners[place] for place in opened)} if opened else {*self._ungated}
        wanted = sorted(asked - without(text, asked) if without is not None else asked)
        if not wanted:
            return []
        views = Views(text)
        found: list[Found] = []
        for place in wanted:
            runner = self._runners[place]
            try:
                if runner.takes_results:
                    found += self._called(runner.recognizer, text, artifacts)
                else:
                    found += runner.run(views, opened)
            except Exception as error:
                # The error may quote the text.
                failure = type(error).__name__
            else:
                continue
            raise RedactionFailed(f"{runner.recognizer.name}: {failure}")
        return found

    def _called(self, recognizer: Any, text: str, artifacts: Any) -> Iterator[Found]:
        from presidio_analyzer import RecognizerResult

        for result in recognizer.analyze(text=text, entities=self._entities, nlp_artifacts=artifacts) or ():
            metadata = result.recognition_metadata or {}
            place = self._places[metadata.get(RecognizerResult.RECOGNIZER_IDENTIFIER_KEY, recognizer.id)]
            boosted = bool(metadata.get(RecognizerResult.IS_SCORE_ENHANCED_BY_CONTEXT_KEY))
            yield Found(result.entity_type, result.start, result.end, result.score, place, boosted)

    def boosted(self, text: str, results: list[Found], artifacts: Any = None) -> list[Found]:
        """The results with the scores that the words around them give."""
        boost = self._boost
        if boost is None:
            return results
        around: Surroundings | None = None
        lowered = ""
        hopeless: dict[int, bool] = {}
        made = []
        for plain in results:
            result = plain
            cues = self._cues[result.recognizer]
            if not cues or result.boosted:
                made.append(result)
                continue
            if self._words is not None:
                # A lemma is a part of the lower-cased text here: a cue that is not in it is in no lemma.
                if result.recognizer not in hopeless:
                    lowered = lowered or text.lower()
                    hopeless[result.recognizer] = not any(cue in lowered for cue in cues)
                if hopeless[result.recognizer]:
                    made.append(result)
                    continue
            if around is None:
                around = self._words.of(text) if self._words is not None else Tokens(artifacts)
            words = around.around(result.start, boost.before, boost.after)
            if _supported(words, cues, boost.whole_words):
                score = min(max(result.score + boost.factor, boost.least), _MAX_SCORE)
                result = result._replace(score=score)
            made.append(result)
        return made


def _supported(words: Sequence[str], cues: Sequence[str], whole_words: bool) -> bool:
    if whole_words:
        return any(cue in words for cue in cues)
    return any(cue in word for cue in cues for word in words)


def without_duplicates(results: Sequence[Found]) -> list[Found]:
    """As EntityRecognizer.remove_duplicates: no zero scores, nothing in a result of its type with as high a score."""
    if len(results) < 2:
        return [result for result in results if result.score != 0]
    kept: list[Found] = []
    active: list[Found] = []
    for result in sorted(results, key=lambda f: (f.entity_type, f.start, -f.end, -f.score)):
        if result.score == 0:
            continue
        active = [a for a in active if a.entity_type == result.entity_type and a.end >= result.start]
        if not any(a.start <= result.start and result.end <= a.end and result.score <= a.score for a in active):
            kept.append(result)
            active.append(result)
    return sorted(kept, key=lambda f: (-f.score, f.start, f.start - f.end))


class _Runner:
    """How one recognizer is run; by default as it is, on every text."""

    takes_results = True
    needs_artifacts = True

    def __init__(self, recognizer: Any, place: int) -> None:
        self.recognizer = recognizer
        self.place = place
        self.forms: list[Form] = []
        self.first = 0

    def run(self, views: Views, opened: frozenset[int]) -> list[Found]:
        raise NotImplementedError


class _Gated(_Runner):
    """A recognizer with a search of its own that finds nothing where its patterns match nothing."""

    needs_artifacts = False

    def __init__(self, recognizer: Any, place: int) -> None:
        super().__init__(recognizer, place)
        self.forms = _forms(recognizer)


class _Patterns(_Runner):
    """A recognizer with Presidio's own search for patterns."""

    takes_results = False
    needs_artifacts = False

    def __init__(self, recognizer: Any, place: int) -> None:
        from presidio_analyzer import PatternRecognizer

        super().__init__(recognizer, place)
        self.forms = _forms(recognizer)
        self._searchers = [Searcher(form) for form in self.forms]
        self._scores = [pattern.score for pattern in recognizer.patterns]
        kind = type(recognizer)
        self._judges = (
            kind.validate_result is not PatternRecognizer.validate_result
            or kind.invalidate_result is not PatternRecognizer.invalidate_result
        )
        self._entity = recognizer.supported_entities[0]
        self._verdicts: dict[str, float | None] = {}

    def run(self, views: Views, opened: frozenset[int]) -> list[Found]:
        from presidio_analyzer import pattern_recognizer

        seconds = pattern_recognizer.REGEX_TIMEOUT_SECONDS
        found = []
        for n, searcher in enumerate(self._searchers):
            if self.first + n not in opened:
                continue
            for start, end in searcher.spans(views, seconds):
                score = self._scores[n]
                if self._judges:
                    verdict = self._verdict(views.text[start:end])
                    score = score if verdict is None else verdict
                if score > 0:
                    found.append(Found(self._entity, start, end, score, self.place))
        return without_duplicates(found) if len(found) > 1 else found

    def _verdict(self, value: str) -> float | None:
        """The score that the recognizer's checks give a value; None leaves the pattern's."""
        if value in self._verdicts:
            return self._verdicts[value]
        valid = self.recognizer.validate_result(value)
        verdict = None if valid is None else 1.0 if valid else 0.0
        if self.recognizer.invalidate_result(value):
            verdict = 0.0
        if len(self._verdicts) >= _MOST_REMEMBERED:
            self._verdicts.clear()
        self._verdicts[value] = verdict
        return verdict


class _Phones(_Runner):
    takes_results = False
    needs_artifacts = False

    def __init__(self, recognizer: Any, place: int) -> None:
        super().__init__(recognizer, place)
        self._search = PhoneSearch(tuple(recognizer.supported_regions), recognizer.leniency)

    def run(self, views: Views, opened: frozenset[int]) -> list[Found]:
        entity, score = self.recognizer.supported_entities[0], self.recognizer.SCORE
        if not _DIGIT.search(views.text):
            return []
        found = [Found(entity, start, end, score, self.place) for start, end in self._search.spans(views.text)]
        return without_duplicates(found) if len(found) > 1 else found


def _forms(recognizer: Any) -> list[Form]:
    import regex  # type: ignore[import-untyped]

    flags = recognizer.global_regex_flags
    if flags & ~(regex.MULTILINE | regex.DOTALL | regex.IGNORECASE):
        return []
    return [
        Form(p.regex, bool(flags & regex.MULTILINE), bool(flags & regex.DOTALL), bool(flags & regex.IGNORECASE))
        for p in recognizer.patterns
    ]


def _runner(recognizer: Any, place: int) -> _Runner:
    from presidio_analyzer import PatternRecognizer
    from presidio_analyzer.predefined_recognizers import IbanRecognizer, PhoneRecognizer

    search = type(recognizer).analyze
    if isinstance(recognizer, PatternRecognizer) and _forms(recognizer):
        if search is PatternRecognizer.analyze:
            return _Patterns(recognizer, place)
        if search is IbanRecognizer.analyze:
            return _Gated(recognizer, place)
    if search is PhoneRecognizer.analyze:
        return _Phones(recognizer, place)
    return _Runner(recognizer, place)
