"""The parts of README.md on who redacted, what was hidden, and what dedup and a quality model rest on."""

from __future__ import annotations

from collections.abc import Iterator

from corpusforge.card.figures import count
from corpusforge.card.funnel import Funnel
from corpusforge.card.markdown import cell, table
from corpusforge.card.people import People


def redactor_lines(people: People) -> Iterator[str]:
    """The name models with their figures and data, and how each source was treated."""
    redactor = people.redactor
    if redactor is None:
        return
    yield "### Who looked for names\n"
    for model in redactor.models:
        yield f"{cell(model.said)}\n"
        if model.measured:
            rows = [
                (m.on, count(m.spans), m.recall, m.person_recall, m.precision, m.over_masked) for m in model.measured
            ]
            head = ("measured on unseen", "spans", "recall", "recall of names", "precision", "words over-masked")
            yield table(head, rows, "-rrrrr")
        if model.data:
            used = "; ".join(
                ", ".join(word for word in (one.name, one.licence, one.attribution) if word) for one in model.data
            )
            yield f"Trained on: {cell(used)}.\n"
    if not redactor.models:
        yield "No name model was used: names in free text were left to cues, roles and handles.\n"
    yield f"{cell(redactor.said)}\n"
    columns = (
        "source",
        "policy",
        "style",
        "name model",
        "records",
        "read by it",
        "language not known to it",
        "form alone",
    )
    yield table(
        (*columns, "hidden by strict"),
        [
            (
                one.source, one.policy or "–", one.style or "–", one.name_model or "–", count(one.read),
                count(one.model),
                count(one.none) + "".join(f", {language} {count(n)}" for language, n in one.languages.items()),
                count(one.form_only), one.strict or "–",
            )
            for one in redactor.sources
        ],
        "----rrrrr",
    )  # fmt: skip


def hidden_lines(people: People) -> Iterator[str]:
    """Places where something was hidden, by kind."""
    if people.hidden:
        yield "### Was it right to hide this?\n"
        yield table(("kind", "source", "in context"), [(one.kind, one.source, one.text) for one in people.hidden])


def evidence(funnel: Funnel) -> str:
    """What a quality model and each dedup step rest on; nothing for a build without either."""
    said = [f"{cell(model.name)} decided in {model.step}. {model.said}\n" for model in funnel.models]
    for found in funnel.duplicates:
        rows = [
            (
                one.reason, count(one.records), f"{one.line:.3g}" if one.line is not None else "same content",
                ", ".join(f"{score:.3f}" for score in one.nearest) or "–",
            )
            for one in found.reasons
        ]  # fmt: skip
        said += [f"### What {found.step} rests on\n", f"{found.said}\n"]
        said.append(table(("reason", "records", "line", "scores nearest to it"), rows, "-rrr"))
        if found.would_drop:
            at = ", ".join(f"{line}: {count(n)}" for line, n in found.would_drop.items())
            said.append(f"Records that would go as near duplicates at another similarity: {at}.\n")
    return "\n" + "\n".join(said) if said else ""
