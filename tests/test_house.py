"""The house keeps its rules: a newcomer finds every file's reason, every command in the README, and no drift."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
import typer.main

from corpusforge.cli import app
from corpusforge.schema import recipe_schema, source_schema

REPOSITORY = Path(__file__).parents[1]
SOURCE = REPOSITORY / "src" / "corpusforge"
MODULES = sorted(SOURCE.rglob("*.py"))
README = (REPOSITORY / "README.md").read_text()


def commands(group: typer.core.TyperGroup, before: str = "") -> dict[str, typer.core.TyperCommand]:
    made = {}
    for name, command in group.commands.items():
        inner = hasattr(command, "commands")
        made |= commands(command, f"{before}{name} ") if inner else {f"{before}{name}": command}
    return made


COMMANDS = commands(typer.main.get_command(app))  # type: ignore[arg-type]


@pytest.mark.parametrize("path", MODULES, ids=[p.relative_to(SOURCE).as_posix() for p in MODULES])
def test_a_module_says_what_it_is_for_and_stays_small(path: Path) -> None:
    text = path.read_text()
    first = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0]
    assert first.rstrip().endswith((".", ":", ".`")), "open with one sentence"
    assert len(text.splitlines()) <= 420, "split it by meaning"


def test_only_the_console_prints() -> None:
    for path in MODULES:
        if path.name != "console.py":
            calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
            assert not [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"], path


def test_nothing_has_a_name_that_means_nothing() -> None:
    for path in MODULES:
        assert path.stem not in {"utils", "core", "base", "common", "helpers", "manager", "misc"}, path


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_option_is_in_the_readme(name: str) -> None:
    assert f"corpusforge {name}" in README
    for parameter in COMMANDS[name].params:
        for option in parameter.opts:
            if option.startswith("--") and option != "--help":
                assert re.search(rf"[` ]{option}\b", README), option


def readme_lines() -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    lines = [line[2:].split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("corpusforge")]


@pytest.mark.parametrize("line", readme_lines())
def test_every_line_of_the_readme_is_a_real_command(line: str) -> None:
    words = shlex.split(line)[1:]
    command = COMMANDS.get(words[0]) or COMMANDS[" ".join(words[:2])]
    known = {option for parameter in command.params for option in parameter.opts}
    for word in words[1:]:
        assert not word.startswith("--") or word in known, word


def test_help_starts_fast_because_nothing_heavy_is_imported() -> None:
    code = "import sys, corpusforge.cli; print([m for m in ('pyarrow','polars','spacy','numpy','pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_demo_in_the_package_is_the_demo_in_the_repository() -> None:
    demo = SOURCE / "demo"
    assert (REPOSITORY / "recipes" / "demo.yaml").read_bytes() == (demo / "demo.yaml").read_bytes()
    for path in (demo / "sources").glob("*.yaml"):
        assert (REPOSITORY / "sources" / path.name).read_bytes() == path.read_bytes()
    for path in (demo / "training").glob("*/*.yaml"):
        assert (REPOSITORY / path.parent.name / path.name).read_bytes() == path.read_bytes()


def test_the_schemas_that_editors_read_are_fresh() -> None:
    for room, schema in (("recipes", recipe_schema()), ("sources", source_schema())):
        written = orjson.loads((REPOSITORY / room / ".schema.json").read_bytes())
        assert written == orjson.loads(orjson.dumps(schema)), "run corpusforge schema --write"


def test_every_recipe_and_source_satisfies_its_schema() -> None:
    import jsonschema

    from corpusforge.yaml_file import load_yaml

    for room, schema in (("recipes", recipe_schema()), ("sources", source_schema())):
        plain = orjson.loads(orjson.dumps(schema))
        jsonschema.Draft7Validator.check_schema(plain)
        for path in sorted((REPOSITORY / room).glob("*.yaml")):
            jsonschema.validate(load_yaml(path).value, plain)
