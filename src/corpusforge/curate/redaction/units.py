"""A text under redaction: runs of original characters and the placeholders between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from corpusforge.curate.redaction.findings import Finding
from corpusforge.curate.redaction.placeholders import Ledger
from corpusforge.record import Span


@dataclass(frozen=True, slots=True)
class Hidden:
    """A value that was taken out: its kind, its key in the record's ledger, who found it, and its length."""

    kind: str
    key: str
    detector: str
    score: float
    size: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A placeholder of an earlier redaction with its span's labels; it stays as it is."""

    text: str
    kind: str
    detector: str
    score: float


Piece = str | Hidden | Kept


class Unit:
    """One text of a record (a title, a speaker's name, a message, a string of meta)."""

    def __init__(self, text: str, spans: Sequence[Span] = ()) -> None:
        """`spans`: earlier redactions in this text, in order, offsets from its start."""
        self.pieces: list[Piece] = []
        at = 0
        for span in spans:
            self.pieces += [
                text[at : span.start],
                Kept(text[span.start : span.end], span.kind, span.detector, span.score),
            ]
            at = span.end
        self.pieces.append(text[at:])
        self.hidden = 0
        self._text: str | None = None
        self._epoch = 0

    def originals(self) -> str:
        """The text without what was taken out; earlier placeholders are in it."""
        if len(self.pieces) == 1 and isinstance(self.pieces[0], str):
            return self.pieces[0]
        return "\n".join(p if isinstance(p, str) else p.text for p in self.pieces if not isinstance(p, Hidden))

    def text(self, ledger: Ledger) -> str:
        """The text with placeholders as the ledger numbers them now."""
        if len(self.pieces) == 1 and isinstance(self.pieces[0], str):
            return self.pieces[0]
        if self._text is None or self._epoch != ledger.epoch:
            self._epoch = ledger.epoch
            self._text = "".join(
                p if isinstance(p, str) else p.text if isinstance(p, Kept) else ledger.placeholder(p.kind, p.key)
                for p in self.pieces
            )
        return self._text

    def held(self, ledger: Ledger) -> list[tuple[int, int]]:
        """Where the placeholders and surrogates of an earlier redaction stand in `text(ledger)`."""
        held: list[tuple[int, int]] = []
        if not any(isinstance(piece, Kept) for piece in self.pieces):
            return held
        at = 0
        for piece in self.pieces:
            if isinstance(piece, Kept):
                held.append((at, at + len(piece.text)))
                at += len(piece.text)
            else:
                at += len(piece if isinstance(piece, str) else ledger.placeholder(piece.kind, piece.key))
        return held

    def hide(self, findings: Sequence[Finding], ledger: Ledger) -> list[tuple[str, str]]:
        """Take findings out; they are disjoint, in order, outside placeholders, with offsets in `text(ledger)`.

        Returns (kind, original) of each, for the search of their other mentions.
        """
        if not findings:
            return []
        queue = list(findings)
        pieces: list[Piece] = []
        taken: list[tuple[str, str]] = []
        at = 0
        for piece in self.pieces:
            if not isinstance(piece, str):
                pieces.append(piece)
                at += len(piece.text if isinstance(piece, Kept) else ledger.placeholder(piece.kind, piece.key))
                continue
            done = 0
            while queue and queue[0].start < at + len(piece):
                found = queue.pop(0)
                start, end = found.start - at, found.end - at
                value = piece[start:end]
                taken.append((found.kind, value))
                pieces += [
                    piece[done:start],
                    Hidden(found.kind, ledger.key(found.kind, value), found.detector, found.score, end - start),
                ]
                done = end
            pieces.append(piece[done:])
            at += len(piece)
        self.pieces = pieces
        self._text = None
        self.hidden += len(taken)
        return taken

    def findings(self) -> list[Finding]:
        """What was taken out, with offsets in the text as it came in."""
        found: list[Finding] = []
        if not self.hidden:
            return found
        at = 0
        for piece in self.pieces:
            if isinstance(piece, Hidden):
                found.append(Finding(piece.kind, at, at + piece.size, piece.detector, piece.score))
                at += piece.size
            else:
                at += len(piece if isinstance(piece, str) else piece.text)
        return found

    def spans(self, ledger: Ledger, offset: int) -> list[Span]:
        """The placeholders' spans, where the text starts at `offset` of the record's text."""
        spans = []
        for piece in self.pieces:
            if isinstance(piece, str):
                offset += len(piece)
                continue
            size = len(piece.text if isinstance(piece, Kept) else ledger.placeholder(piece.kind, piece.key))
            spans.append(Span(piece.kind, offset, offset + size, piece.detector, piece.score))
            offset += size
        return spans
