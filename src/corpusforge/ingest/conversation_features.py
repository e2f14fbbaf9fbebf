"""Describes every pair (message, earlier message) of a chat by small integers, from which reply links are scored.

All features are integers, so that a score is an exact sum: the same links on every machine.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.signedinteger]
    Bits = NDArray[np.bool_]

WINDOW = 64
"""How many messages back a reply may point. 98.6 % of the human links of #ubuntu lie within 64 log lines."""

_LAGS = 6
"""A word's occurrence is compared with so many before it."""
_WORD = re.compile(r"[a-z0-9][a-z0-9_./+-]{2,}")
_OPENING = re.compile(
    r"(?:\S+[:,] +)?(?:(?P<command>!\w)|"
    r"(?P<greeting>(?:hi|hello|hey|hiya|yo|greetings|good (?:morning|evening|day)|morning|sup|howdy)\b)|"
    r"(?P<acknowledge>(?:thanks?|thx|ty|ok(?:ay)?|yes|yeah|yep|yup|no|nope|nah|right|sure|cool|great|oh|ah|hm+|"
    r"lol|haha|i see|it|that|so|and|but|then|because|well)\b)|"
    r"(?P<question>how|what|where|which|who|why|when|is there|are there|can (?:i|any|some)|does any|do i|has any|"
    r"any ?(?:one|body) ))"
)

QUESTION, ACKNOWLEDGE, GREETING, COMMAND, BOT = 1, 2, 4, 8, 16
_CUES = {"question": QUESTION, "acknowledge": ACKNOWLEDGE, "greeting": GREETING, "command": COMMAND}

PAIR_TABLES = {
    "relation": (2, 4, 4, 2, 11),
    "time": (2, 4, 8),
    "partner": (2, 4, 4, 4, 3),
    "words": (2, 4, 4),
    "cues": (2, 4, 32, 8),
    "pair": (2, 2, 4, 11),
    "target": (2, 2, 4, 5),
    "thread": (3, 2, 2, 4, 5),
}
SELF_TABLES = {
    "new_shape": (3, 2, 4, 4),
    "new_return": (8, 4, 3),
    "new_cues": (32, 3),
    "new_pause": (8, 2, 3),
}


@dataclass(frozen=True, slots=True)
class Turns:
    """A chat's messages in order, as parallel arrays of one number each.

    `person` who speaks; `addressed`, `named`, `named2` whom the text names (-1: nobody); `minute` minutes since the
    beginning; `cues` a sum of QUESTION to BOT; `length` characters.
    """

    person: Ints
    addressed: Ints
    named: Ints
    named2: Ints
    minute: Ints
    cues: Ints
    length: Ints


def cues(text: str, bot: bool) -> int:
    """What the wording of a message tells, as a sum of QUESTION, ACKNOWLEDGE, GREETING, COMMAND and BOT."""
    found = BOT if bot else 0
    if "?" in text:
        found |= QUESTION
    opening = _OPENING.match(text.lower())
    if opening is not None and opening.lastgroup is not None:
        found |= _CUES[opening.lastgroup]
    return found


def shared_words(texts: Sequence[str], ignore: set[str]) -> tuple[Ints, Ints, Ints]:
    """Pairs of messages at most WINDOW apart that share rare words: (later, earlier, weight 1 to 3).

    A word weighs 2 where at most 1 message in 1000 has it, else 1; words of more than 1 in 50 messages don't count.
    """
    import numpy as np

    bags = [set(_WORD.findall(text.lower())) for text in texts]
    counts: Counter[str] = Counter()
    for bag in bags:
        counts.update(bag)
    often, seldom = max(4, len(texts) // 50), max(3, len(texts) // 1000)
    rare = {word for word, count in counts.items() if 2 <= count <= often} - ignore
    number = {word: k for k, word in enumerate(rare)}
    weight = np.array([2 if counts[word] <= seldom else 1 for word in number], np.int64)
    found: list[int] = []
    sizes: list[int] = []
    for bag in bags:
        shared = bag & rare
        found.extend(map(number.__getitem__, shared))
        sizes.append(len(shared))
    words = np.array(found, np.int64)
    order = np.argsort(words, kind="stable")
    words, places = words[order], np.repeat(np.arange(len(texts)), sizes)[order]
    total = np.zeros(len(texts) * WINDOW, np.int64)
    for lag in range(1, _LAGS + 1):
        back = places[lag:] - places[:-lag]
        near = (words[lag:] == words[:-lag]) & (back <= WINDOW)
        # The order of words in a set is not the same in each process; sums over words don't depend on it.
        np.add.at(total, places[lag:][near] * WINDOW + back[near] - 1, weight[words[lag:][near]])
    keys = np.flatnonzero(total)
    later: Ints = (keys // WINDOW).astype(np.int32)
    earlier: Ints = later - (keys % WINDOW).astype(np.int32) - 1
    return later, earlier, np.minimum(total[keys], 3).astype(np.int32)


class PairFeatures:
    """Feature codes of a stretch of messages against the WINDOW messages before each."""

    def __init__(self, turns: Turns, texts: Sequence[str], nicks: set[str]) -> None:
        import numpy as np

        self.turns = turns
        self._count = len(turns.person)
        self._words = shared_words(texts, nicks)
        self._own_next, self._own_last = _chain(turns.person)
        # The next message in which the same speaker addresses the same person.
        pair = turns.person.astype(np.int64) * (2**31) + turns.addressed
        self._pair_next, _ = _chain(pair)
        self._answered = _next_address(turns)
        self._caller, self._callee = _partners(turns)

    def pairs(self, start: int, stop: int) -> tuple[dict[str, Ints], Bits]:
        """Codes of messages [start, stop) against each candidate, and which candidates exist.

        Shapes (stop - start, WINDOW); column k is the message k + 1 before.
        """
        import numpy as np

        t = self.turns
        i = np.arange(start, stop, dtype=np.int32)[:, None]
        j = i - np.arange(1, WINDOW + 1, dtype=np.int32)[None, :]
        valid = j >= 0
        j = np.maximum(j, 0)
        me, you = t.person[start:stop, None], t.person[j]
        to, to_of_you = t.addressed[start:stop, None], t.addressed[j]
        same = (me == you).astype(np.int16)
        mine = _relation(to == you, (t.named[start:stop, None] == you) | (t.named2[start:stop, None] == you), to >= 0)
        yours = _relation(to_of_you == me, (t.named[j] == me) | (t.named2[j] == me), to_of_you >= 0)
        last = (self._own_next[j] >= i).astype(np.int16)
        last_pair = (self._pair_next[j] >= i).astype(np.int16)
        back = np.arange(1, WINDOW + 1, dtype=np.int32)[None, :]
        distance = _bucket(back, (1, 2, 3, 4, 6, 9, 14, 22, 32, 48))
        near = _bucket(back, (1, 3, 7, 20))
        gap = _bucket(t.minute[start:stop, None] - t.minute[j], (0, 1, 2, 4, 8, 15, 30))
        partner = 2 * (self._caller[start:stop, None] == you).astype(np.int16) + (self._callee[start:stop, None] == you)
        answered_at = self._answered[j]
        by_me = t.person[np.minimum(answered_at, self._count - 1)] == me
        answered = (answered_at < i) * (by_me.astype(np.int16) + 1)
        together = ((to == to_of_you) & (to >= 0)).astype(np.int16)
        shared = np.zeros(j.shape, np.int16)
        later, earlier, weight = self._words
        lo, hi = np.searchsorted(later, (start, stop))
        shared[later[lo:hi] - start, later[lo:hi] - earlier[lo:hi] - 1] = weight[lo:hi]
        my_cues, your_cues = t.cues[start:stop, None].astype(np.int16), t.cues.astype(np.int16)[j]
        mine_short = (my_cues & 3) | ((my_cues & BOT) >> 2)
        codes = {
            "relation": _cross(PAIR_TABLES["relation"], same, mine, yours, last, distance),
            "time": _cross(PAIR_TABLES["time"], same, mine, gap),
            "partner": _cross(PAIR_TABLES["partner"], same, mine, yours, partner, answered),
            "words": _cross(PAIR_TABLES["words"], same, mine, shared),
            "cues": _cross(PAIR_TABLES["cues"], same, mine, your_cues, mine_short),
            "pair": _cross(PAIR_TABLES["pair"], last_pair, same, yours, distance),
            "target": _cross(PAIR_TABLES["target"], together, same, yours, near),
        }
        return codes, valid

    def thread(self, start: int, stop: int, root: Ints, last_of_root: Ints) -> Ints:
        """Codes of the second pass, which knows a first guess of each message's conversation (its `root`)."""
        import numpy as np

        t = self.turns
        i = np.arange(start, stop, dtype=np.int32)[:, None]
        j = np.maximum(i - np.arange(1, WINDOW + 1, dtype=np.int32)[None, :], 0)
        before = self._own_last[start:stop]
        own = np.where(before >= 0, root[np.maximum(before, 0)], -1)[:, None]
        theirs = (own >= 0) * (np.int16(2) - (root[j] == own))
        latest = (last_of_root[j] >= i).astype(np.int16)
        same = (t.person[start:stop, None] == t.person[j]).astype(np.int16)
        to = t.addressed[start:stop, None]
        mine = _relation(to == t.person[j], np.zeros_like(to, np.bool_), to >= 0)
        back = np.arange(1, WINDOW + 1, dtype=np.int32)[None, :]
        return _cross(PAIR_TABLES["thread"], theirs, latest, same, mine, _bucket(back, (1, 3, 7, 20)))

    def alone(self, start: int, stop: int) -> dict[str, Ints]:
        """Codes of messages [start, stop) as openings of new conversations, one number each."""
        import numpy as np

        t = self.turns
        place = np.arange(start, stop, dtype=np.int32)
        own = self._own_last[start:stop]
        since = np.where(own >= 0, t.minute[start:stop] - t.minute[np.maximum(own, 0)], 10**6)
        back = np.where(own >= 0, place - own, 10**6)
        called = self._caller[start:stop] >= 0
        whom = np.where(t.addressed[start:stop] >= 0, 2, np.where(t.named[start:stop] >= 0, 1, 0))
        length = _bucket(t.length[start:stop], (15, 40, 90))
        question = (t.cues[start:stop] & QUESTION).astype(np.int32)
        away = np.where(own < 0, 3, _bucket(back, (6, 25)))
        pause = _bucket(t.minute[start:stop] - t.minute[np.maximum(place - 1, 0)], (0, 1, 2, 4, 8, 15, 30))
        state = np.where(own < 0, 0, np.where(called, 2, 1))
        return {
            "new_shape": _cross(SELF_TABLES["new_shape"], whom, question, length, away),
            "new_return": _cross(SELF_TABLES["new_return"], _bucket(since, (0, 1, 2, 4, 8, 15, 60)), away, state),
            "new_cues": _cross(SELF_TABLES["new_cues"], t.cues[start:stop], whom),
            "new_pause": _cross(SELF_TABLES["new_pause"], pause, question, whom),
        }


def _relation(addressed: Bits, named: Bits, other: Bits) -> Ints:
    """1 where a text addresses the person, 2 where it names them, 3 where it addresses another, else 0."""
    import numpy as np

    # Small integers keep a chunk's arrays in the cache.
    one, two, three, none = (np.int16(k) for k in (1, 2, 3, 0))
    return np.where(addressed, one, np.where(named, two, np.where(other, three, none)))


def _bucket(values: Ints, edges: tuple[int, ...]) -> Ints:
    import numpy as np

    table = np.searchsorted(np.array(edges), np.arange(edges[-1] + 2), side="left").astype(np.int16)
    return table[np.minimum(values, edges[-1] + 1)]


def _cross(shape: tuple[int, ...], *parts: Ints) -> Ints:
    code = parts[0]
    for size, part in zip(shape[1:], parts[1:], strict=True):
        code = code * size + part
    return code


def _chain(keys: Ints) -> tuple[Ints, Ints]:
    """For each message the next and the last one with the same key; none is a large number or -1."""
    import numpy as np

    count = len(keys)
    following = np.full(count, 2**30, np.int32)
    previous = np.full(count, -1, np.int32)
    order = np.argsort(keys, kind="stable").astype(np.int32)
    same = keys[order][1:] == keys[order][:-1]
    following[order[:-1][same]] = order[1:][same]
    previous[order[1:][same]] = order[:-1][same]
    return following, previous


def _next_address(turns: Turns) -> Ints:
    """For each message, the first later one in which somebody addresses its speaker."""
    import numpy as np

    found = np.full(len(turns.person), 2**30, np.int32)
    coming: dict[int, int] = {}
    people, addressed = turns.person.tolist(), turns.addressed.tolist()
    for place in range(len(people) - 1, -1, -1):
        found[place] = coming.get(people[place], 2**30)
        if addressed[place] >= 0:
            coming[addressed[place]] = place
    return found


def _partners(turns: Turns) -> tuple[Ints, Ints]:
    """For each message, who last addressed its speaker, and whom its speaker last addressed before it (-1: nobody)."""
    import numpy as np

    caller = np.full(len(turns.person), -1, np.int32)
    callee = np.full(len(turns.person), -1, np.int32)
    called_by: dict[int, int] = {}
    calls: dict[int, int] = {}
    people, addressed = turns.person.tolist(), turns.addressed.tolist()
    for place, (person, target) in enumerate(zip(people, addressed, strict=True)):
        caller[place] = called_by.get(person, -1)
        callee[place] = calls.get(person, -1)
        if target >= 0:
            called_by[target] = person
            calls[person] = target
    return caller, callee
