"""Trains the name tagger further on a user's own labelled text, and tells how it does on the part it never saw."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from corpusforge.curate.redaction.ner import EMBEDDED, embedded_folder
from corpusforge.curate.redaction.ner.component import FACTORY, NameTagger, with_tagger
from corpusforge.curate.redaction.ner.labelled import example
from corpusforge.curate.redaction.ner.labels import LABELS
from corpusforge.curate.redaction.ner.measured import figures
from corpusforge.curate.redaction.ner.training import Example, Plan, train
from corpusforge.errors import Problem, Problems, UsageError
from corpusforge.record import stable_hash
from corpusforge.shards import sha256_file

# Made-up sentences from the shipped tagger's own training: mixed in, so that what it knows is not forgotten.
REHEARSAL = "rehearsal.jsonl"
_KEYS = {"text", "spans", "conversation"}
_SPAN_KEYS = {"start", "end", "label"}
_MOST_PROBLEMS = 20
_FEWEST = 20


@dataclass(frozen=True, slots=True)
class Labelled:
    """A labelled text; texts of one `conversation` are trained on together or kept out together."""

    text: str
    spans: tuple[tuple[int, int, str], ...]
    conversation: str


def read_labelled(path: Path) -> list[Labelled]:
    """The texts of a JSON Lines file: `{"text": ..., "spans": [{"start", "end", "label"}], "conversation": ...}`.

    Starts and ends count characters; `conversation` may be left out. Raises Problems with file and line for whatever
    is not so; they quote nothing of the text.
    """
    found: list[Labelled] = []
    problems: list[Problem] = []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UsageError("the file is not UTF-8.", where=str(path)) from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            where = f"{path}:{number}"
            try:
                found.append(_labelled(json.loads(line)))
            except json.JSONDecodeError:
                problems.append(Problem(where, "this is no JSON object.", "Write one object a line."))
            except _WrongForm as wrong:
                problems.append(Problem(where, wrong.what, wrong.hint))
        if len(problems) == _MOST_PROBLEMS:
            break
    if problems:
        raise Problems(problems)
    return found


class _WrongForm(Exception):
    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what, self.hint = what, hint


def _labelled(row: Any) -> Labelled:
    if not isinstance(row, dict) or not isinstance(row.get("text"), str) or not isinstance(row.get("spans"), list):
        raise _WrongForm("an object with `text` and `spans` is needed.")
    if extra := sorted(row.keys() - _KEYS):
        raise _WrongForm(f"unknown key {extra[0]!r}.", f"Known: {', '.join(sorted(_KEYS))}.")
    text, conversation = row["text"], row.get("conversation", row["text"])
    if not isinstance(conversation, str):
        raise _WrongForm("`conversation` is no text.")
    spans = sorted(_span(span, text) for span in row["spans"])
    for before, after in pairwise(spans):
        if after[0] < before[1]:
            raise _WrongForm(f"the spans at {before[0]} and {after[0]} overlap.")
    return Labelled(text, tuple(spans), conversation)


def _span(span: Any, text: str) -> tuple[int, int, str]:
    if not isinstance(span, dict) or span.keys() != _SPAN_KEYS:
        raise _WrongForm("a span has `start`, `end` and `label`, nothing else.")
    start, end, label = span["start"], span["end"], span["label"]
    if type(start) is not int or type(end) is not int or not 0 <= start < end <= len(text):
        raise _WrongForm(f"a span from {start!r} to {end!r} does not lie in a text of {len(text)} characters.")
    if label not in LABELS[1:]:
        raise _WrongForm(f"unknown label {label!r}.", f"Known: {', '.join(LABELS[1:])}.")
    if not text[start:end].strip():
        raise _WrongForm(f"the span from {start} to {end} holds white space alone.")
    return start, end, label


@dataclass(frozen=True, slots=True)
class Fitted:
    """What came of training: texts used and kept out, and `figures` of the base and the new tagger on the latter."""

    trained: int
    held_out: int
    base: Mapping[str, Any]
    fitted: Mapping[str, Any]


def fit_names(
    paths: Sequence[Path], out: Path, *, base: str = EMBEDDED, held_out: float = 0.2, epochs: int = 4, seed: int = 1
) -> Fitted:
    """Trains on the labelled files and writes a spaCy pipeline to the folder `out`, for `curate.redact.ner`.

    `base` is `embedded` or a folder that this made; the share `held_out` of the conversations, chosen by hash, is kept
    out and measured on. The same files give the same bytes on a machine. Raises UsageError when `out` is taken, the
    base is none of ours or there is too little text; Problems for lines that are not as they should be.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError("there is something already.", where=str(out), hint="Name a new folder with --out.")
    folder = embedded_folder() if base == EMBEDDED else Path(base)
    tagger = _tagger(folder)
    rows = [row for path in paths for row in read_labelled(path)]
    kept = [row for row in rows if _share(row.conversation) < held_out]
    used = [row for row in rows if _share(row.conversation) >= held_out]
    if len(used) < _FEWEST:
        raise UsageError(
            f"{len(used)} labelled texts are too few to learn from.",
            where=", ".join(map(str, paths)),
            hint=f"At least {_FEWEST} are needed beside those held out; a thousand turns pay.",
        )
    examples = [example(row.text, row.spans) for row in used]
    rehearsal = [example(row.text, row.spans) for row in read_labelled(folder / REHEARSAL)]
    again = max(1, round(_words(rehearsal) / max(1, _words(examples))))
    plan = Plan(epochs=epochs, rate=0.0015, seed=seed)
    weights = train([*examples * min(again, 8), *rehearsal], len(LABELS), plan, base=tagger.weights)
    made = NameTagger(LABELS, tagger.caution, weights)
    unseen = [example(row.text, row.spans) for row in kept]
    result = Fitted(len(used), len(kept), figures(tagger, unseen), figures(made, unseen))
    card = {
        "base": {"name": base, "weights_sha256": sha256_file(folder / FACTORY / "weights.npz")},
        "data": [{"file": path.name, "sha256": sha256_file(path)} for path in paths],
        "trained_texts": result.trained,
        "held_out_texts": result.held_out,
        "plan": {"epochs": epochs, "seed": seed, "held_out": held_out},
        "figures": {"held out": result.fitted},
        "figures_of_base": {"held out": result.base},
        "languages": ["en"],
    }
    write(with_tagger(LABELS, tagger.caution, weights), out, card, (folder / REHEARSAL).read_text(encoding="utf-8"))
    return result


def write(nlp: Any, out: Path, card: Mapping[str, Any], rehearsal: str) -> None:
    """Writes a pipeline with its card and the sentences to rehearse; the folder appears whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        nlp.to_disk(scratch)
        # spaCy writes its own build into the folder; the tagger needs none of it.
        meta = json.loads((scratch / "meta.json").read_text(encoding="utf-8"))
        meta |= {"name": "corpusforge_names", "spacy_version": ">=3.8,<3.9", "spacy_git_version": ""}
        (scratch / "meta.json").write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")
        (scratch / "card.json").write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (scratch / REHEARSAL).write_text(rehearsal, encoding="utf-8")
        scratch.chmod(0o755)
        scratch.replace(out)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def rehearsal_lines(texts: Iterator[tuple[str, Sequence[tuple[int, int, str]]]]) -> str:
    """Texts in the form that `read_labelled` reads."""
    rows = [
        {"text": text, "spans": [{"start": start, "end": end, "label": label} for start, end, label in spans]}
        for text, spans in texts
    ]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _tagger(folder: Path) -> NameTagger:
    tagger: NameTagger | None = None
    with suppress(OSError, ValueError, KeyError, TypeError):
        tagger = NameTagger().from_disk(folder / FACTORY)
    if tagger is None or tagger.labels != LABELS or not (folder / REHEARSAL).is_file():
        hint = "Name `embedded` or a folder that `corpusforge fit names` wrote."
        raise UsageError("this is no name tagger of this version of corpusforge.", where=str(folder), hint=hint)
    return tagger


def _share(conversation: str) -> float:
    return int(stable_hash("held out", conversation), 16) / float(1 << 64)


def _words(examples: Sequence[Example]) -> int:
    return sum(len(words) for words, _ in examples)
