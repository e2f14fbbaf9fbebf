"""The typed view of a manifest's leak audit."""

from __future__ import annotations

from pydantic import Field

from corpusforge.card.fact import Fact


class TallyFacts(Fact):
    """Planted values of one group: planted = masked + leaked + in part + not tested; recall and its 95% interval."""

    planted: int = 0
    masked: int = 0
    leaked: int = 0
    in_part: int = 0
    not_tested: int = 0
    recall: float | None = None
    low: float | None = None
    high: float | None = None


class LeakFacts(Fact):
    """A planted value that was found again."""

    form: str
    value: str = ""
    whole: bool = True
    first: tuple[dict[str, str], ...] = ()


class SearchedFacts(Fact):
    """What the leak audit opened."""

    files: int = 0
    strings: int = 0
    tokens: int = 0


class SuspectFacts(Fact):
    """Records in which the second detector suspects a kind."""

    found: int = 0


class LookFacts(Fact):
    """The second detector over a sample of finished records."""

    records: int = 0
    suspects: dict[str, SuspectFacts] = Field(default_factory=dict)
    suspect_snippets: tuple[dict[str, str], ...] = ()


class AuditFacts(Fact):
    """The leak audit: invented values that were planted before redaction, and what became of them."""

    forms: int = 0
    records: dict[str, int] = Field(default_factory=dict)
    all: TallyFacts
    gated: TallyFacts
    disguised: TallyFacts = TallyFacts()
    other: TallyFacts = TallyFacts()
    kinds: dict[str, TallyFacts] = Field(default_factory=dict)
    leaks: tuple[LeakFacts, ...] = ()
    not_tested: dict[str, int] = Field(default_factory=dict)
    not_planted: dict[str, int] = Field(default_factory=dict)
    searched: SearchedFacts = SearchedFacts()
    second_look: LookFacts = LookFacts()
