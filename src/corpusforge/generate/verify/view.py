"""What the checks see of a row: question, answer, evidence and the passage around it, each cut into words once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from corpusforge.generate.verify.claims import Claim, Sentence, lay, split
from corpusforge.generate.verify.lexicon import Lexicon, lexicon
from corpusforge.generate.verify.words import cut
from corpusforge.record import Record

_SPACE = re.compile(r"\s+")
_ITEM_MARK = re.compile(r"(?m)^[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]+")
_MARKS = str.maketrans("", "", "*`")
_STOPS = ".!?\n"
_STRETCH = 600


@dataclass(frozen=True)
class RowView:
    """A row as the checks read it. What a row lacks comes out empty, and the form check says so."""

    row: Record

    def _text(self, key: str) -> str:
        value = self.row.meta.get(key)
        return value if isinstance(value, str) else ""

    @cached_property
    def task(self) -> str:
        """The row's task: qa, mcq, reading, rewrite or turns."""
        return self._text("task") or self.row.kind

    @cached_property
    def question(self) -> str:
        """What is asked."""
        return self._text("question")

    @cached_property
    def answer(self) -> str:
        """What is answered."""
        return self._text("answer")

    @cached_property
    def lexicon(self) -> Lexicon:
        """The words of the row's language."""
        return lexicon(self.row.language)

    @cached_property
    def passage(self) -> str:
        """The passage that the writer saw; empty where the row has none."""
        context = self.row.meta.get("context")
        text = context.get("text") if isinstance(context, dict) else None
        return text if isinstance(text, str) else ""

    @cached_property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """The evidence as [start, end) within the passage; empty if one of them is malformed or lies outside of it."""
        context: Any = self.row.meta.get("context")
        given: Any = self.row.meta.get("evidence")
        if not self.passage or not isinstance(given, list):
            return ()
        offset = context.get("start")
        found: list[tuple[int, int]] = []
        for piece in given:
            start, end = (piece.get("start"), piece.get("end")) if isinstance(piece, dict) else (None, None)
            if not (isinstance(start, int) and isinstance(end, int) and isinstance(offset, int)):
                return ()
            if piece.get("record") not in self.row.parents or not 0 <= start - offset < end - offset <= len(
                self.passage
            ):
                return ()
            found.append((start - offset, end - offset))
        return tuple(found)

    @cached_property
    def evidence(self) -> str:
        """The text of the evidence, pieces parted by line ends."""
        return "\n".join(self.passage[start:end] for start, end in self.spans)

    @cached_property
    def whole_evidence(self) -> list[tuple[int, int]]:
        """The evidence widened to whole sentences, so that no piece leaves out its `not`; overlaps are one."""
        text = self.passage
        wide: list[tuple[int, int]] = []
        for start, end in sorted(self.spans):
            low = max(0, start - _STRETCH)
            before = max(text.rfind(stop, low, start) for stop in _STOPS)
            after = [at for stop in _STOPS if (at := text.find(stop, max(end - 1, start), end + _STRETCH)) >= 0]
            first = before + 1 if before >= 0 else low if low else 0
            last = min(after) + 1 if after else min(len(text), end + _STRETCH)
            if wide and first <= wide[-1][1]:
                wide[-1] = (wide[-1][0], max(last, wide[-1][1]))
            else:
                wide.append((first, max(last, end)))
        return wide

    @cached_property
    def verbatim(self) -> bool:
        """Whether the answer is the evidence itself, up to white space, emphasis and the marks of lists.

        Evidence of rows that a rule made is a whole unit of the text; a model's may be cut, so it is widened first.
        """
        if not self.spans:
            return False
        if self.row.meta.get("engine") == "extractive":
            proof = self.evidence
        else:
            proof = "\n".join(self.passage[start:end] for start, end in self.whole_evidence)
        said = _squeezed(self.answer)
        if self.task == "reading" and said and said == _squeezed(self.row.title):
            # A page's title is its title, whatever words the page uses.
            return True
        return bool(said) and said in (_squeezed(proof), _squeezed(proof).rstrip("."))

    @cached_property
    def source(self) -> list[Sentence]:
        """The sentences of the passage, those of the evidence marked as proof."""
        found: list[Sentence] = []
        at = 0
        for start, end in self.whole_evidence:
            found += split(self.passage[at:start], self.lexicon, proof=False)
            found += split(self.passage[start:end], self.lexicon)
            at = end
        return found + split(self.passage[at:], self.lexicon, proof=False)

    @cached_property
    def asked(self) -> list[Sentence]:
        """The sentences of the question, and the title of the page: an answer may take words of both."""
        return [*split(self.question, self.lexicon), *split(self.row.title, self.lexicon)]

    @cached_property
    def given(self) -> frozenset[str]:
        """Stems of the question, the title and the source's name."""
        named = cut(self.row.source.replace("-", " "))
        return frozenset({word.stem for word in named}).union(*(sentence.all_stems for sentence in self.asked))

    @cached_property
    def claims(self) -> list[Claim]:
        """The answer's sentences beside those of the source."""
        return self.beside(self.answer)

    def beside(self, answer: str) -> list[Claim]:
        """Another answer's sentences beside those of the source."""
        return lay(split(answer, self.lexicon), self.source)

    @cached_property
    def known(self) -> frozenset[str]:
        """All stems of the passage."""
        return frozenset().union(*(sentence.all_stems for sentence in self.source))


def _squeezed(text: str) -> str:
    return _SPACE.sub("", _ITEM_MARK.sub("", text)).translate(_MARKS).rstrip(".")
