"""Measures deduplication: speed and recall beside datatrove's four MinHash stages, memory by size, templated chats.

All figures are CPU time of one process, signatures to verified result: our survey, its tables written and read back,
decide and apply; datatrove's signature, buckets, cluster and filter stages with the default configuration, on a slice
of the same documents. The contenders take turns; the ratio is that of the medians. See `dedup_corpus.py` for the text.
"""

from __future__ import annotations

import argparse
import gc
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from dedup_corpus import Document, documents, macro_chats, templated_chats

from corpusforge.curate.dedup import Dedup
from corpusforge.record import Dropped, Kind, Origin, Record
from corpusforge.shards import write_table
from corpusforge.stage import Decision, SourceFacts, StageContext, Survey

SHARD = 4000


@dataclass
class Result:
    gone: dict[str, Dropped]
    decision: Decision
    index_bytes: int
    seconds: dict[str, float]


def ours(documents: list[Document], folder: Path, kind: Kind = "public") -> Result:
    """Deduplicate as a build would, shard by shard, with CPU seconds for each phase."""
    facts = {"text": SourceFacts("text", kind, "public" if kind == "public" else "domain")}
    records = [record(document, kind) for document in documents]
    shards = {f"text-{k:05d}": records[at : at + SHARD] for k, at in enumerate(range(0, len(records), SHARD))}
    stage = Dedup()

    def context() -> StageContext:
        return StageContext(settings=Dedup.Settings(cap=1), seed=1, sources=facts)

    started = time.process_time()
    surveys = []
    for name, shard in shards.items():
        path = folder / f"{name}.parquet"
        write_table(path, stage.survey(shard, context()))
        surveys.append(Survey(name, "text", path, path))
    surveyed = time.process_time()
    decision = stage.decide(surveys, context())
    decided = time.process_time()
    gone: dict[str, Dropped] = {}
    for name, shard in shards.items():
        ctx = context()
        ctx.mine = decision.per_shard.get(name)
        for item in stage.apply(shard, ctx):
            if isinstance(item, Dropped):
                gone[item.record.id] = item
    seconds = {"survey": surveyed - started, "decide": decided - surveyed, "apply": time.process_time() - decided}
    return Result(gone, decision, sum(survey.path.stat().st_size for survey in surveys), seconds)


def record(document: Document, kind: Kind) -> Record:
    return Record(id=document.id, source="text", kind=kind, text=document.text, origin=Origin("text", 0, 1))


def datatrove(documents: list[Document], folder: Path) -> tuple[set[str], float]:
    """The ids that datatrove's default MinHash removes, and the CPU seconds of its four stages."""
    from datatrove.data import Document as Doc
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature

    config = MinhashConfig()
    paths = [str(folder / name) for name in ("signatures", "buckets", "remove")]
    docs = [Doc(text=document.text, id=document.id) for document in documents]
    started = time.process_time()
    list(MinhashDedupSignature(output_folder=paths[0], config=config).run(iter(docs), 0, 1) or ())
    for bucket in range(config.num_buckets):
        stage = MinhashDedupBuckets(input_folder=paths[0], output_folder=paths[1], config=config)
        stage.run(None, bucket, config.num_buckets)
    MinhashDedupCluster(input_folder=paths[1], output_folder=paths[2], config=config).run(None, 0, 1)
    kept = {doc.id for doc in MinhashDedupFilter(input_folder=paths[2]).run(iter(docs), 0, 1)}
    return {document.id for document in documents} - kept, time.process_time() - started


def shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return set(zip(*(words[k:] for k in range(5)), strict=False))


def true_pairs(documents: list[Document], least: float) -> list[tuple[str, str]]:
    """The planted pairs whose plain word 5-gram Jaccard similarity is at least `least`, computed exactly."""
    texts = {document.id: document.text for document in documents}
    pairs = []
    for document in documents:
        if document.of in texts:
            a, b = shingles(document.text), shingles(texts[document.of])
            if len(a & b) >= least * len(a | b):
                pairs.append((document.of, document.id))
    return pairs


def recall(pairs: list[tuple[str, str]], gone: set[str]) -> float:
    return round(sum(bool(gone & set(pair)) for pair in pairs) / max(1, len(pairs)), 4)


def megabytes(documents: list[Document]) -> float:
    return sum(len(document.text.encode()) for document in documents) / 1e6


def speed(size: float, sample: float, rounds: int) -> dict[str, object]:
    corpus = list(documents(size))
    # Every so-manieth original with its planted copy, so that the slice holds the same share of pairs.
    step = max(1, round(size / sample))
    piece = [document for document in corpus if int(document.id[1:]) % step == 0]
    mb, small = megabytes(corpus), megabytes(piece)
    with tempfile.TemporaryDirectory() as name:
        ours(corpus[:500], Path(name))
    with tempfile.TemporaryDirectory() as name:
        datatrove(corpus[:50], Path(name))
    phases: list[dict[str, float]] = []
    theirs: list[float] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as name:
            result = ours(corpus, Path(name))
        phases.append({phase: mb / seconds for phase, seconds in result.seconds.items()})
        phases[-1]["all"] = mb / sum(result.seconds.values())
        with tempfile.TemporaryDirectory() as name:
            removed, seconds = datatrove(piece, Path(name))
        theirs.append(small / seconds)
        print(f"ours {phases[-1]['all']:.2f} MB/s, datatrove {theirs[-1]:.3f} MB/s", file=sys.stderr)
    with tempfile.TemporaryDirectory() as name:
        same = ours(piece, Path(name))
    medians = {phase: round(statistics.median(p[phase] for p in phases), 2) for phase in phases[0]}
    found = {
        f"pairs_j_{least}": {
            "pairs": len(pairs := true_pairs(piece, least)),
            "ours": recall(pairs, set(same.gone)),
            "datatrove": recall(pairs, removed),
        }
        for least in (0.8, 0.7, 0.5, 0.0)
    }
    planted = {d.id for d in piece if d.of} | {d.of for d in piece if d.of}
    whole = [(d.of, d.id) for d in corpus if d.of]
    return {
        "mb": round(mb, 1),
        "documents": len(corpus),
        "planted": len(whole),
        "mb_per_s": medians,
        "datatrove_mb_per_s": round(statistics.median(theirs), 3),
        "datatrove_sample_mb": round(small, 1),
        "ratio": round(medians["all"] / statistics.median(theirs), 1),
        "recall_on_the_sample": found,
        "removed_but_not_planted": {"ours": len(set(same.gone) - planted), "datatrove": len(removed - planted)},
        "recall_of_all_planted": recall(whole, set(result.gone)),
        "near_duplicates_at": result.decision.notes["near_duplicates_at"],
        "index_bytes_per_record": round(result.index_bytes / len(corpus)),
        "index_bytes_per_text_byte": round(result.index_bytes / mb / 1e6, 3),
    }


def one_size(size: float) -> dict[str, object]:
    """Peak memory of deciding alone: the shards are surveyed and freed first, as other processes do in a build."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        facts = {"text": SourceFacts("text", "public", "public")}
        ctx = StageContext(settings=Dedup.Settings(cap=1), seed=1, sources=facts)
        surveys, shard, count, read = [], [], 0, 0

        def survey() -> None:
            path = folder / f"text-{len(surveys):05d}.parquet"
            write_table(path, Dedup().survey(shard, ctx))
            surveys.append(Survey(path.stem, "text", path, path))
            shard.clear()

        for document in documents(size):
            shard.append(record(document, "public"))
            read += len(document.text.encode())
            count += 1
            if len(shard) == SHARD:
                survey()
        survey()
        code = "import sys, dedup; dedup.decide_only(sys.argv[1:])"
        paths = [str(survey.path) for survey in surveys]
        command = [sys.executable, "-c", code, *paths]
        out = subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parent).stdout
        answer: dict[str, object] = json.loads(out.splitlines()[-1])
        index = sum(Path(path).stat().st_size for path in paths)
    return {"mb": round(read / 1e6, 1), "records": count, "index_mb": round(index / 1e6, 1), **answer}


def decide_only(paths: list[str]) -> None:
    facts = {"text": SourceFacts("text", "public", "public")}
    ctx = StageContext(settings=Dedup.Settings(cap=1), seed=1, sources=facts)
    surveys = [Survey(Path(path).stem, "text", Path(path), Path(path)) for path in paths]
    empty = surveys[0].path.with_name("empty.parquet")
    write_table(empty, Dedup().survey([], ctx))
    Dedup().decide([Survey("empty", "text", empty, empty)], ctx)
    gc.collect()
    before = peak_mb()
    started = time.process_time()
    Dedup().decide(surveys, ctx)
    seconds = time.process_time() - started
    print(json.dumps({"decide_s": round(seconds, 2), "peak_mb": peak_mb(), "before_mb": before}))


def peak_mb() -> int:
    """This process's largest resident set so far. `getrusage` would count the parent's, from before it was replaced."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) // 1000


def templates() -> dict[str, object]:
    rows: dict[str, object] = {}
    removed = found = planted = 0
    for words in (50, 100, 150, 200, 300):
        chats = templated_chats(1000, words)
        with tempfile.TemporaryDirectory() as name:
            gone = set(ours(chats, Path(name), "chat").gone)
        pairs = [(chat.of, chat.id) for chat in chats if chat.of]
        wrong = len(gone - {one for pair in pairs for one in pair})
        rows[f"{words} words"] = {"distinct_removed": wrong, "planted": len(pairs), "recall": recall(pairs, gone)}
        removed, found, planted = removed + wrong, found + sum(bool(gone & set(p)) for p in pairs), planted + len(pairs)
    with tempfile.TemporaryDirectory() as name:
        rows["macros"] = {"distinct_removed": len(ours(macro_chats(1000), Path(name), "chat").gone)}
    return rows | {"distinct_removed": removed, "planted": planted, "recall": round(found / planted, 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=float, default=100)
    parser.add_argument("--sample-mb", type=float, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=float, nargs="*", default=[25, 50, 100, 400])
    options = parser.parse_args()
    answer: dict[str, object] = {"bench": "dedup"}
    answer["speed"] = speed(options.mb, options.sample_mb, options.rounds)
    answer["templated_chats"] = templates()
    answer["memory"] = [one_size(size) for size in options.sizes]
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
