"""Makes a workspace: folders, the demo's sources and recipe, and the demo's data, made here or found in Python."""

from __future__ import annotations

import ast
import inspect
import os
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from corpusforge.shards import write_bytes

MODULES = (
    "argparse", "asyncio.tasks", "collections", "configparser", "contextlib", "csv", "ctypes", "dataclasses",
    "datetime", "decimal", "difflib", "doctest", "email.message", "enum", "fractions", "functools", "gettext", "heapq",
    "http.client", "http.cookiejar", "imaplib", "inspect", "ipaddress", "json", "locale", "logging", "mailbox",
    "optparse", "pathlib", "pickle", "pickletools", "platform", "plistlib", "random", "sched", "shelve", "shutil",
    "smtplib", "socketserver", "statistics", "string", "subprocess", "tarfile", "tempfile", "textwrap", "threading",
    "timeit", "tokenize", "typing", "unittest.case", "unittest.mock", "urllib.request", "uuid", "weakref", "zipfile",
)  # fmt: skip


# Parts of the library that are no documentation of it: programs, platforms' leftovers, and what tests it.
_NOT_LIBRARY = frozenset(
    ("__pycache__", "encodings", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "site-packages", "dist-packages",
     "test", "tests", "tkinter", "turtledemo")
)  # fmt: skip


def make_workspace(folder: Path, training: bool = False) -> tuple[list[Path], int]:
    """Write what is missing; the paths written, and how many files were there and left alone.

    With `training` also the trainer's configs, the recipes of `make train-demo` and their public text, which takes some
    seconds more.
    """
    wanted = dict(_files())
    if training:
        wanted |= dict(_training_files())
    written: list[Path] = []
    for name, content in wanted.items():
        path = folder / name
        if not path.exists():
            write_bytes(path, content)
            written.append(path)
    return written, len(wanted) - len(written)


def _files() -> Iterator[tuple[str, bytes]]:
    from corpusforge.demo.chats import chats, queries

    root = resources.files("corpusforge") / "demo"
    for entry in sorted((root / "sources").iterdir(), key=lambda e: e.name):
        yield f"sources/{entry.name}", entry.read_bytes()
    yield "recipes/demo.yaml", (root / "demo.yaml").read_bytes()
    for entry in sorted((root / "help").iterdir(), key=lambda e: e.name):
        yield f"demo/help/{entry.name}", entry.read_bytes()
    yield "demo/chats.jsonl", chats()
    yield "demo/queries.csv", queries()
    yield from _python_topics()
    yield from _python_modules()


def _python_topics() -> Iterator[tuple[str, bytes]]:
    """The language reference that every Python carries for its help() command."""
    from pydoc_data import topics

    for name, text in sorted(topics.topics.items()):
        yield f"demo/public/topics/{name}.txt", text.encode("utf-8", "replace")


def _python_modules() -> Iterator[tuple[str, bytes]]:
    """What the standard library says of itself: the docstrings of some modules, classes and functions."""
    library = Path(inspect.getsourcefile(ast) or "").parent
    for name in MODULES:
        path = library / (name.replace(".", "/") + ".py")
        if not path.is_file():
            path = library / name.replace(".", "/") / "__init__.py"
        if path.is_file():
            yield f"demo/public/modules/{name}.txt", _docstrings(name, path)


def _docstrings(name: str, path: Path) -> bytes:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=sys.version_info[:2])
    parts = [f"# {name}"]
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (said := ast.get_docstring(node)):
            parts.append(said if isinstance(node, ast.Module) else f"## {node.name}\n\n{said}")
    return ("\n\n".join(parts) + "\n").encode()


def _configs() -> Path:
    """The folder of the trainer's configs: in its package where that is installed, beside it in the repository."""
    package = Path(str(resources.files("corpusforge_train")))
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def _training_files() -> Iterator[tuple[str, bytes]]:
    """The trainer's configs, the recipes of `make train-demo`, and what every module of the library that the demo lacks
    says of itself.
    """
    for config in sorted(_configs().iterdir()):
        yield f"train/configs/{config.name}", config.read_bytes()
    root = resources.files("corpusforge") / "demo" / "training"
    for room in ("recipes", "sources"):
        for entry in sorted((root / room).iterdir(), key=lambda e: e.name):
            yield f"{room}/{entry.name}", entry.read_bytes()
    library = Path(inspect.getsourcefile(ast) or "").parent
    for folder, inner, names in os.walk(library):
        inner[:] = sorted(set(inner) - _NOT_LIBRARY)
        for path in (Path(folder, name) for name in sorted(names) if name.endswith(".py")):
            parts = path.relative_to(library).with_suffix("").parts
            module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            if module not in MODULES and b"\n\n" in (text := _docstrings(module, path)):
                yield f"demo/library/{module}.txt", text
