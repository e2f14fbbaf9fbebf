"""Asks a model about one chunk: rows are written, repaired once where a cheap check fails, and checked while hot."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from corpusforge.generate.engines.door import GenerationRequest, GenerationResponse
from corpusforge.generate.sentences import normalised
from corpusforge.generate.verify.checks import LOOSEST, UNCHECKED, problems
from corpusforge.generate.write.output import Field, Value, instructions, parse, schema
from corpusforge.generate.write.prompt import DOCUMENT, REPAIR, Prompt
from corpusforge.generate.write.settings import WriterSettings
from corpusforge.record import Message, Record, stable_hash

REJECTED = "rejected"
_YES = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}
_PASSING = ("refused", "context", "empty", "unsupported", "bad-request")
_LISTED = 2000
_ITS_LANGUAGE = "the document's language"


class Asks(Protocol):
    """What answers requests; a session is one."""

    async def ask(self, request: GenerationRequest) -> GenerationResponse:
        """The answer, which may say that the call failed."""
        ...


@dataclass(frozen=True, slots=True)
class Order:
    """`n` rows to be written about a chunk by one template.

    `make` turns the fields of a row into a record for a place from 0 to n - 1; a record that must not be believed says
    why in `meta["rejected"]`, and a reason alone says that there is no record. `check` names the template that asks
    about a record, `told` what that template is filled with; `sound` is the answer that a good row gets. Where
    `together` is not 0, that many rows of the answer are one record, and each of their fields is a list.
    """

    task: str
    template: str
    fields: tuple[Field, ...]
    n: int
    make: Callable[[Mapping[str, Value], int], Record | str]
    check: str
    told: Callable[[Record], Mapping[str, Any]]
    values: Mapping[str, Any] = field(default_factory=dict)
    sound: str = "yes"
    together: int = 0

    def rows(self, records: int) -> int:
        """Rows of an answer that so many records are made of."""
        return records * (self.together or 1)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call as it was made: the template, the prompt, and what came back."""

    template: str
    prompt: str
    answer: str
    finish: str


@dataclass(slots=True)
class Written:
    """What came of the orders for one chunk: records, asked = written + missing, and the calls themselves.

    `counts` holds `repaired` and `surplus` rows, and `calls`, `prompt_tokens` and `completion_tokens`; `refused` tells
    why rows that are there will not pass.
    """

    rows: list[Record] = field(default_factory=list)
    asked: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    exchanges: list[Exchange] = field(default_factory=list)


@dataclass(slots=True)
class _Place:
    """One row that was asked for: the record, or why there is none (or none that passes)."""

    row: Record | None = None
    reason: str = ""


class Scribe:
    """Writes one chunk's rows. `document` is the beginning of every prompt about it, byte for byte."""

    def __init__(
        self, session: Asks, settings: WriterSettings, prompts: Mapping[str, Prompt], document: str, language: str
    ) -> None:
        self.session, self.settings, self.prompts = session, settings, prompts
        self.document, self.language = document, language
        self.written = Written()

    async def write(self, orders: Sequence[Order]) -> Written:
        """All orders at once, then all checks at once: what one chunk's calls share is read while it is hot."""
        done = await asyncio.gather(*(self._order(order) for order in orders))
        rows = [(order, place) for order, places in zip(orders, done, strict=True) for place in places if place.row]
        verdicts = await asyncio.gather(*(self._verdict(order, place) for order, place in rows))
        for (_, place), verdict in zip(rows, verdicts, strict=True):
            if place.row is not None:
                place.row.meta["verdict"] = verdict
                self.written.rows.append(place.row)
                if place.reason or verdict in ("no", "unparsable"):
                    self.written.refused[place.reason or f"verdict-{verdict}"] += 1
        for places in done:
            self.written.asked += len(places)
            self.written.missing.update(place.reason for place in places if place.row is None)
        return self.written

    async def _order(self, order: Order) -> list[_Place]:
        prompt = self._prompt(order, order.n)
        places = [_Place() for _ in range(order.n)]
        response = await self._ask(order.task, order.template, prompt, self._schema(order, order.n))
        self._fill(order, places, range(order.n), response, repaired=0)
        lacking = [at for at, place in enumerate(places) if place.reason]
        if lacking and self.settings.repair and not response.error:
            again = self.prompts[REPAIR].render(
                problems=[self._shown(line) for line in _told(places)],
                n=order.rows(len(lacking)),
                language=self.language or _ITS_LANGUAGE,
            )
            prompt = f"{self._prompt(order, len(lacking))}\n\n{again}"
            response = await self._ask(order.task, order.template, prompt, self._schema(order, len(lacking)))
            second = [_Place() if at in lacking else place for at, place in enumerate(places)]
            self._fill(order, second, lacking, response, repaired=1)
            # What the second answer did not make good stays as the first one left it.
            places = [new if not new.reason else old for old, new in zip(places, second, strict=True)]
            self.written.counts["repaired"] += sum(not second[at].reason for at in lacking)
        return places

    def _fill(
        self, order: Order, places: list[_Place], open_: Sequence[int], response: GenerationResponse, repaired: int
    ) -> None:
        """Put the rows of an answer into the open places, in order; every place that stays open gets a reason."""
        if response.error or not response.texts:
            reason = response.error if response.error in _PASSING else "call-failed"
            for at in open_:
                places[at].reason = reason
            return
        found = parse(response.texts[0], order.fields, self.settings.engine.output)
        known = {_key(place.row) for place in places if place.row is not None}
        rows = iter(_joined([self._meant(row) for row in found.rows], order.together))
        broken = found.broken
        for at in open_:
            values = next(rows, None)
            if values is None:
                cut = response.finish == "length"
                places[at].reason = "length" if cut else "unparsable" if broken > 0 or not found.whole else "too-few"
                broken -= 1
                continue
            row = order.make(values, at)
            if isinstance(row, str):
                places[at].reason = row
                continue
            if _key(row) in known:
                places[at].reason = "duplicate"
                continue
            known.add(_key(row))
            if repaired:
                row.meta["repaired"] = repaired
            places[at] = _Place(row, _fault(row))
        self.written.counts["surplus"] += sum(1 for _ in rows)

    async def _verdict(self, order: Order, place: _Place) -> str:
        """The model's own check of one row, in one token; "" where it is not asked."""
        row = place.row
        if not self.settings.check or not order.check or row is None or row.meta.get(REJECTED):
            return ""
        # The recipe's `verify` may be less strict than the rules that asked for a repair.
        if place.reason and any(problems(row, LOOSEST)):
            row.meta[UNCHECKED] = True
            return ""
        json = self.settings.engine.output == "json"
        words = "true or false" if json else "yes or no"
        told = {name: self._shown(value) for name, value in order.told(row).items()}
        ask = self.prompts[order.check].render(**told, format=f"Answer with one word: {words}.")
        # A JSON literal is one token for most models; the grammar ends it. Free text is cut behind the first token.
        sampling = self.settings.engine.sampling(temperature=0.0, max_tokens=8 if json else 1)
        request = self._request(order.task, f"{self.document}\n\n{ask}", {"type": "boolean"} if json else None)
        response = await self._sent(order.check, replace(request, sampling=sampling))
        said = response.texts[0] if response.texts and not response.error else ""
        verdict = _YES.get(said.strip().strip(".!\"'*").lower(), "unparsable")
        if verdict == "unparsable":
            return verdict
        return "yes" if verdict == order.sound else "no"

    def _prompt(self, order: Order, n: int) -> str:
        shape = instructions(order.fields, order.rows(n), self.settings.engine.output)
        language = self.language or _ITS_LANGUAGE
        told = {name: self._shown(value) for name, value in order.values.items()}
        values = {**told, "n": order.rows(n), "format": shape, "language": language}
        return f"{self.document}\n\n{self.prompts[order.template].render(**values)}"

    def _shown(self, value: Any) -> Any:
        """A value as prompts show it: as the document's own text is shown."""
        guarded = self.prompts[DOCUMENT].guarded
        if isinstance(value, list):
            return [guarded(one) for one in value]
        return guarded(value) if isinstance(value, str) else value

    def _meant(self, row: Mapping[str, Value]) -> Mapping[str, Value]:
        """A row of an answer in the document's own words, where the prompt had to show them otherwise."""
        plain = self.prompts[DOCUMENT].unguarded
        return {k: [plain(one) for one in v] if isinstance(v, list) else plain(v) for k, v in row.items()}

    def _schema(self, order: Order, n: int) -> dict[str, Any] | None:
        return schema(order.fields, order.rows(n)) if self.settings.engine.output == "json" else None

    async def _ask(self, task: str, template: str, prompt: str, shape: dict[str, Any] | None) -> GenerationResponse:
        return await self._sent(template, self._request(task, prompt, shape))

    def _request(self, task: str, prompt: str, shape: dict[str, Any] | None) -> GenerationRequest:
        # From the prompt alone: the same chunk is drawn the same rows wherever and whenever it is asked about.
        seed = int(stable_hash(prompt), 16) % (1 << 31)
        return GenerationRequest(task, (Message("user", prompt),), self.settings.engine.sampling(), shape, seed)

    async def _sent(self, template: str, request: GenerationRequest) -> GenerationResponse:
        response = await self.session.ask(request)
        counts = self.written.counts
        counts["calls"] += 1
        counts["prompt_tokens"] += response.usage.prompt_tokens
        counts["completion_tokens"] += response.usage.completion_tokens
        answer = response.texts[0] if response.texts else response.error
        self.written.exchanges.append(Exchange(template, request.messages[0].content, answer, response.finish))
        return response


def _joined(rows: Sequence[Mapping[str, Value]], together: int) -> Iterator[Mapping[str, Value]]:
    """The rows, or what each full group of them says as one."""
    if not together:
        yield from rows
        return
    for start in range(0, len(rows) - together + 1, together):
        joined: dict[str, list[str]] = {}
        for row in rows[start : start + together]:
            for name, value in row.items():
                joined.setdefault(name, []).extend(value if isinstance(value, list) else [value])
        yield joined


def _own(row: Record) -> str:
    """What tells a row from its neighbours: its question, or its answer where the question is in our words."""
    first, second = ("answer", "question") if row.kind in ("reading", "rewrite") else ("question", "answer")
    return str(row.meta.get(first) or row.meta.get(second) or row.text)


def _key(row: Record) -> str:
    return normalised(_own(row))


def _fault(row: Record) -> str:
    """Why a row does not pass what can be checked without a model; "" if it does."""
    return next((problem.reason for problem in problems(row)), "")


def _told(places: Sequence[_Place]) -> list[str]:
    """For the second attempt: what was wrong with each row, and which rows are there already."""
    lines: list[str] = []
    for place in places:
        about = "" if place.row is None else _own(place.row)
        about = f" “{about[:200]}”" if about else ""
        lines.append(f"Row{about}: {place.reason}." if place.reason else f"Row{about}: fine, do not repeat it.")
    told: list[str] = []
    for line in lines:
        if sum(map(len, told)) + len(line) > _LISTED:
            break
        told.append(line)
    return told
