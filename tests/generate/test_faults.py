"""A server that fails in every way: no row may be lost, doubled, or paid for twice, and no run may hang or lie."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from corpusforge.errors import StepFailed
from corpusforge.generate.engines.cache import ResponseCache
from corpusforge.generate.engines.door import GenerationRequest, GenerationResponse, Identity, Sampling
from corpusforge.generate.engines.failures import of_status, retry_after
from corpusforge.generate.engines.limiter import TURN, Limiter
from corpusforge.generate.engines.session import in_order, opened
from corpusforge.generate.engines.settings import EngineSettings
from corpusforge.record import Message
from corpusforge.stage import SourceFacts, StageContext

from .asking import ask_all, request, session
from .fault_server import LASTING, PASSING, FaultServer, share

ITEMS = [f"item {n}" for n in range(2000)]


def context(folder: Path | None) -> StageContext:
    return StageContext(settings=None, seed=1, sources={"s": SourceFacts("s", "doc", "domain")}, responses=folder)


def test_every_one_of_2000_requests_is_answered_or_has_a_reason_at_30_percent_faults(tmp_path: Path) -> None:
    items = [*ITEMS, *ITEMS[:50]]  # some are asked for twice
    with FaultServer(passing=0.3, lasting=0.1) as server, session(server.address, ResponseCache(tmp_path)) as one:
        made = ask_all(one, items)
    assert [entry["item"] for entry in made] == items
    assert all(("rows" in entry) != ("reason" in entry) for entry in made)
    asked = 3 * len(items)
    written = sum(len(entry.get("rows", ())) for entry in made)
    missing = Counter(entry["reason"] for entry in made if "reason" in entry)
    assert written + 3 * missing.total() == asked
    assert set(missing) == {"refused", "context", "bad-request", "unparsable", "wrong-schema", "length"}
    assert set(server.faults) == {*PASSING, *LASTING}
    assert sum(server.faults[kind] for kind in PASSING) > 0.25 * len(server.asked) * 0.9
    assert max(server.answered.values()) == 1, "an answer was paid for twice"
    assert set(server.answered) == set(ITEMS)
    # What ended without an answer or a reason would have been counted as neither.
    assert one.paid["calls"] == len(ITEMS)


def run_child(address: str, folder: Path, out: Path, count: int, timeout: float = 1.5) -> subprocess.Popen[str]:
    script = Path(__file__).with_name("asking.py")
    command = [sys.executable, str(script), address, str(folder), str(out), str(count), str(timeout)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill_and_resume(tmp_path: Path, kills: int, count: int) -> None:
    clean, out, folder = tmp_path / "clean.json", tmp_path / "out.json", tmp_path / "cache"
    choose = random.Random(kills)
    with FaultServer(passing=0.3, lasting=0.1) as server:
        run_child(server.address, tmp_path / "other", clean, count).communicate()
    keys = {request(f"item {n}").key(Identity("endpoint", "scripted")): f"item {n}" for n in range(count)}
    finished: list[tuple[set[str], int]] = []
    with FaultServer(passing=0.3, lasting=0.1) as server:
        for _ in range(kills):
            child = run_child(server.address, folder, out, count)
            told = [
                child.stdout.readline() for _ in range(len(finished) * count // (kills + 1) + choose.randint(1, 40))
            ]
            child.kill()
            told += child.communicate()[0].split("\n")[:-1]
            cache = ResponseCache(folder)
            kept = {item for key, item in keys.items() if cache.get(key) is not None}
            cache.close()
            lost = {keys[line.strip()] for line in told if line.strip()} - kept
            # Errors that were not paid for are not kept; whatever else was told as finished is on the disk.
            assert all(share("lasting", item) < 0.1 for item in lost)
            finished.append((kept, len(server.asked)))
        last = run_child(server.address, folder, out, count)
        complaint = last.communicate()[1]
        assert last.returncode == 0, complaint
        for kept, mark in finished:
            assert not kept & set(server.asked[mark:]), "a finished answer was asked for again"
        # An answer on its way while its reader is killed must be asked for again: at most what was in flight.
        assert server.answered.total() <= count * 1.02 + kills * 64
    assert len(finished[0][0]) < len(finished[-1][0])
    assert out.read_bytes() == clean.read_bytes()


def test_kill_9_and_resume_gives_the_same_rows_and_pays_no_finished_call_twice(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, kills=3, count=400)


@pytest.mark.slow
def test_kill_9_at_20_moments(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, kills=20, count=2000)


def test_two_processes_never_pay_for_the_same(tmp_path: Path) -> None:
    """Two shards with one text in two workers cost one call, and both get the same answer."""
    with FaultServer(delay=0.02) as server:
        children = [run_child(server.address, tmp_path / "cache", tmp_path / f"{n}.json", 300, 60) for n in range(2)]
        for child in children:
            child.communicate()
    assert server.answered == Counter({f"item {n}": 1 for n in range(300)})
    assert (tmp_path / "0.json").read_bytes() == (tmp_path / "1.json").read_bytes()


@pytest.mark.parametrize("kind", [kind for kind in PASSING if kind != "empty"])
def test_a_server_that_only_fails_ends_the_build_clearly_and_soon(kind: str) -> None:
    """Hours of waiting for a broken server, or a build of nothing but failures, would pass for work."""
    told = {"timeout": 0.1, "attempts": 2, "start_timeout": 0.2}
    with FaultServer(only=kind) as server, session(server.address, **told) as one:
        started = time.monotonic()
        with pytest.raises(StepFailed, match="calls to the engine died") as caught:
            ask_all(one, ITEMS[:300])
    assert time.monotonic() - started < 20
    assert caught.value.problem.hint.endswith("run again to go on.")


def test_answers_without_a_word_are_rows_missing_with_a_reason_not_a_broken_server() -> None:
    with FaultServer(only="empty") as server, session(server.address) as one:
        made = ask_all(one, ITEMS[:5])
    assert [entry["reason"] for entry in made] == ["empty"] * 5
    assert len(server.asked) == 15


def test_few_dead_calls_do_not_end_a_build_and_each_has_its_reason() -> None:
    with FaultServer(lasting=0.2) as server, session(server.address, max_failed=0.2) as one:
        made = ask_all(one, ITEMS[:300])
        one.verdict()
    assert any(entry.get("reason") == "bad-request" for entry in made)


def test_a_server_that_starts_slowly_is_waited_for() -> None:
    with FaultServer(unavailable=60) as server, session(server.address, attempts=2, start_timeout=30) as one:
        made = ask_all(one, ITEMS[:40])
    assert all("rows" in entry for entry in made)


def test_a_server_that_is_not_there_is_told_by_name() -> None:
    with FaultServer() as gone:
        address = gone.address
    died = r"calls to the engine died \(\d+ unreachable\)"
    with session(address, attempts=2, start_timeout=0.1) as one, pytest.raises(StepFailed, match=died) as caught:
        ask_all(one, ITEMS[:50])
    assert "engine.address" in caught.value.problem.hint


def test_fewer_calls_at_a_time_while_a_server_is_overloaded_and_more_when_it_recovers() -> None:
    limiter = Limiter(100)

    async def walk() -> list[float]:
        seen = [limiter.limit]
        for _ in range(200):
            async with limiter.slot():
                limiter.succeeded()
        seen.append(limiter.limit)
        async with limiter.slot() as first, limiter.slot() as second:
            limiter.overloaded(first)
            limiter.overloaded(second)  # under way together: one reason, one step down
        seen.append(limiter.limit)
        for _ in range(100):
            async with limiter.slot():
                limiter.succeeded()
        return [*seen, limiter.limit]

    start, grown, shrunk, again = asyncio.run(walk())
    assert (start, grown) == (16, 100)
    assert shrunk == pytest.approx(70)
    assert 71 < again < 72


def test_calls_of_an_earlier_chunk_go_first() -> None:
    """Otherwise the checkers of a chunk wait behind the writers of all others, and its prefix is cold."""
    limiter = Limiter(1)
    order: list[int] = []

    async def one(turn: int) -> None:
        TURN.set(turn)
        async with limiter.slot():
            order.append(turn)
            await asyncio.sleep(0)

    async def all_of_them() -> None:
        await asyncio.gather(*(asyncio.create_task(one(turn)) for turn in (0, 3, 1, 2)))

    asyncio.run(all_of_them())
    assert order == [0, 1, 2, 3]


def test_a_waiting_call_that_is_cancelled_gives_its_place_back() -> None:
    limiter = Limiter(1)

    async def walk() -> int:
        async def one() -> None:
            async with limiter.slot():
                await asyncio.sleep(0.01)

        tasks = [asyncio.create_task(one()) for _ in range(20)]
        await asyncio.sleep(0.005)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return limiter.active

    assert asyncio.run(walk()) == 0


def test_what_a_status_means() -> None:
    def kind(status: int, message: str = "", **headers: str) -> str:
        return of_status(status, headers, json.dumps({"error": {"message": message, "code": ""}}).encode()).kind

    assert [kind(status) for status in (401, 403, 404, 408, 429, 500, 503, 529)] == [
        "denied", "denied", "denied", "timeout", "overloaded", "server", "server", "overloaded",
    ]  # fmt: skip
    assert kind(429, "You exceeded your current quota") == "denied"
    assert kind(400, "This model's maximum context length is 10 tokens") == "context"
    assert kind(413) == "context"
    assert kind(400, "flagged by content_filter") == "refused"
    assert kind(400, "unknown field") == "bad-request"
    assert of_status(400, {}, b"\xff not json").kind == "bad-request"
    assert retry_after({"retry-after": "2.5"}) == 2.5
    assert retry_after({"retry-after": "99999999"}) == 300
    assert retry_after({"retry-after": "nan"}) is None
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({"retry-after": "Mon, 01 Jan 2001 00:00:00 GMT"}) == 0


KEY = "sk-very-secret-0123456789"


def test_the_key_is_in_no_file_no_error_and_no_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A key that reaches a cache or a log is on every disk that a build is copied to."""
    caplog.set_level("DEBUG")
    monkeypatch.setenv("SOME_KEY", KEY)
    told = {"kind": "endpoint", "model": "scripted", "key_env": "SOME_KEY", "timeout": 1}
    said = ""
    with FaultServer(key=KEY, passing=0.3, lasting=0.1) as server:
        settings = EngineSettings.model_validate({**told, "address": server.address})
        ctx = context(tmp_path)
        with opened(settings, ctx) as one:
            ask_all(one, ITEMS[:100])
        said += json.dumps([ctx.counts, ctx.paid, settings.model_dump(), settings.identity_json()])
    with FaultServer(key="another") as server, pytest.raises(StepFailed) as caught:  # noqa: SIM117
        with opened(EngineSettings.model_validate({**told, "address": server.address}), context(None)) as one:
            ask_all(one, ITEMS[:3])
    said += str(caught.value) + repr(caught.value) + caplog.text
    assert "does not accept the key in SOME_KEY" in said
    assert KEY not in said
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    monkeypatch.delenv("SOME_KEY")
    with pytest.raises(StepFailed, match="SOME_KEY, which holds the endpoint's key, is not set"):  # noqa: SIM117
        with opened(EngineSettings.model_validate({**told, "address": "http://127.0.0.1:9"}), context(None)) as one:
            ask_all(one, ITEMS[:3])


def test_counts_are_those_of_a_clean_run_whatever_was_paid_before(tmp_path: Path) -> None:
    """Figures that depend on kills would make the manifest of a resumed build another one."""
    settings = {"kind": "endpoint", "model": "scripted", "timeout": 1}
    with FaultServer() as server:
        told = EngineSettings.model_validate({**settings, "address": server.address})
        first, second = context(tmp_path), context(tmp_path)
        for ctx, items in ((context(tmp_path), ITEMS[:30]), (first, ITEMS[:50]), (second, ITEMS[:50])):
            with opened(told, ctx) as one:
                ask_all(one, items)
    assert first.counts == second.counts
    assert first.counts["s"]["calls"] == 50
    assert (first.paid["calls"], first.paid["cached"]) == (20, 30)
    assert second.paid == {"cached": 50}


def test_trap_2_checkpoint_keyed_by_path_and_model_not_by_content_prompt_or_threshold(tmp_path: Path) -> None:
    with FaultServer() as server, session(server.address, ResponseCache(tmp_path)) as one:
        base = request("item 1")
        others = [
            replace(base, messages=(Message("user", "item 2"),)),
            replace(base, messages=(Message("system", "Be brief."), *base.messages)),
            replace(base, sampling=Sampling(0.5)),
            replace(base, schema={"type": "object"}),
            replace(base, seed=9),
        ]
        for asked in (base, *others, base):
            one.run(one.ask(asked)).result()
    assert len(server.asked) == 1 + len(others)


def test_trap_3_batch_written_before_its_marker_doubles_rows(tmp_path: Path) -> None:
    """An answer is its own marker: half of one is none, and a whole one is never asked for again."""
    with FaultServer() as server:
        with session(server.address, ResponseCache(tmp_path)) as one:
            clean = ask_all(one, ITEMS[:40])
        (segment,) = tmp_path.glob("*.log")
        for cut in (1, 7, 50):
            segment.write_bytes(segment.read_bytes()[:-cut])
        before = len(server.asked)
        with session(server.address, ResponseCache(tmp_path)) as two:
            again = ask_all(two, ITEMS[:40])
    assert again == clean
    assert 1 <= len(server.asked) - before <= 3


def test_trap_4_old_config_batches_survive_a_config_change(tmp_path: Path) -> None:
    with FaultServer() as server:
        for temperature in (0.0, 0.9):
            with session(server.address, ResponseCache(tmp_path)) as one:
                asked = [replace(request(item), sampling=Sampling(temperature)) for item in ITEMS[:20]]
                for each in asked:
                    one.run(one.ask(each)).result()
    assert [body["temperature"] for body in server.bodies] == [0.0] * 20 + [0.9] * 20


def test_trap_5_fingerprint_of_the_whole_dataset_makes_any_edit_a_full_miss(tmp_path: Path) -> None:
    with FaultServer() as server:
        for items in (ITEMS[:100], [*ITEMS[:50], "an edited item", *ITEMS[51:100]]):
            with session(server.address, ResponseCache(tmp_path)) as one:
                ask_all(one, items)
    assert len(server.asked) == 101


def test_trap_14_parallel_loop_that_is_serial() -> None:
    with FaultServer(delay=0.5) as server, session(server.address, timeout=60) as one:
        ask_all(one, ITEMS[:300])
    assert server.peak >= 48


def test_trap_15_one_exception_cancels_the_gather() -> None:
    with FaultServer(lasting=0.3) as server, session(server.address, max_failed=1) as one:

        async def several(item: str) -> list[GenerationResponse]:
            return await asyncio.gather(*(one.ask(request(f"{item} {n}")) for n in range(10)))

        (found,) = in_order(one, several, ["gathered"])
    assert len(found) == 10
    assert 1 <= sum(response.finish == "error" for response in found) < 10


def test_trap_16_failed_parse_drops_the_row_unseen() -> None:
    with FaultServer(only="not-json") as server:
        ctx = context(None)
        settings = EngineSettings(kind="endpoint", model="scripted", address=server.address, attempts=2, max_failed=1)
        with pytest.raises(StepFailed, match=r"3 of 3 calls to the engine died \(3 damaged\)"):  # noqa: SIM117
            with opened(settings, ctx) as one:
                made = ask_all(one, ITEMS[:3])
    assert [entry["reason"] for entry in made] == ["damaged"] * 3
    assert ctx.counts["s"] == {"calls": 3, "failed.damaged": 3}


def test_trap_24_azure_only_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any server, any variable's name, and none at all for a server of one's own."""
    for variable, key in (("", ""), ("OPENAI_API_KEY", "a"), ("OUR_GATEWAY_TOKEN", "b")):
        if variable:
            monkeypatch.setenv(variable, key)
        with FaultServer(key=key) as server, session(server.address, key_env=variable) as one:
            assert "rows" in ask_all(one, ITEMS[:1])[0]


def test_a_defect_of_a_writer_ends_the_walk_and_leaves_nothing_running() -> None:
    with FaultServer(delay=0.2) as server, session(server.address, timeout=10) as one:

        async def work(item: str) -> None:
            await one.ask(request(item))
            raise KeyError("a defect")

        with pytest.raises(KeyError):
            list(in_order(one, work, ITEMS[:20]))


def test_more_fields_and_fields_left_out_reach_the_server() -> None:
    with FaultServer() as server:
        one = session(
            server.address, options={"reasoning_effort": "low", "max_tokens": None, "max_completion_tokens": 5}
        )
        ask_all(one, ITEMS[:1])
        one.close()
    (body,) = server.bodies
    assert (body["reasoning_effort"], body["max_completion_tokens"]) == ("low", 5)
    assert "max_tokens" not in body
    assert body["response_format"]["json_schema"]["schema"] == {"type": "array", "items": {"type": "object"}}


def test_a_session_without_a_server_answers_by_rules_and_says_what_they_cannot(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    with pytest.raises(StepFailed, match="1 of 1 calls to the engine died"), opened(EngineSettings(), ctx) as one:
        one.run(one.ask(GenerationRequest("poem", (Message("user", "x"),)))).result()
    assert ctx.counts["s"] == {"calls": 1, "failed.unsupported": 1}


def test_a_session_that_asked_nothing_reaches_for_no_server() -> None:
    with opened(EngineSettings(kind="endpoint", model="m", address="http://127.0.0.1:9/v1"), context(None)) as one:
        assert one.paid == {}
