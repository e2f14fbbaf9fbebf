"""The stage `turns`: conversations that were resolved, written anew as turns of a user and an assistant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field as Setting

from corpusforge.generate.write.asking import REJECTED, Order
from corpusforge.generate.write.chunk import Chunk
from corpusforge.generate.write.output import Field, Value
from corpusforge.generate.write.prompt import Prompt
from corpusforge.generate.write.qa import QUOTE, QUOTE_NOT_FOUND, solved
from corpusforge.generate.write.quotes import find_quotes
from corpusforge.generate.write.settings import WriterSettings
from corpusforge.generate.write.writer import Writer
from corpusforge.record import Kind, Message, Record
from corpusforge.stage import StageContext, StageSettings

USER = Field("user", "what the user says")
ASSISTANT = Field("assistant", "what the assistant answers")


class TurnsSettings(WriterSettings):
    """How long the conversations are."""

    exchanges: int = Setting(2, ge=1, le=10, description="Exchanges of one conversation.")
    kinds: tuple[Kind, ...] = Setting(("chat",), description="Kinds of records that are read; only conversations are.")


class Turns(Writer):
    """Clean multi-turn conversations from chats whose asker said that it helped."""

    name: ClassVar[str] = "turns"
    version: ClassVar[int] = 2
    task: ClassVar[Kind] = "turns"
    Settings: ClassVar[type[StageSettings]] = TurnsSettings

    @classmethod
    def templates(cls, settings: Any) -> tuple[str, ...]:
        """The one that writes and the one that checks."""
        return ("turns", "turns-check")

    def refused(self, record: Record, ctx: StageContext) -> str | None:
        """Only conversations that were resolved, and fit into one chunk."""
        if (reason := super().refused(record, ctx)) is not None:
            return reason
        if record.messages is None:
            return "not-selected"
        found = solved(record, ctx.settings)
        return found if isinstance(found, str) else None

    def cut(self, record: Record, settings: WriterSettings) -> list[Chunk]:
        """The turns from the problem to its solution."""
        found = solved(record, settings)
        return [] if isinstance(found, str) else [found]

    def orders(self, chunk: Chunk, prompts: Mapping[str, Prompt], settings: Any) -> Sequence[Order]:
        """One conversation, whose exchanges are the rows of one answer."""

        def make(values: Mapping[str, Value], place: int) -> Record:
            pairs = list(zip(values["user"], values["assistant"], strict=True))
            spans = find_quotes(chunk, list(values["quote"]))
            more: dict[str, Any] = {} if spans else {REJECTED: QUOTE_NOT_FOUND, "quotes": list(values["quote"])}
            row = self.row(
                chunk, prompts["turns"], place, settings,
                user=pairs[0][0], assistant=pairs[0][1], spans=spans or (),
                question=pairs[0][0], answer="\n".join(answer for _, answer in pairs), exchanges=len(pairs), **more,
            )  # fmt: skip
            turns = [m for user, answer in pairs for m in (Message("user", user), Message("assistant", answer))]
            return row.with_messages(turns)

        def told(row: Record) -> dict[str, Any]:
            return {"answer": "\n".join(f"{m.role}: {m.content}" for m in row.messages or ())}

        order = Order("turns", "turns", (USER, ASSISTANT, QUOTE), 1, make, "turns-check", told)
        return [replace(order, together=settings.exchanges)]
