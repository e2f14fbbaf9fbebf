"""Measures how well IRC logs split into conversations, against human reply links, on days the weights have not seen.

    python benchmarks/irc_conversations.py          measure the committed weights
    python benchmarks/irc_conversations.py --fit    fit them anew on every other day and write them

Data: $CORPUSFORGE_DATA/ubuntu-irc (Kummerfeld et al. 2019). Days are sorted; even ones fit, odd ones measure. Only
messages are scored, from line 1000 on (where the links begin); joins and parts are not. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from corpusforge.ingest.conversation_features import PAIR_TABLES, SELF_TABLES, WINDOW, PairFeatures
from corpusforge.ingest.conversations import Weights, last_in, parents, roots
from corpusforge.ingest.irc_turns import Log, read_log

WEIGHTS = Path(__file__).parents[1] / "src/corpusforge/ingest/conversation_weights.json"
STRENGTH = 1.0
"""Of the prior. Chosen on a split of the fitting days; from 0.2 to 8 it moves link F1 by 0.002."""


@dataclass
class Day:
    log: Log
    links: dict[int, set[int]]  # message -> messages it answers (itself: opens a conversation), from line 1000 on
    scored: list[int]

    def truth(self) -> dict[int, int]:
        """The human conversation of each scored message: connected components of all links."""
        top = list(range(len(self.log.texts)))

        def find(x: int) -> int:
            while top[x] != x:
                top[x] = top[top[x]]
                x = top[x]
            return x

        for child, found in self.links.items():
            for parent in found:
                top[find(child)] = find(parent)
        return {m: find(m) for m in self.scored}


def load(raw: Path) -> Day:
    with raw.open("rb") as stream:
        log = read_log(stream)
    place = {line: k for k, line in enumerate(log.lines)}
    links: dict[int, set[int]] = defaultdict(set)
    for row in raw.with_name(raw.name.replace(".raw.", ".annotation.")).read_text().splitlines():
        first, second = sorted(int(n) for n in row.split()[:2])
        if first in place and second in place:
            links[place[second]].add(place[first])
    return Day(log, dict(links), [k for line, k in place.items() if line >= 1000])


# -- metrics ----------------------------------------------------------------------------------------------------------


def clusters(assigned: dict[int, int]) -> dict[int, frozenset[int]]:
    groups: dict[int, list[int]] = defaultdict(list)
    for message, group in assigned.items():
        groups[group].append(message)
    return {group: frozenset(found) for group, found in groups.items()}


def compare(days: list[tuple[dict[int, int], dict[int, int]]]) -> dict[str, float]:
    """Exact-match cluster F1 (conversations of two messages or more), ARI, scaled VI, one-to-one overlap."""
    from scipy.optimize import linear_sum_assignment

    exact = guessed = real = messages = 0
    ari, information, overlap = [], 0.0, 0.0
    for truth, guess in days:
        n = len(truth)
        a, b = clusters(truth), clusters(guess)
        long_a = {c for c in a.values() if len(c) > 1}
        long_b = {c for c in b.values() if len(c) > 1}
        exact += len(long_a & long_b)
        real += len(long_a)
        guessed += len(long_b)
        cells = Counter((truth[m], guess[m]) for m in truth)
        pairs = sum(math.comb(v, 2) for v in cells.values())
        rows = sum(math.comb(len(v), 2) for v in a.values())
        columns = sum(math.comb(len(v), 2) for v in b.values())
        expected = rows * columns / math.comb(n, 2)
        ari.append((pairs - expected) / ((rows + columns) / 2 - expected))
        vi = -sum(v / n * (math.log2(v / len(a[x])) + math.log2(v / len(b[y]))) for (x, y), v in cells.items())
        information += n * (1 - vi / math.log2(n))
        index_a, index_b = {x: k for k, x in enumerate(a)}, {y: k for k, y in enumerate(b)}
        table = np.zeros((len(a), len(b)), int)
        for (x, y), v in cells.items():
            table[index_a[x], index_b[y]] = v
        best = linear_sum_assignment(-table)
        overlap += int(table[best].sum())
        messages += n
    precision, recall = exact / max(1, guessed), exact / real
    return {
        "cluster_precision": precision,
        "cluster_recall": recall,
        "cluster_f1": 2 * precision * recall / max(1e-9, precision + recall),
        "ari": sum(ari) / len(ari),
        "vi": information / messages,
        "one_to_one": overlap / messages,
    }


def link_scores(days: list[tuple[Day, list[int]]]) -> dict[str, float]:
    right = guessed = real = 0
    for day, links in days:
        for m in day.scored:
            truth = day.links.get(m)
            if truth:
                guessed += 1
                real += len(truth)
                right += links[m] in truth
    precision, recall = right / guessed, right / real
    return {
        "link_precision": precision,
        "link_recall": recall,
        "link_f1": 2 * precision * recall / (precision + recall),
    }


def by_time(day: Day, minutes: int) -> list[int]:
    """The baseline: a conversation ends where nobody speaks for `minutes`."""
    clock = day.log.turns.minute
    return [0] + [k if clock[k] - clock[k - 1] >= minutes else k - 1 for k in range(1, len(clock))]


def by_speaker(day: Day) -> list[int]:
    """A stronger baseline: answer the last message of whom you address, else your own last one, else open anew."""
    last: dict[int, int] = {}
    links = []
    people, addressed = day.log.turns.person.tolist(), day.log.turns.addressed.tolist()
    for k, (person, target) in enumerate(zip(people, addressed, strict=True)):
        found = last.get(target, last.get(person, k)) if target >= 0 else last.get(person, k)
        links.append(found if k - found <= WINDOW else k)
        last[person] = k
    return links


def measure(days: list[Day], guesses: list[list[int]]) -> dict[str, float]:
    pairs = []
    for day, links in zip(days, guesses, strict=True):
        root = roots(links)
        pairs.append((day.truth(), {m: root[m] for m in day.scored}))
    found = {**compare(pairs), **link_scores(list(zip(days, guesses, strict=True)))}
    return {name: round(value, 4) for name, value in found.items()}


def intervals(days: list[Day], guesses: list[list[int]]) -> dict[str, list[float]]:
    """95% bootstrap intervals over days of the F1 of exact conversations and of links."""
    counts = []
    for day, links in zip(days, guesses, strict=True):
        root = roots(links)
        real = {c for c in clusters(day.truth()).values() if len(c) > 1}
        guessed = {c for c in clusters({m: root[m] for m in day.scored}).values() if len(c) > 1}
        answered = [m for m in day.scored if day.links.get(m)]
        right = sum(links[m] in day.links[m] for m in answered)
        linked = sum(len(day.links[m]) for m in answered)
        counts.append((len(real & guessed), len(real) + len(guessed), right, len(answered) + linked))
    draw = np.random.Generator(np.random.PCG64(5))
    sums = np.array(counts)[draw.integers(0, len(counts), (2000, len(counts)))].sum(axis=1)
    found = {}
    for name, column in (("cluster_f1_interval", 0), ("link_f1_interval", 2)):
        low, high = np.quantile(2 * sums[:, column] / sums[:, column + 1], (0.025, 0.975))
        found[name] = [round(float(low), 4), round(float(high), 4)]
    return found


# -- fitting ----------------------------------------------------------------------------------------------------------


def sizes() -> dict[str, int]:
    return {name: math.prod(shape) for name, shape in (PAIR_TABLES | SELF_TABLES).items()}


def examples(days: list[Day], guess: list[list[int]] | None) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Feature codes of all messages that can be learnt from, which candidates exist, and which are right."""
    codes: dict[str, list[np.ndarray]] = defaultdict(list)
    valid, right = [], []
    for number, day in enumerate(days):
        count = len(day.log.texts)
        features = PairFeatures(day.log.turns, day.log.texts, day.log.nicks)
        start = min(day.scored)
        pair, exists = features.pairs(start, count)
        pair |= features.alone(start, count)
        if guess is not None:
            root = np.array(roots(guess[number]), np.int32)
            pair["thread"] = features.thread(start, count, root, last_in(root))
        truth = np.zeros((count - start, WINDOW + 1), bool)
        for m in day.scored:
            for parent in day.links.get(m, ()):
                if m - parent <= WINDOW:
                    truth[m - start, m - parent - 1 if m != parent else WINDOW] = True
        usable = truth.any(axis=1)
        for name, code in pair.items():
            codes[name].append(code[usable].astype(np.int32))
        valid.append(exists[usable])
        right.append(truth[usable])
    return {name: np.concatenate(found) for name, found in codes.items()}, np.concatenate(valid), np.concatenate(right)


def fit(days: list[Day], guess: list[list[int]] | None) -> Weights:
    """The weights of largest likelihood with a Gaussian prior, by L-BFGS."""
    from scipy.optimize import minimize

    codes, valid, right = examples(days, guess)
    where, total = {}, 0
    for name, size in sizes().items():
        if name in codes:
            where[name] = slice(total, total + size)
            total += size

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        score = np.full(right.shape, -1e9, np.float64)
        score[:, :WINDOW] = np.where(valid, sum(flat[where[n]][codes[n]] for n in PAIR_TABLES if n in codes), -1e9)
        score[:, WINDOW] = sum(flat[where[n]][codes[n]] for n in SELF_TABLES)
        score -= score.max(axis=1, keepdims=True)
        p = np.exp(score)
        good = np.where(right, p, 0)
        z, g = p.sum(axis=1, keepdims=True), good.sum(axis=1, keepdims=True)
        slope = p / z - good / g
        gradient = STRENGTH * flat
        for name, part in where.items():
            side = slope[:, :WINDOW].ravel() if name in PAIR_TABLES else slope[:, WINDOW]
            gradient[part] += np.bincount(codes[name].ravel(), side, part.stop - part.start)
        return float((np.log(z) - np.log(g)).sum() + STRENGTH * (flat**2).sum() / 2), gradient

    found = minimize(loss, np.zeros(total), jac=True, method="L-BFGS-B", options={"maxiter": 120})
    print(f"{len(right)} messages, {total} weights, {found.nit} rounds, loss {found.fun / len(right):.4f} nats")
    fitted = {name: np.round(found.x[part] * 1000).astype(np.int32) for name, part in where.items()}
    return fitted


def refit(days: list[Day]) -> tuple[Weights, Weights]:
    first = fit(days, None)
    return first, fit(days, [predict(day, (first, None)) for day in days])


def predict(day: Day, weights: tuple[Weights, Weights | None] | None = None) -> list[int]:
    return parents(day.log.turns, day.log.texts, day.log.nicks, weights)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--fit", action="store_true")
    asked = arguments.parse_args()
    root = Path(os.environ.get("CORPUSFORGE_DATA", Path(__file__).parents[2] / "shared/data"))
    files = sorted((root / "ubuntu-irc/logs").glob("*.raw.txt"))
    if asked.fit:
        fitted = refit([load(file) for file in files[::2]])
        table = [{name: row.tolist() for name, row in weights.items()} for weights in fitted]
        WEIGHTS.write_text(json.dumps(table, separators=(",", ":")) + "\n", "ascii")
    days = [load(file) for file in files[1::2]]
    begin = time.perf_counter()
    guesses = [predict(day) for day in days]
    seconds = time.perf_counter() - begin
    found = {
        "days": len(days),
        "messages": sum(len(day.scored) for day in days),
        "linker": {**measure(days, guesses), **intervals(days, guesses)},
        "baseline_speaker": measure(days, [by_speaker(day) for day in days]),
    }
    for minutes in (1, 2, 5):
        found[f"baseline_gap_{minutes}min"] = measure(days, [by_time(day, minutes) for day in days])
    for name, scores in found.items():
        print(name, scores)
    print(json.dumps({**found, "messages_per_second": round(sum(len(d.log.texts) for d in days) / seconds)}))


if __name__ == "__main__":
    main()
