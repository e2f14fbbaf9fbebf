"""Renders conversations by a tokenizer's own chat template, and knows of each character whose it is.

A template is a program: nothing but its output tells where a turn's content lies in it. So it is run a second time with
one private character in place of each content, and what stands between those is the frame. Put together again, frame
and contents must give the first text to the letter, or the conversation is refused: templates that cut, reorder or
rewrite what a turn says would move the loss to other tokens, which nobody sees (trl#3927, #4147).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from corpusforge.errors import UsageError
from corpusforge.record import Message

AUTO, PLAIN = "auto", "plain"
# What the plain form looks like to a trainer's or server's tokenizer, so that a model is asked as it was taught.
PLAIN_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}"
    "{% if not loop.last %}{{ '\\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '\\nassistant: ' }}{% endif %}"
)
_FIRST_MARK, _BEGIN, _END = 0xF0000, "\U0010fffc", "\U0010fffd"
_PRIVATE = re.compile("[\U000f0000-\U0010ffff]")
_NAMED = ("bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "additional_special_tokens")
_HINT = "Write chat_template: plain in the recipe, or name a template file that leaves contents as they are."


class Unrenderable(ValueError):
    """A conversation that the template refuses, or that would not come out of it as it went in."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a rendered conversation and whose it is: a role of a message, or `frame`."""

    text: str
    role: str


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """A Jinja2 template as transformers runs it, the special tokens it may name, and those that no content may hold."""

    text: str
    names: tuple[tuple[str, str], ...] = ()
    special: tuple[str, ...] = ()

    def render(self, messages: Sequence[Message]) -> str:
        """The text of a conversation. Raises Unrenderable where the template refuses it."""
        return self._run(messages).replace(_BEGIN, "").replace(_END, "")

    def parts(self, messages: Sequence[Message]) -> list[Part]:
        """The text of a conversation in stretches that join to `render`. Raises Unrenderable.

        An assistant's stretch is its content and the marker behind it that ends the turn (without the white space after
        that), or exactly what the template puts between `{% generation %}` and `{% endgeneration %}`, if it does.
        """
        for message in messages:
            if _PRIVATE.search(message.content):
                raise Unrenderable("a content holds private characters")
            if any(token in message.content for token in self.special):
                raise Unrenderable("a content holds a control token")
        frames = self._frames(messages)
        pieces = _filled(frames, messages, self._run(messages))
        if any(_BEGIN in frame for frame in frames):
            return _generated(pieces)
        return list(self._closed(pieces, messages))

    def _frames(self, messages: Sequence[Message]) -> list[str]:
        """What stands before, between and behind the contents."""
        marks = [chr(_FIRST_MARK + k) for k in range(len(messages))]
        text = self._run([Message(m.role, mark) for m, mark in zip(messages, marks, strict=True)])
        if [found for found in _PRIVATE.findall(text) if found not in (_BEGIN, _END)] != marks:
            raise Unrenderable("the template leaves out, repeats or moves a turn")
        frames = []
        for mark in marks:
            before, _, text = text.partition(mark)
            frames.append(before)
        return [*frames, text]

    def _closed(self, pieces: Sequence[Part], messages: Sequence[Message]) -> Sequence[Part]:
        """Pieces with the end of each assistant's turn cut off the frame behind it and given to the assistant."""
        made: list[Part] = []
        for k, message in enumerate(messages):
            frame, content = pieces[2 * k], pieces[2 * k + 1]
            made += [frame, content]
            if message.role != "assistant":
                continue
            behind = pieces[2 * k + 2]
            own = _common(behind.text, self._tail(messages[: k + 1], behind.text))
            close = own.rstrip() if own.strip() else own
            made.append(Part(close, "assistant"))
            pieces = [*pieces[: 2 * k + 2], Part(behind.text[len(close) :], "frame"), *pieces[2 * k + 3 :]]
        return [part for part in (*made, pieces[-1]) if part.text]

    def _tail(self, messages: Sequence[Message], otherwise: str) -> str:
        """What stands behind the last of some messages where nothing follows them."""
        try:
            return self._frames(messages)[-1]
        except Unrenderable:
            return otherwise

    def _run(self, messages: Sequence[Message]) -> str:
        from jinja2 import TemplateError

        values = {"messages": [{"role": m.role, "content": m.content} for m in messages], **dict(self.names)}
        try:
            return str(_compiled(self.text).render(**values, add_generation_prompt=False, tools=None, documents=None))
        except (TemplateError, TypeError, ValueError, KeyError, IndexError) as error:
            # What the template says may quote the conversation.
            raise Unrenderable(f"the template refuses it ({type(error).__name__})") from None


def _common(one: str, other: str) -> str:
    """The beginning that two texts share."""
    size = next((k for k, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[:size]


def _filled(frames: Sequence[str], messages: Sequence[Message], text: str) -> list[Part]:
    """Frames and contents in turn, which join to the text; contents may be stripped, as many templates do."""
    parts = [Part(frames[0], "frame")]
    place = len(frames[0])
    if not text.startswith(frames[0]):
        raise Unrenderable("the template depends on what a turn says")
    for frame, message in zip(frames[1:], messages, strict=True):
        content = message.content
        for form in dict.fromkeys((content, content.strip(), content.rstrip(), content.lstrip())):
            if text.startswith(form + frame, place):
                break
        else:
            raise Unrenderable("the template changes what a turn says")
        parts += [Part(form, message.role), Part(frame, "frame")]
        place += len(form) + len(frame)
    if place != len(text):
        raise Unrenderable("the template depends on what a turn says")
    return parts


def _generated(pieces: Sequence[Part]) -> list[Part]:
    """Pieces by the template's own marks of what the assistant says, which are taken out."""
    made: list[Part] = []
    inside = False
    for piece in pieces:
        rest = piece.text
        while rest:
            at = min((place for mark in (_BEGIN, _END) if (place := rest.find(mark)) >= 0), default=len(rest))
            role = "assistant" if inside else "frame" if piece.role == "assistant" else piece.role
            made.append(Part(rest[:at], role))
            if at < len(rest):
                inside = rest[at] == _BEGIN
            rest = rest[at + 1 :]
    return [part for part in made if part.text]


def load_template(tokenizer: str, choice: str) -> ChatTemplate | None:
    """The template of a tokenizer's folder (`auto`), none (`plain`), or that of a file; None is the plain form.

    Raises UsageError for a template that is no Jinja2, or that cannot keep apart who says what in a plain exchange.
    """
    if choice == PLAIN:
        return None
    folder = Path(tokenizer)
    config = _json(folder / "tokenizer_config.json") if tokenizer != "bytes" else {}
    text = _read(Path(choice)) if choice != AUTO else _own(folder, config) if tokenizer != "bytes" else None
    if text is None:
        return None
    where = choice if choice != AUTO else tokenizer
    named = {**(_json(folder / "special_tokens_map.json") if tokenizer != "bytes" else {}), **config}
    names = tuple((key, token) for key in _NAMED if isinstance(token := _token(named.get(key)), str))
    made = ChatTemplate(text, names, _special(folder) if tokenizer != "bytes" else ())
    _check(made, where)
    return made


def template_text(tokenizer: str, choice: str) -> str:
    """The template that renders conversations as they were trained, for whoever asks the model later."""
    found = load_template(tokenizer, choice)
    return PLAIN_TEMPLATE if found is None else found.text


def _check(template: ChatTemplate, where: str) -> None:
    from jinja2 import TemplateSyntaxError

    try:
        _compiled(template.text)
        parts = template.parts([Message("user", "question"), Message("assistant", "answer")])
    except TemplateSyntaxError as error:
        raise UsageError(f"the chat template is no Jinja2 (line {error.lineno}).", where=where, hint=_HINT) from None
    except Unrenderable as error:
        raise UsageError(f"the chat template cannot be used: {error}.", where=where, hint=_HINT) from None
    if not any(part.role == "assistant" and "answer" in part.text for part in parts):
        raise UsageError("the chat template marks no answer as the assistant's.", where=where, hint=_HINT)


def _own(folder: Path, config: Mapping[str, Any]) -> str | None:
    if (folder / "chat_template.jinja").is_file():
        return _read(folder / "chat_template.jinja")
    found = config.get("chat_template")
    if isinstance(found, list):
        by_name = {one["name"]: one["template"] for one in found}
        found = by_name.get("default")
    return found if isinstance(found, str) and found else None


def _special(folder: Path) -> tuple[str, ...]:
    """The tokenizer's control tokens, longest first."""
    path = folder if folder.is_file() else folder / "tokenizer.json"
    if not path.is_file():
        return ()
    told = path.stat()
    return _added(path, told.st_mtime_ns, told.st_size)


@lru_cache(maxsize=4)
def _added(path: Path, changed: int, size: int) -> tuple[str, ...]:
    """The control tokens of a file of megabytes, read once while it stays as it is."""
    added = _json(path).get("added_tokens") or ()
    return tuple(sorted((one["content"] for one in added if one.get("special")), key=lambda one: (-len(one), one)))


def _token(value: Any) -> Any:
    return value.get("content") if isinstance(value, dict) else value


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise UsageError("the chat template cannot be read.", where=str(path), hint=_HINT) from None


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@lru_cache(maxsize=8)
def _compiled(text: str) -> Any:
    return _environment().from_string(text)


@lru_cache(maxsize=1)
def _environment() -> Any:
    """Jinja2 as transformers sets it up, but without a clock: a text must not depend on the day it is built."""
    from jinja2 import nodes
    from jinja2.exceptions import TemplateError
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}`, by which a template says itself what the assistant generates."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.CallBlock(self.call_method("_marked"), [], [], body).set_lineno(line)

        def _marked(self, caller: Any) -> str:
            return f"{_BEGIN}{caller()}{_END}"

    def refuse(message: str) -> None:
        raise TemplateError(message)

    def as_json(value: Any, **how: Any) -> str:
        return json.dumps(value, ensure_ascii=False, **how)

    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    made.filters["tojson"] = as_json
    made.globals["raise_exception"] = refuse
    return made


def spans(parts: Sequence[Part]) -> list[tuple[int, int, str]]:
    """Where each part begins and ends in the text that they join to, in characters, and whose it is."""
    bounds = [0, *accumulate(len(part.text) for part in parts)]
    return [(begin, end, part.role) for (begin, end), part in zip(pairwise(bounds), parts, strict=True)]
