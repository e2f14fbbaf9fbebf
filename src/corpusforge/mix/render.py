"""The exact texts that training sees of a record: as running text (completion) and as a conversation (instruct)."""

from __future__ import annotations

from typing import Literal

from corpusforge.mix.chat_template import ChatTemplate
from corpusforge.record import Message, Record, render

Form = Literal["completion", "instruct"]
_TITLED = ("article", "doc", "public")
_ROLES = ("system", "user", "assistant")


def own_form(record: Record) -> Form:
    """The form that `record.tokens` counts: see `own_form_of`."""
    return own_form_of(record.kind)


def own_form_of(kind: str) -> Form:
    """The form that the token count of a kind of record stands for: instruct for labelled records, questions and
    written conversations, completion for all others."""
    return "instruct" if kind in ("labelled", "qa", "mcq", "turns") else "completion"


def completion_text(record: Record) -> str:
    """The record as running text.

    A generator's own `meta["completion"]` comes first. Articles, docs and public texts begin with `# title` unless
    the text already does (a page without its title often does not say what it is about); chats have no such line,
    because their title is a channel or file name.
    """
    own = record.meta.get("completion")
    if isinstance(own, str) and own:
        return own
    title = record.title.strip()
    if record.kind not in _TITLED or not title or _begins_with(record.text, title):
        return record.text
    return f"# {title}\n\n{record.text}"


def _begins_with(text: str, title: str) -> bool:
    return text[: len(title) + 64].lstrip("#*=_ \t\r\n").casefold().startswith(title.casefold())


def instruct_messages(record: Record) -> tuple[Message, ...] | None:
    """The record as turns of system, user and assistant, or None if nobody in it speaks as the assistant.

    Neighbouring turns of one role are joined by a newline (chat templates demand that roles alternate); names and
    times are left out, and turns before the first user turn that are the assistant's are cut off.
    """
    if record.messages is None or any(message.role not in _ROLES for message in record.messages):
        return None
    turns: list[Message] = []
    for message in record.messages:
        if turns and turns[-1].role == message.role:
            turns[-1] = Message(message.role, f"{turns[-1].content}\n{message.content}")
        elif message.role != "assistant" or any(turn.role == "user" for turn in turns):
            turns.append(Message(message.role, message.content))
    return tuple(turns) if any(turn.role == "assistant" for turn in turns) else None


def instruct_text(messages: tuple[Message, ...], template: ChatTemplate | None = None) -> str:
    """The turns as they are trained and counted: by a chat template, or plain as one `role: content` line a turn.

    Raises Unrenderable where the template refuses them.
    """
    return render(messages) if template is None else "".join(part.text for part in template.parts(messages))


def form_text(record: Record, form: Form, template: ChatTemplate | None = None) -> str | None:
    """The text of one form, or None if the record has no such form. Raises Unrenderable, see `instruct_text`."""
    if form == "completion":
        return completion_text(record)
    messages = instruct_messages(record)
    return None if messages is None else instruct_text(messages, template)


def form_tokens(record: Record, form: Form) -> int:
    """Tokens of one form as the stage `tokens` counted them; -1 if it was not counted or there is no such form."""
    if form == own_form(record):
        return record.tokens
    return int(record.meta.get(tokens_key(form), -1))


def tokens_key(form: Form) -> str:
    """The key of `meta` under which the tokens of a record's other form stand."""
    return f"{form}_tokens"
