"""Presidio's recognizers on a window: its AnalyzerEngine's decisions, run only where they can find something."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from corpusforge.curate.redaction.findings import NER, Finding, RedactionFailed
from corpusforge.errors import UsageError

# The regions that Presidio tries by default; a number with a leading + is found whatever its country.
PHONE_REGIONS = ("US", "GB", "DE", "FR", "IL", "IN", "CA", "BR")
# Shorter matches are house numbers, prices and years: a German local number may have four digits.
MIN_PHONE_DIGITS = 7


@dataclass(frozen=True, slots=True)
class Gate:
    """A recognizer of Presidio: our kind for it, what it cannot do without, and a cue to stand by.

    It matches nothing in a window with fewer `digits`, without a match of `trigger` or without one of `words`;
    a finding must have `cue` near it.
    """

    recognizer: Any
    kind: str
    digits: int
    trigger: re.Pattern[str]
    words: tuple[str, ...] = ()
    cue: re.Pattern[str] | None = None


@dataclass(frozen=True)
class Engine:
    """All that a process needs to analyse windows."""

    gates: tuple[Gate, ...]
    nlp_engine: Any
    enhancer: Any
    pipeline: Any

    @cached_property
    def digitless(self) -> tuple[Gate, ...]:
        """The gates that open for windows without a digit."""
        return tuple(gate for gate in self.gates if not gate.digits)

    @property
    def recognizers(self) -> list[Any]:
        """The recognizers whose decisions are Presidio's own (no cue asked for by us)."""
        return [gate.recognizer for gate in self.gates if gate.cue is None]


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


_IP = re.compile(r"\d\.\d{1,3}\.\d|:[0-9A-Fa-f]*:|::")
_LONG = re.compile(r"\d(?:[- ]?\d){11}")
_PHONE = re.compile(r"\d(?:[^\d\n]{0,4}\d){6}")


@cache
def engine(ner: str | None = None, regions: tuple[str, ...] = PHONE_REGIONS) -> Engine:
    """The engine of this process. Loads nothing from a network. Raises UsageError if the pipeline `ner` is missing."""
    _watch()
    from presidio_analyzer import predefined_recognizers as known
    from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer

    def gate(name: str, kind: str, digits: int, trigger: str, words: str = "", cue: str = "") -> Gate:
        return Gate(
            getattr(known, name)(),
            kind,
            digits,
            re.compile(trigger),
            tuple(words.split()),
            re.compile(rf"(?<![a-z])(?:{cue})(?![a-z])", re.IGNORECASE) if cue else None,
        )

    gates = (
        Gate(_email_recognizer(), "EMAIL_ADDRESS", 0, re.compile("@")),
        gate("CreditCardRecognizer", "CREDIT_CARD", 12, _LONG.pattern),
        gate("IbanRecognizer", "IBAN_CODE", 2, r"[A-Za-z]{2}\d{2}"),
        gate("IpRecognizer", "IP_ADDRESS", 0, _IP.pattern),
        gate(
            "MacAddressRecognizer",
            "MAC_ADDRESS",
            0,
            r"[0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-]|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.",
        ),
        gate("CryptoRecognizer", "CRYPTO", 1, r"(?i:bc1|[13])[0-9A-Za-z]{25}"),
        gate("UsSsnRecognizer", "US_SSN", 9, r"\d{3}[- .]?\d{2}[- .]?\d{4}"),
        gate("UsItinRecognizer", "NATIONAL_ID", 9, r"9\d\d[- ]?\d\d[- ]?\d{4}"),
        gate("UkNinoRecognizer", "NATIONAL_ID", 6, r"[A-Za-z]{2}[- ]?\d{2}"),
        gate("ItFiscalCodeRecognizer", "NATIONAL_ID", 0, r"(?i)[a-z]{6}[\dlmnp-v]{2}[a-ehlmpr-t]"),
        gate("FiPersonalIdentityCodeRecognizer", "NATIONAL_ID", 9, r"(?i)\d{6}[-+a-fu-y]\d{3}[0-9a-z]"),
        gate("UsBankRecognizer", "ACCOUNT_NUMBER", 8, r"\d{8}", "check account acct bank save debit"),
        gate("UsPassportRecognizer", "NATIONAL_ID", 8, r"\d{8}", "passport", r"passport"),
        gate("UsLicenseRecognizer", "NATIONAL_ID", 3, r"\d{3}", "licen lic dl", r"driver'?s?|driving|licen[cs]e|dl"),
        gate(
            "NhsRecognizer",
            "NATIONAL_ID",
            10,
            r"\d{3}[- ]?\d{3}[- ]?\d{4}",
            "nhs health",
            r"nhs|national health service",
        ),
        gate("EsNifRecognizer", "NATIONAL_ID", 7, r"\d{7}-?[A-Za-z]", "nif dni", r"nif|dni"),
        gate("EsNieRecognizer", "NATIONAL_ID", 7, r"\d{7}-?[A-Za-z]", "nie", r"nie"),
        gate("PlPeselRecognizer", "NATIONAL_ID", 11, r"\d{11}", "pesel", r"pesel"),
        gate("AuTfnRecognizer", "NATIONAL_ID", 9, r"\d{3}\s?\d{3}\s?\d{3}", "tfn tax", r"tfn|tax file"),
        gate("AuMedicareRecognizer", "NATIONAL_ID", 10, r"\d{4}\s?\d{5}\s?\d", "medicare", r"medicare"),
        gate("CaSinRecognizer", "NATIONAL_ID", 9, r"\d{3}[- ]?\d{3}[- ]?\d{3}", "sin social", r"sin|social insurance"),
        gate("InPanRecognizer", "NATIONAL_ID", 4, r"[A-Za-z]{5}\d{4}", "pan permanent", r"pan|permanent account"),
        gate("InAadhaarRecognizer", "NATIONAL_ID", 8, r"\d{4}[- :]?\d{4}", "aadhaar uidai", r"aadhaar|uidai"),
        gate("SgFinRecognizer", "NATIONAL_ID", 7, r"\d{7}[A-Za-z]", "nric fin", r"nric|fin"),
        gate("KrRrnRecognizer", "NATIONAL_ID", 13, r"\d{6}-?\d{7}", "rrn resident", r"rrn|resident registration"),
        gate("DeTaxIdRecognizer", "NATIONAL_ID", 11, r"\d{11}", "steuer idnr tax", r"steuer\S*|idnr|tax id\S*"),
        Gate(known.PhoneRecognizer(supported_regions=regions), "PHONE_NUMBER", MIN_PHONE_DIGITS, _PHONE),
    )
    return Engine(gates, _blank_engine(), LemmaContextAwareEnhancer(), _pipeline(ner) if ner else None)


def _email_recognizer() -> Any:
    import tldextract
    from presidio_analyzer.predefined_recognizers import EmailRecognizer

    # The default extractor asks the network for the newest suffix list; the bundled one is the same on every machine.
    extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

    class OfflineEmailRecognizer(EmailRecognizer):
        def validate_result(self, pattern_text: str) -> bool:
            return bool(extract(pattern_text).fqdn)

    return OfflineEmailRecognizer(name="EmailRecognizer")


def _blank_engine() -> Any:
    import spacy
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    class OfflineNlpEngine(SpacyNlpEngine):
        """Tokens of a blank English pipeline; never loads or downloads a model."""

        nlp: Any

        def load(self) -> None:
            self.nlp = {"en": spacy.blank("en")}

        def process_text(self, text: str, language: str) -> Any:
            doc = self.nlp[language].make_doc(text)
            # A blank pipeline has empty lemmas, and with those no context word of Presidio ever matches.
            for token in doc:
                token.lemma_ = token.lower_
            return self._doc_to_nlp_artifact(doc, language)

    made = OfflineNlpEngine()
    made.load()
    return made


def _pipeline(name: str) -> Any:
    import spacy

    try:
        return spacy.load(name)
    except OSError:
        raise UsageError(
            f"the spaCy pipeline {name!r} is not installed.",
            where="curate.redact.ner",
            hint="Install it, give the path of a pipeline, or leave `ner` out: names are then found by rules alone.",
        ) from None


def recognised(made: Engine, window: str, folded: str, digits: int, min_score: float) -> list[Finding]:
    """What Presidio's recognizers find in a window with at least `min_score`, after its context words.

    `folded` is the case-folded window, `digits` the number of digits in it.

    Raises RedactionFailed when one of them raises or runs out of time.
    """
    found: list[Finding] = []
    for gate in made.gates if digits else made.digitless:
        if gate.digits > digits:
            continue
        if gate.words and not any(word in folded for word in gate.words):
            continue
        if not gate.trigger.search(window):
            continue
        name = gate.recognizer.name
        with guarded(name):
            plain = _phones(gate, window) if gate.kind == "PHONE_NUMBER" else _all(gate, window)
            results = _with_context(made, gate, window, plain, min_score)
        found += [Finding(gate.kind, r.start, r.end, name, r.score) for r in results if r.score >= min_score]
    return found


def _all(gate: Gate, window: str) -> list[Any]:
    return list(gate.recognizer.analyze(window, gate.recognizer.supported_entities, None))


def _phones(gate: Gate, window: str) -> list[Any]:
    """Phone numbers line by line, on lines with enough digits: no number that the matcher knows spans a line end."""
    results = []
    done = 0
    while match := _PHONE.search(window, done):
        start = window.rfind("\n", 0, match.start()) + 1
        end = window.find("\n", match.end())
        done = len(window) if end < 0 else end
        for result in _all(gate, window[start:done]):
            if (
                sum(character.isdecimal() for character in window[start + result.start : start + result.end])
                >= MIN_PHONE_DIGITS
            ):
                result.start += start
                result.end += start
                results.append(result)
    return results


def _with_context(made: Engine, gate: Gate, window: str, results: Sequence[Any], min_score: float) -> Sequence[Any]:
    if gate.cue is not None:
        return [
            _lifted(result) for result in results if gate.cue.search(window, max(0, result.start - 60), result.end + 20)
        ]
    # Context only ever raises a score: findings that are in anyway need none.
    if not results or all(result.score >= min_score for result in results):
        return results
    artifacts = made.nlp_engine.process_text(window, "en")
    return list(made.enhancer.enhance_using_context(window, list(results), artifacts, [gate.recognizer]))


def _lifted(result: Any) -> Any:
    result.score = max(result.score, 0.6)
    return result


def people(made: Engine, window: str) -> list[Finding]:
    """Persons that the named spaCy pipeline finds in a window."""
    with guarded(NER):
        doc = made.pipeline(window)
        return [
            Finding("PERSON", e.start_char, e.end_char, NER, 0.85) for e in doc.ents if e.label_ in ("PERSON", "PER")
        ]
