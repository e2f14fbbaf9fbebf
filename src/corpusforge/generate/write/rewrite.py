"""The stage `rewrite`: chunks told anew as FAQ, table, tutorial or single facts, for training on as running text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field as Setting

from corpusforge.generate.page import Page
from corpusforge.generate.phrasings import templates
from corpusforge.generate.write.asking import Order
from corpusforge.generate.write.chunk import Chunk
from corpusforge.generate.write.output import Field, Value
from corpusforge.generate.write.prompt import Prompt
from corpusforge.generate.write.settings import WriterSettings
from corpusforge.generate.write.writer import Writer
from corpusforge.record import Kind, Record
from corpusforge.stage import StageSettings

Style = Literal["faq", "table", "tutorial", "facts"]
TEXT = Field("text", "the whole rewritten text")


class RewriteSettings(WriterSettings):
    """In which forms a chunk is told anew."""

    styles: tuple[Style, ...] = Setting(("faq", "facts"), min_length=1, description="Forms to write.")
    per_style: int = Setting(1, ge=1, le=10, description="Texts of one form for one chunk.")


class Rewrite(Writer):
    """The same things said in another form: readers of one wording learn the wording, of several what is said."""

    name: ClassVar[str] = "rewrite"
    version: ClassVar[int] = 1
    task: ClassVar[Kind] = "rewrite"
    Settings: ClassVar[type[StageSettings]] = RewriteSettings

    @classmethod
    def templates(cls, settings: Any) -> tuple[str, ...]:
        """Those of the styles that are asked for."""
        return (*(f"rewrite-{style}" for style in settings.styles), "rewrite-check")

    @classmethod
    def also_identity(cls, settings: Any) -> Mapping[str, str]:
        """The wordings of the user's side, too."""
        own = {f"written/{style}": templates("written")[style].hash for style in settings.styles}
        return {**super().also_identity(settings), **own}

    def orders(self, chunk: Chunk, prompts: Mapping[str, Prompt], settings: Any) -> Sequence[Order]:
        """One order for each style."""
        return [self._order(style, chunk, prompts, settings) for style in dict.fromkeys(settings.styles)]

    def _order(self, style: Style, chunk: Chunk, prompts: Mapping[str, Prompt], settings: Any) -> Order:
        prompt = prompts[f"rewrite-{style}"]

        def make(values: Mapping[str, Value], place: int) -> Record:
            text = str(values["text"])
            named = chunk.record.title or chunk.section.partition(" > ")[0] or Page(chunk.record).title
            about = ": ".join(dict.fromkeys(part for part in (named, chunk.section) if part)) or settings.product
            asked = templates("written")[style].phrase(
                f"{chunk.record.id}:{chunk.start}:{place}", about=about or "this"
            )
            title = chunk.record.title.strip()
            return self.row(
                chunk, prompt, place, settings,
                user=asked, assistant=text, spans=[(chunk.start, chunk.end)],
                question=asked, answer=text, style=style,
                completion=f"# {title}\n\n{text}" if title and title not in text[: len(title) + 8] else text,
            )  # fmt: skip

        def told(row: Record) -> dict[str, Any]:
            return {"answer": row.meta["answer"]}

        return Order("rewrite", prompt.name, (TEXT,), settings.per_style, make, "rewrite-check", told)
