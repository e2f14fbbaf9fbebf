"""A manifest becomes card.json: a pure function; every other form of the card is rendered from it alone."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ValidationError

from corpusforge.card.difference import Difference, Snapshot, compare, snapshot_of
from corpusforge.card.facts import Facts, FileFact
from corpusforge.card.funnel import Funnel, make_funnel
from corpusforge.card.leakage import Leakage, make_leakage
from corpusforge.card.mixture import Blend, Preference, make_mixture, make_preference
from corpusforge.card.people import People, make_people
from corpusforge.card.planted import PlantedSection, make_planted
from corpusforge.card.rights import Rights, make_rights, rights_blockers
from corpusforge.card.section import Section
from corpusforge.card.sentences import About, make_about
from corpusforge.card.synthetic import Synthetic, make_synthetic
from corpusforge.card.verdict import Verdict, make_verdict
from corpusforge.errors import UsageError
from corpusforge.manifest import fingerprint


class BuiltWith(Section):
    """A step with its version, settings, libraries and address."""

    step: str
    stage: str
    version: str
    settings: dict[str, Any]
    libraries: dict[str, str]
    fingerprint: str


class Rebuild(Section):
    """How to get the same bytes again."""

    command: str
    recipe_hash: str
    recipe: dict[str, Any]
    corpusforge: str
    seed: int
    tokenizer: str
    tokenizer_sha256: str
    steps: tuple[BuiltWith, ...]
    inputs: dict[str, str]


class File(Section):
    """A file of the build, its path relative to the build's folder."""

    path: str
    sha256: str
    rows: int
    bytes: int


class Card(Section):
    """All that a card says. Rows count the tables of mixes, preference pairs and hold-out, bytes all of their files."""

    format: Literal[1] = 1
    name: str
    build: str
    manifest_sha256: str
    rows: int
    bytes: int
    tokens: int
    languages: tuple[str, ...]
    about: About
    verdict: Verdict
    difference: Difference | None
    mixture: tuple[Blend, ...]
    preference: Preference | None = None
    funnel: Funnel
    people: People
    planted: PlantedSection | None = None
    audit_failed: str = ""
    synthetic: Synthetic | None
    leakage: Leakage
    rights: Rights
    rebuild: Rebuild
    files: tuple[File, ...]
    snapshot: Snapshot


def make_card(facts: Facts, previous: Card | None = None) -> Card:
    """The card of a manifest; `previous` is the last approved card, which the difference is against."""
    rights = make_rights(facts)
    snapshot = snapshot_of(facts)
    files = [file for _, blend in facts.blends() for file in blend.files] + list(facts.eval.files)
    files += facts.preference.files if facts.preference else ()
    return Card(
        name=facts.name,
        build=facts.build,
        manifest_sha256=facts.sha256,
        rows=sum(file.rows for file in files if file.path.endswith(".parquet")),
        bytes=sum(file.bytes for file in files),
        tokens=sum(blend.got_tokens for _, blend in facts.blends() if blend.unit == "tokens"),
        languages=tuple(sorted({language for s in facts.sources for language in s.languages})),
        about=make_about(facts),
        verdict=make_verdict(facts, rights_blockers(rights)),
        difference=compare(previous.snapshot, snapshot) if previous else None,
        mixture=make_mixture(facts),
        preference=make_preference(facts),
        funnel=make_funnel(facts),
        people=make_people(facts),
        planted=make_planted(facts),
        audit_failed=facts.audit_failed,
        synthetic=make_synthetic(facts),
        leakage=make_leakage(facts),
        rights=rights,
        rebuild=_rebuild(facts),
        files=tuple(sorted((_file(file) for file in files), key=lambda file: file.path)),
        snapshot=snapshot,
    )


def card_bytes(card: Card) -> bytes:
    """card.json: sorted keys, indented, the same bytes for the same card."""
    import orjson

    options = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(card.model_dump(mode="json"), option=options)


def read_card(data: bytes, where: str = "card.json", hint: str = "Render it again with corpusforge card.") -> Card:
    """The card in a card.json. Raises UsageError if it is damaged or of another version."""
    try:
        return Card.model_validate_json(data)
    except ValidationError:
        raise UsageError("is damaged or of another version.", where=where, hint=hint) from None


def _rebuild(facts: Facts) -> Rebuild:
    return Rebuild(
        command=f"corpusforge build recipes/{facts.name}.yaml",
        recipe_hash=fingerprint(facts.recipe),
        recipe=facts.recipe,
        corpusforge=facts.corpusforge,
        seed=facts.seed,
        tokenizer=facts.tokenizer.name,
        tokenizer_sha256=facts.tokenizer.sha256,
        steps=tuple(
            BuiltWith(
                step=s.name,
                stage=s.stage,
                version=str(s.version),
                settings=s.settings,
                libraries=dict(sorted(s.libraries.items())),
                fingerprint=s.fingerprint,
            )
            for s in facts.steps
        ),
        inputs={source.name: source.fingerprint for source in facts.sources},
    )


def _file(file: FileFact) -> File:
    return File(path=file.path, sha256=file.sha256, rows=file.rows, bytes=file.bytes)
