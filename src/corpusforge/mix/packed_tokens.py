"""Token ids of a mix's rows, with the role of each token, counted as the stage `tokens` counted them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from corpusforge.errors import UsageError
from corpusforge.mix.chat_template import AUTO, load_template
from corpusforge.mix.render import instruct_text
from corpusforge.mix.tokenizer import load_tokenizer
from corpusforge.packed_settings import ROLES, TokenRole
from corpusforge.record import Message

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

BYTES_EOS = 256
_KNOWN_EOS = ("<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|endofdocument|>", "<｜end▁of▁sentence｜>")
_TEXT, _FRAME = ROLES.index("text"), ROLES.index("frame")


@dataclass(frozen=True, slots=True)
class Tokens:
    """One document: its ids with the end token last (int32), and each token's place in `ROLES` (int8)."""

    ids: npt.NDArray[np.int32]
    roles: npt.NDArray[np.int8]


class Encoder:
    """Encodes rows with the recipe's tokenizer; `vocabulary` is one more than the largest id that can come out."""

    def __init__(self, tokenizer: str, eos: str | None, chat_template: str = AUTO) -> None:
        self._loaded: Any = None
        self._template = load_template(tokenizer, chat_template)
        if tokenizer == "bytes":
            self.eos, self.eos_token, self.vocabulary = BYTES_EOS, "", BYTES_EOS + 1
            return
        self._loaded = load_tokenizer(tokenizer)
        self.eos_token = eos or _own_eos(self._loaded, tokenizer)
        found = self._loaded.token_to_id(self.eos_token)
        if found is None:
            hint = "Name one of its tokens as mix.packed.eos."
            raise UsageError(f"the tokenizer has no token {self.eos_token!r}.", where=tokenizer, hint=hint)
        self.eos = int(found)
        self.vocabulary = 1 + max(self._loaded.get_vocab(with_added_tokens=True).values())

    def texts(self, texts: Sequence[str]) -> list[Tokens]:
        """Running texts; every token has the role `text`."""
        import numpy as np

        if self._loaded is None:
            ids = [np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int32) for text in texts]
        else:
            encoded = self._loaded.encode_batch_fast(list(texts), add_special_tokens=False)
            ids = [np.asarray(one.ids, dtype=np.int32) for one in encoded]
        ended = [np.append(one, np.int32(self.eos)) for one in ids]
        return [Tokens(one, np.full(len(one), _TEXT, dtype=np.int8)) for one in ended]

    def conversations(self, conversations: Sequence[tuple[Message, ...]]) -> list[Tokens]:
        """Conversations as they are counted: by the chat template, or plain, a `role: content` line a turn.

        `role: ` is `frame`; a turn's content and the line break (or end token) behind it have the turn's role, so that
        a model learns where its answer ends. What a template has of each role says `ChatTemplate.parts`; it ends
        conversations itself. A token over two roles has that of its last character.
        """
        import numpy as np

        shown = [self._shown(messages) for messages in conversations]
        texts = [text for text, _ in shown]
        if self._loaded is None:
            encoded = [text.encode() for text in texts]
            ids = [np.frombuffer(one, dtype=np.uint8).astype(np.int32) for one in encoded]
            lasts = [_characters(one) for one in encoded]
        else:
            found = self._loaded.encode_batch(texts, add_special_tokens=False)
            ids = [np.asarray(one.ids, dtype=np.int32) for one in found]
            lasts = [np.asarray([max(a, b - 1) for a, b in one.offsets], dtype=np.int64) for one in found]
        made: list[Tokens] = []
        for one, last, (_, whose), messages in zip(ids, lasts, shown, conversations, strict=True):
            roles = whose[last]
            if self._template is not None:
                made.append(Tokens(one, roles))
                continue
            end = np.int8(ROLES.index(messages[-1].role))
            made.append(Tokens(np.append(one, np.int32(self.eos)), np.append(roles, end)))
        return made

    def _shown(self, messages: tuple[Message, ...]) -> tuple[str, npt.NDArray[np.int8]]:
        """The text of a conversation, and the role of each character."""
        import numpy as np

        if self._template is None:
            return instruct_text(messages), _turns(messages)
        parts = self._template.parts(messages)
        whose = [np.full(len(part.text), ROLES.index(cast(TokenRole, part.role)), dtype=np.int8) for part in parts]
        return "".join(part.text for part in parts), np.concatenate(whose)


def _turns(messages: Sequence[Message]) -> npt.NDArray[np.int8]:
    """The role of each character of the plain form."""
    import numpy as np

    parts = []
    for message in messages:
        parts.append(np.full(len(message.role) + 2, _FRAME, dtype=np.int8))
        role = ROLES.index(message.role)
        parts.append(np.full(len(message.content) + 1, role, dtype=np.int8))
    return np.concatenate(parts)


def _characters(encoded: bytes) -> npt.NDArray[np.int64]:
    """For each byte of UTF-8 the number of its character."""
    import numpy as np

    first = (np.frombuffer(encoded, dtype=np.uint8) & 0xC0) != 0x80
    return np.cumsum(first) - 1


def _own_eos(loaded: Any, where: str) -> str:
    """The one token of the vocabulary that is known to end documents. Only files that are part of the tokenizer's
    identity are asked, so that a build never depends on a config beside them."""
    found = [token for token in _KNOWN_EOS if loaded.token_to_id(token) is not None]
    if len(found) == 1:
        return found[0]
    what = "has no token that is known to end a document." if not found else f"could end documents by {found}."
    raise UsageError(f"the tokenizer {what}", where=where, hint="Name the token as mix.packed.eos.")
