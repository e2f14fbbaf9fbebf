"""Whether croissant.json is Croissant 1.1 by the standard's own library, offline."""

from __future__ import annotations

import json
import logging

import pytest

from corpusforge.card.write import write_card


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_mlcroissant_accepts_it_and_reads_the_rows(build_dir, no_network, caplog):
    """Tools of the field must find the files, their checksums and their columns."""
    import mlcroissant

    write_card(build_dir)
    with caplog.at_level(logging.WARNING):
        dataset = mlcroissant.Dataset(str(build_dir / "croissant.json"))
    assert not dataset.metadata.issues.errors
    assert not dataset.metadata.issues.warnings
    assert dataset.metadata.ctx.is_v1_1()
    rows = list(dataset.records("instruct"))
    assert rows[0]["instruct/messages"] == [{"instruct/messages/role": b"user", "instruct/messages/content": b"Hi"}]
    assert len(list(dataset.records("completion"))) == 4


def test_every_file_has_its_checksum_and_every_column_its_type(build_dir, made):
    write_card(build_dir)
    found = json.loads((build_dir / "croissant.json").read_bytes())
    objects = {d["contentUrl"]: d["sha256"] for d in found["distribution"] if d["@type"] == "cr:FileObject"}
    manifest = made.manifest()
    files = [f for mix in manifest["mix"].values() for f in mix["files"]] + manifest["eval"]["files"]
    assert objects == {f["path"]: f["sha256"] for f in files}
    fields = {f["name"]: f for s in found["recordSet"] for f in s["field"]}
    assert fields["completion/text"]["dataType"] == "sc:Text"
    assert fields["completion/tokens"]["dataType"] == "sc:Integer"
    assert fields["completion/parents"]["isArray"]
    assert fields["instruct/weight"]["dataType"] == "sc:Float"
    assert fields["eval_qa/hard"]["dataType"] == "sc:Boolean"


def test_required_fields_are_there(build_dir):
    """mlcroissant only warns about some of them."""
    write_card(build_dir)
    found = json.loads((build_dir / "croissant.json").read_bytes())
    assert {
        "name",
        "description",
        "license",
        "url",
        "creator",
        "datePublished",
        "version",
        "conformsTo",
    } <= found.keys()
    assert "https://spdx.org/licenses/CC-BY-SA-3.0.html" in found["license"]
