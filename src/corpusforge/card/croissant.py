"""croissant.json: the build as Croissant 1.1 JSON-LD (mlcommons.org/croissant/1.1) with its responsible-AI fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from corpusforge.card import licences
from corpusforge.card.card_json import Card
from corpusforge.card.configs import Column, Config, configs
from corpusforge.card.figures import bound_sentence, count

_CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_PARQUET = "application/x-parquet"


def croissant(card: Card, columns: Mapping[str, Sequence[Column]]) -> dict[str, Any]:
    """The JSON-LD of a card; `columns` are those of each config, as `read_columns` finds them."""
    found = configs(card)
    metadata: dict[str, Any] = {
        "@context": dict(_CONTEXT),
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": card.name,
        "description": card.about.purpose or f"Training data built by corpusforge: {card.name}.",
        "version": f"0.0.0+{card.build}",
        "url": f"urn:corpusforge:{card.name}:{card.build}",
        "citeAs": f"{card.name}, corpusforge build {card.build}, manifest sha256 {card.manifest_sha256}",
        "creator": {"@type": "sc:Organization", "name": card.about.publisher or "not named in the recipe"},
        "license": _licence_urls(card),
        "inLanguage": list(card.languages),
        "isLiveDataset": False,
        "distribution": [*_file_objects(found), *_file_sets(found)],
        "recordSet": [_record_set(config, columns.get(config.name, ())) for config in found],
        **_responsible(card),
    }
    if card.about.date:
        metadata["datePublished"] = card.about.date
    return metadata


def croissant_bytes(card: Card, columns: Mapping[str, Sequence[Column]]) -> bytes:
    """croissant.json: sorted keys, indented."""
    import orjson

    options = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(croissant(card, columns), option=options)


def _licence_urls(card: Card) -> list[str]:
    urls = set()
    for source in card.rights.sources:
        for id in licences.alternatives(source.licence)[0]:
            known = licences.find(id)
            spdx = known is not None and known.id not in ("proprietary", "public-domain")
            urls.add(f"https://spdx.org/licenses/{known.id}.html" if known and spdx else id or "unknown")
    return sorted(urls)


def _file_objects(found: list[Config]) -> list[dict[str, Any]]:
    return [
        {
            "@type": "cr:FileObject",
            "@id": file.path,
            "name": file.path,
            "contentUrl": file.path,
            "contentSize": f"{file.bytes} B",
            "encodingFormat": _PARQUET,
            "sha256": file.sha256,
        }
        for config in found
        for file in config.files
    ]


def _file_sets(found: list[Config]) -> list[dict[str, Any]]:
    return [
        {
            "@type": "cr:FileSet",
            "@id": f"{config.name}-files",
            "name": f"{config.name}-files",
            "encodingFormat": _PARQUET,
            "includes": config.pattern if isinstance(config.pattern, str) else list(config.pattern),
        }
        for config in found
    ]


def _record_set(config: Config, columns: Sequence[Column]) -> dict[str, Any]:
    rows = sum(file.rows for file in config.files)
    return {
        "@type": "cr:RecordSet",
        "@id": config.name,
        "name": config.name,
        "description": f"{count(rows)} rows, split {config.split}.",
        "field": [_field(config.name, column, f"{config.name}-files") for column in columns],
    }


def _field(prefix: str, column: Column, file_set: str) -> dict[str, Any]:
    id = f"{prefix}/{column.name}"
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": id,
        "name": id,
        "source": {"fileSet": {"@id": file_set}, "extract": {"column": column.name}},
    }
    if column.type:
        field["dataType"] = column.type
    if column.repeated:
        field["isArray"], field["arrayShape"] = True, "-1"
    if column.fields:
        field["subField"] = [_part(id, inner, column.name, file_set) for inner in column.fields]
    return field


def _part(prefix: str, column: Column, parent: str, file_set: str) -> dict[str, Any]:
    """A field of a struct: it comes from the parent's column by a JSON path."""
    field = _field(prefix, column, file_set)
    transform = {"jsonPath": f"$[*].{column.name}"}
    field["source"] = {"fileSet": {"@id": file_set}, "extract": {"column": parent}, "transform": transform}
    return field


def _responsible(card: Card) -> dict[str, Any]:
    """The fields of Croissant RAI 1.0 that a build can fill."""
    sources = card.rights.sources
    collected = [f"{s.name}: {s.collected}" for s in sources if s.collected]
    people = card.people
    redacted = f"{count(people.total)} findings were redacted before any model saw the text."
    fields: dict[str, Any] = {
        "rai:dataCollection": " ".join(f"{s.name}: {s.about}" for s in sources if s.about),
        "rai:dataCollectionTimeframe": collected,
        "rai:dataPreprocessingProtocol": [f"{s.step}: {s.stage} {s.version}" for s in card.rebuild.steps],
        "rai:dataUseCases": card.about.suitable,
        "rai:dataLimitations": [text for text in (card.about.unsuitable, card.about.limits) if text],
        "rai:personalSensitiveInformation": [
            redacted if people.redacted else "No redaction ran: treat every record as personal data.",
            people.proof or bound_sentence(0, 0),
        ],
        "rai:machineAnnotationTools": _tools(card),
        "rai:hasSyntheticData": card.synthetic is not None,
    }
    return {key: value for key, value in fields.items() if value not in ("", [])}


def _tools(card: Card) -> list[str]:
    if card.synthetic is None:
        return []
    engine = card.synthetic.engine
    name = " ".join(str(engine[key]) for key in ("kind", "model") if engine.get(key)) or "extractive"
    return [f"{maker.step}: {name}, {count(maker.rows)} rows" for maker in card.synthetic.makers]
