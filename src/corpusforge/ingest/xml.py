"""Reads XML by a declared mapping: which elements are records, titles, headings, lists; Mallard and CNXML built in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from corpusforge.ingest.blocks import Shape, local_name, plain, to_text
from corpusforge.ingest.document import DocumentSettings, file_group, file_language, read_bytes
from corpusforge.ingest.files import InputFile
from corpusforge.ingest.reader import ReadContext, Reader
from corpusforge.ingest.xml_dialects import DIALECTS, Dialect
from corpusforge.ingest.xpaths import checked_xpath
from corpusforge.record import Quarantined, Record

XPath = Annotated[str, AfterValidator(checked_xpath)]
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


class XmlSettings(DocumentSettings):
    """Settings of `xml`. What a dialect sets can be overridden; element names are without namespace."""

    dialect: Literal["mallard", "cnxml", ""] = Field(default="", description="A vocabulary whose mapping is built in.")
    namespaces: dict[str, str] = Field(default_factory=dict, description="Prefixes that the XPaths use.")
    record: XPath = Field(default="", description="XPath of the records; the root element by default.")
    title: XPath = Field(default="", description="XPath of the title within a record.")
    text: XPath = Field(default="", description="XPath of the text within a record; all of it by default.")
    id: XPath = Field(default="", description="XPath of what identifies a record within the file.")
    drop: tuple[str, ...] = Field(default=(), description="Elements to leave out.")
    shape: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Elements by part: blocks, headings, sections, bullets, numbers, items, quotes, code_blocks, code, "
        "tables, rows, cells, glossaries, terms, breaks. Unnamed elements are inline text.",
    )

    @model_validator(mode="after")
    def _known_parts(self) -> XmlSettings:
        known = {f.name for f in fields(Shape)} - {"drop", "joined", "numbered_by", "references"}
        for part in self.shape:
            if part not in known:
                raise ValueError(f"{part!r} is no part of a shape. Parts: {', '.join(sorted(known))}.")
        for path in (self.record, self.title, self.text, self.id):
            checked_prefixes(path, {**self.dialect_preset().namespaces, **self.namespaces})
        return self

    def dialect_preset(self) -> Dialect:
        """The built-in mapping that these settings start from."""
        return DIALECTS[self.dialect]


def checked_prefixes(path: str, namespaces: dict[str, str]) -> None:
    """Raises ValueError if `path` uses a prefix that `namespaces` does not hold."""
    if not path:
        return
    from lxml import etree

    try:
        etree.XPath(path, namespaces=namespaces)(etree.Element("probe"))
    except etree.XPathError:
        raise ValueError(f"{path!r} uses an undeclared prefix or function. Declare prefixes in namespaces.") from None


class Xml(Reader):
    """Records of an XML file; entities are never expanded and nothing is fetched."""

    name = "xml"
    version = 1
    libraries = ("lxml",)
    Settings = XmlSettings

    def read(self, file: InputFile, ctx: ReadContext) -> Iterator[Record | Quarantined]:
        """A record for each `record` element. Offsets: the whole file for the root, else numbers of the elements."""
        raw = read_bytes(ctx)
        if isinstance(raw, Quarantined):
            yield raw
            return
        root = _parse(raw)
        if isinstance(root, str):
            yield ctx.quarantined(0, len(raw), root)
            return
        settings: XmlSettings = ctx.settings
        dialect = settings.dialect_preset()
        names = {**dialect.namespaces, **settings.namespaces}
        shape = _shape(dialect.shape, settings)
        path = settings.record or dialect.record
        found = root.xpath(path, namespaces=names) if path else [root]
        if not found:
            yield ctx.quarantined(0, len(raw), "missing-field", f"no element at {path}")
        whole = len(found) == 1
        for i, element in enumerate(found):
            start, end = (0, len(raw)) if whole else (i, i + 1)
            unit: Literal["byte", "row"] = "byte" if whole else "row"
            title = _first(element, settings.title or dialect.title, names)
            texts = _select(element, settings.text or dialect.text, names)
            text = "\n\n".join(filter(None, (t if isinstance(t, str) else to_text(t, shape) for t in texts)))
            if not text.strip():
                yield ctx.quarantined(start, end, "no-text", "", unit)
                continue
            native = _first(element, settings.id, names)
            if settings.id and not native:
                yield ctx.quarantined(start, end, "missing-field", f"nothing at {settings.id}", unit)
                continue
            key = f"{file.name}#{native}" if native else file.name if whole else f"{file.name}#{i}"
            yield ctx.record(
                key=key, text=text, title=title, start=start, end=end, unit=unit, group=file_group(ctx),
                language=file_language(ctx, element.get(_LANGUAGE) or root.get(_LANGUAGE) or ""),
            )  # fmt: skip


def _parse(raw: bytes) -> Any:
    """The root element, or the quarantine reason."""
    from lxml import etree

    if b"<!ENTITY" in raw:
        # Expansion is where XML bombs live, and unexpanded entities would leave holes in the text.
        return "xml-entities"
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(raw, parser)
    except etree.XMLSyntaxError:
        return "binary" if b"\0" in raw[:4096] and not raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "invalid-xml"


def _shape(shape: Shape, settings: XmlSettings) -> Shape:
    changes: dict[str, Any] = {
        part: dict.fromkeys(names, 0) if part == "headings" else frozenset(names)
        for part, names in settings.shape.items()
    }
    kept = {f.name: getattr(shape, f.name) for f in fields(Shape)}
    return Shape(**{**kept, **changes, "drop": shape.drop | frozenset(settings.drop)})


def _select(element: Any, path: str, names: dict[str, str]) -> list[Any]:
    if not path:
        return [element]
    found = element.xpath(path, namespaces=names)
    return [str(found)] if isinstance(found, str | float | bool) else list(found)


def _first(element: Any, path: str, names: dict[str, str]) -> str:
    for found in _select(element, path, names) if path else []:
        return " ".join(str(found).split()) if isinstance(found, str) or not local_name(found) else plain(found)
    return ""
