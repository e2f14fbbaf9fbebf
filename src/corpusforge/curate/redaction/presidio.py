"""Presidio's recognizers on a window: its AnalyzerEngine's decisions, and ours on what a cue must stand beside."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from types import SimpleNamespace
from typing import Any

from corpusforge.curate.redaction.analyzer import FastAnalyzer, Found
from corpusforge.curate.redaction.context import Keywords, Words
from corpusforge.curate.redaction.findings import Finding, RedactionFailed
from corpusforge.curate.redaction.gate import Form, Possible, utf8

# The regions that Presidio tries by default; a number with a leading + is found whatever its country.
PHONE_REGIONS = ("US", "GB", "DE", "FR", "IL", "IN", "CA", "BR")
# Shorter matches are house numbers, prices and years: a German local number may have four digits.
MIN_PHONE_DIGITS = 7
# Words, where each starts, and entities as (label, start, end).
Read = tuple[list[str], list[int], list[tuple[str, int, int]]]
# What a finding is worth beside a word that tells what it is.
CUED_SCORE = 0.6
# Characters; longer words are hashes, encoded files and rows of dots, which spaCy may cut in quadratic time.
LONGEST_WORD = 256


@dataclass(frozen=True, slots=True)
class Detector:
    """A recognizer of Presidio: our kind for it, and a cue that must stand near its findings."""

    recognizer: Any
    kind: str
    cue: re.Pattern[str] | None = None


@dataclass(frozen=True)
class Engine:
    """All that a process needs to analyse windows."""

    detectors: tuple[Detector, ...]
    analyzer: FastAnalyzer
    nlp_engine: Any
    cues: Possible

    @cached_property
    def cued(self) -> frozenset[int]:
        """Places of the detectors that need a cue."""
        return frozenset(place for place, detector in enumerate(self.detectors) if detector.cue is not None)

    def cueless(self, window: str, places: Collection[int]) -> frozenset[int]:
        """Those of some places of detectors that need a cue and have none in a window."""
        asked = self.cued.intersection(places)
        if not asked:
            return asked
        encoded = utf8(window)
        if not self.cues.within(encoded, ascii_text=len(encoded) == len(window)):
            return asked
        cues = ((place, self.detectors[place].cue) for place in asked)
        return frozenset(place for place, cue in cues if cue is not None and not cue.search(window))

    @property
    def recognizers(self) -> list[Any]:
        """The recognizers whose decisions are Presidio's own (no cue asked for by us)."""
        return [detector.recognizer for detector in self.detectors if detector.cue is None]


class Tagged:
    """Presidio's artifacts of what our own tagger read: words and entities without a Doc, which takes longer to make.

    `keywords_of`: which lemmas are keywords.
    """

    def __init__(self, engine: Any, keywords_of: Keywords, read: Read) -> None:
        words, starts, entities = read
        self.tokens, self.tokens_indices = words, starts
        self._keywords_of = keywords_of
        spans = [SimpleNamespace(label_=label, start_char=start, end_char=end) for label, start, end in entities]
        scores = [engine.ner_model_configuration.default_score] * len(spans)
        self.entities, self.scores = engine._get_updated_entities(spans, scores)

    @cached_property
    def lemmas(self) -> list[str]:
        """The words in lower case."""
        return [word.lower() for word in self.tokens]

    @cached_property
    def keywords(self) -> list[str]:
        """The keywords among the lemmas."""
        return self._keywords_of(self.lemmas)


class _Timeouts(logging.Handler):
    """Presidio logs a pattern's time-out and goes on without it; this notices, so that we do not go on."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.seen = False

    def emit(self, record: logging.LogRecord) -> None:
        self.seen = self.seen or "timed out" in record.getMessage()


@cache
def _watch() -> _Timeouts:
    # Presidio's debug and trace lines quote the text that it analyses: none of them may reach a log.
    logger = logging.getLogger("presidio-analyzer")
    handler = _Timeouts()
    logger.handlers = [handler]
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    return handler


@contextmanager
def guarded(name: str) -> Iterator[None]:
    """Turns every error and every time-out of a detector into RedactionFailed, which names it and quotes nothing."""
    watch = _watch()
    watch.seen = False
    failure = ""
    try:
        yield
    except RedactionFailed:
        raise
    except Exception as error:
        failure = type(error).__name__
    if watch.seen:
        failure = "TimeoutError"
    if failure:
        raise RedactionFailed(f"{name}: {failure}")


@cache
def engine(regions: tuple[str, ...] = PHONE_REGIONS) -> Engine:
    """The engine of this process. Loads nothing from a network."""
    _watch()
    from presidio_analyzer import predefined_recognizers as known
    from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer

    def national(name: str, cue: str = "") -> Detector:
        near = re.compile(rf"(?<![a-z])(?:{cue})(?![a-z])", re.IGNORECASE) if cue else None
        return Detector(getattr(known, name)(), "NATIONAL_ID", near)

    detectors = (
        Detector(offline_email(known.EmailRecognizer()), "EMAIL_ADDRESS"),
        Detector(known.CreditCardRecognizer(), "CREDIT_CARD"),
        Detector(known.IbanRecognizer(), "IBAN_CODE"),
        Detector(known.IpRecognizer(), "IP_ADDRESS"),
        Detector(known.MacAddressRecognizer(), "MAC_ADDRESS"),
        Detector(known.CryptoRecognizer(), "CRYPTO"),
        Detector(known.UsSsnRecognizer(), "US_SSN"),
        Detector(known.UsBankRecognizer(), "ACCOUNT_NUMBER"),
        Detector(known.PhoneRecognizer(supported_regions=regions), "PHONE_NUMBER"),
        national("UsItinRecognizer"),
        national("UkNinoRecognizer"),
        national("ItFiscalCodeRecognizer"),
        national("FiPersonalIdentityCodeRecognizer"),
        national("UsPassportRecognizer", r"passport"),
        national("UsLicenseRecognizer", r"driv(?:er|ing)[\w' ]{0,4}licen[cs]e|licen[cs]e|dl"),
        national("NhsRecognizer", r"nhs|national health service"),
        national("EsNifRecognizer", r"nif|dni"),
        national("EsNieRecognizer", r"nie"),
        national("PlPeselRecognizer", r"pesel"),
        national("AuTfnRecognizer", r"tfn|tax file"),
        national("AuMedicareRecognizer", r"medicare"),
        national("CaSinRecognizer", r"sin|social insurance"),
        national("InPanRecognizer", r"pan|permanent account"),
        national("InAadhaarRecognizer", r"aadhaar|uidai"),
        national("SgFinRecognizer", r"nric|fin"),
        national("KrRrnRecognizer", r"rrn|resident registration"),
        national("DeTaxIdRecognizer", r"steuer\S*|idnr|tax id\S*"),
    )
    nlp_engine = blank_engine()
    analyzer = FastAnalyzer(
        [detector.recognizer for detector in detectors],
        enhancer=LemmaContextAwareEnhancer(),
        words=Words(nlp_engine.nlp["en"], LONGEST_WORD),
    )
    cues = "|".join(detector.cue.pattern for detector in detectors if detector.cue is not None)
    return Engine(detectors, analyzer, nlp_engine, Possible(Form(cues)))


def offline_email(recognizer: Any) -> Any:
    """An e-mail recognizer of Presidio that asks no network; any other recognizer as it is.

    Presidio's asks for the newest list of suffixes on the first address of a process; the list that comes with the
    library is the same on every machine.
    """
    import tldextract
    from presidio_analyzer.predefined_recognizers import EmailRecognizer

    if type(recognizer) is not EmailRecognizer:
        return recognizer
    extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

    class OfflineEmailRecognizer(EmailRecognizer):
        def validate_result(self, pattern_text: str) -> bool:
            return bool(extract(pattern_text).fqdn)

    return OfflineEmailRecognizer(name="EmailRecognizer")


def blank_engine() -> Any:
    """An NLP engine for Presidio without a model; a token's lemma is its lower case."""
    import spacy
    from presidio_analyzer.nlp_engine import NlpArtifacts, SpacyNlpEngine

    from corpusforge.curate.redaction.ner.component import tagger_of

    keywords = Keywords(spacy.blank("en").Defaults.stop_words)

    class OfflineNlpEngine(SpacyNlpEngine):
        """Tokens of a blank English pipeline; never loads or downloads a model."""

        nlp: Any

        def load(self) -> None:
            self.nlp = {"en": spacy.blank("en")}

        def process_text(self, text: str, language: str) -> Any:
            return self._doc_to_nlp_artifact(self.nlp[language](text), language)

        def _doc_to_nlp_artifact(self, doc: Any, language: str) -> Any:
            # Without a lemmatiser lemmas are empty, and with those no context word of Presidio ever matches.
            for token in doc:
                if not token.lemma_:
                    token.lemma_ = token.lower_
            return super()._doc_to_nlp_artifact(doc, language)

        def process_batch(
            self,
            texts: Any,
            language: str,
            batch_size: int = 64,
            n_process: int = 1,
            as_tuples: bool = False,
            **options: Any,
        ) -> Any:
            if as_tuples or n_process > 1:
                return super().process_batch(texts, language, batch_size, n_process, as_tuples, **options)
            tagger = tagger_of(self.nlp[language])
            if tagger is not None:
                texts = list(texts)
                read = tagger.read_words(texts)
                return ((text, Tagged(self, keywords, told)) for text, told in zip(texts, read, strict=True))
            docs = self.nlp[language].pipe(texts, batch_size=batch_size)
            return ((doc.text, Unread(self, doc, language)) for doc in docs)

    class Unread(NlpArtifacts):
        """Artifacts whose lemmas and keywords are made when they are asked for: few texts need them."""

        def __init__(self, engine: Any, doc: Any, language: str) -> None:
            self.nlp_engine, self.tokens, self._language = engine, doc, language
            self.entities, self.scores = engine._get_updated_entities(
                engine._get_entities(doc), engine._get_scores_for_entities(doc)
            )

        @cached_property
        def _made(self) -> Any:
            return self.nlp_engine._doc_to_nlp_artifact(self.tokens, self._language)

        lemmas = property(lambda self: self._made.lemmas)
        keywords = property(lambda self: self._made.keywords)
        tokens_indices = property(lambda self: self._made.tokens_indices)

    made = OfflineNlpEngine()
    made.load()
    return made


def recognised(made: Engine, window: str, min_score: float, *, closed: bool = False) -> list[Finding]:
    """What Presidio's recognizers find in a window with at least `min_score`, after its context words; `closed`: none
    of their patterns can match there.

    Raises RedactionFailed when one of them raises or runs out of time.
    """
    found: list[Finding] = []
    with guarded("Presidio"):
        plain: list[Found] = []
        for result in made.analyzer.raw(window, without=made.cueless, closed=closed):
            cue = made.detectors[result.recognizer].cue
            if cue is None:
                plain.append(result)
            elif cue.search(window, max(0, result.start - 60), result.end + 20):
                found.append(_finding(made, result, max(result.score, CUED_SCORE)))
        # Context only ever raises a score: findings that are in anyway need none.
        if any(result.score < min_score for result in plain):
            plain = made.analyzer.boosted(window, plain)
    found += [_finding(made, result, result.score) for result in plain if _counts(made, window, result)]
    return [finding for finding in found if finding.score >= min_score]


def _finding(made: Engine, result: Found, score: float) -> Finding:
    detector = made.detectors[result.recognizer]
    return Finding(detector.kind, result.start, result.end, detector.recognizer.name, score)


def _counts(made: Engine, window: str, result: Found) -> bool:
    if made.detectors[result.recognizer].kind != "PHONE_NUMBER":
        return True
    return sum(character.isdecimal() for character in window[result.start : result.end]) >= MIN_PHONE_DIGITS
