"""What every reader is: a file in, records and quarantined pieces out, with offsets into the decompressed bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict

from corpusforge.ingest.files import InputFile
from corpusforge.record import Dropped, Kind, Message, Origin, Quarantined, Record, Unit, record_id

MAX_RECORD_BYTES = 32 * 1024 * 1024


class ReaderSettings(BaseModel):
    """Base of all reader settings: closed and immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _one_or_many(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


# A setting that takes one word or a list of words: paths of fields, actions.
Words = Annotated[tuple[str, ...], BeforeValidator(_one_or_many)]


@dataclass(frozen=True, slots=True)
class ReadContext:
    """What a reader knows of the source and the file it reads."""

    settings: Any
    source: str
    kind: Kind
    licence: str
    languages: tuple[str, ...]
    file: InputFile

    def record(
        self,
        *,
        key: str,
        text: str = "",
        start: int,
        end: int,
        unit: Unit = "byte",
        title: str = "",
        messages: tuple[Message, ...] | None = None,
        group: str = "",
        language: str = "",
        meta: dict[str, Any] | None = None,
    ) -> Record:
        """A record of this file. `key` is its native key within the source (an id field, a path, a path and anchor).

        `group` defaults to the record's own id.
        """
        identity = record_id(self.source, key)
        made = Record(
            id=identity,
            source=self.source,
            kind=self.kind,
            text=text,
            origin=Origin(self.file.name, start, end, unit),
            title=title,
            group=group or identity,
            language=language,
            licence=self.licence,
            meta=meta or {},
        )
        return made if messages is None else made.with_messages(messages)

    def quarantined(self, start: int, end: int, reason: str, detail: str = "", unit: Unit = "byte") -> Quarantined:
        """A piece of this file that could not be read. `detail` must not quote the input."""
        return Quarantined(self.source, Origin(self.file.name, start, end, unit), reason, detail)


class Reader:
    """Base of all readers. Subclasses set `name`, `version`, `Settings`, `suffixes` and implement `read`.

    `version` is raised by hand whenever the same bytes could give other records; `libraries` are distributions whose
    version decides the output.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    libraries: ClassVar[tuple[str, ...]] = ()
    Settings: ClassVar[type[ReaderSettings]] = ReaderSettings

    def read(self, file: InputFile, ctx: ReadContext) -> Iterator[Record | Dropped | Quarantined]:
        """The records of one file. Never raises for bad input: what cannot be read is `Quarantined`.

        What the source's own settings refuse (a dialogue that broke off) is `Dropped`.
        """
        raise NotImplementedError

    @classmethod
    def sidecars(cls, name: PurePosixPath, settings: Any) -> tuple[PurePosixPath, ...]:
        """Other files that this file is read with; their bytes are part of the identity too."""
        return ()


def file_stem(name: str) -> str:
    """A file's name without folders, compression and format suffixes: `a/b.page.gz` gives `b`."""
    stem = PurePosixPath(name).name
    for suffix in (".gz", ".zst", ".bz2", ".xz"):
        stem = stem.removesuffix(suffix)
    return stem.rsplit(".", 1)[0] if "." in stem[1:] else stem


Stream = IO[bytes]
