"""What a user would lose if a page that prints its paragraphs twice taught them twice, or if steps were taken for that."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from corpusforge.curate.normalise import Normalise
from corpusforge.curate.paragraph_repeats import without_repeats
from corpusforge.record import Origin, Record
from corpusforge.stage import StageContext

LONG = "A paragraph of more than twenty words that a converter has printed twice, once in the page and once in its summary box."


def normalised(text: str, kind: str = "doc", **settings: object) -> tuple[str, dict[str, dict[str, int]]]:
    ctx = StageContext(settings=Normalise.Settings(**settings), seed=1, sources={})
    (out,) = Normalise().apply([Record("s:1", "s", kind, text, Origin("f", 0, 1))], ctx)  # type: ignore[arg-type]
    assert isinstance(out, Record)
    return out.text, ctx.counts


def test_a_repeated_paragraph_is_kept_once_and_counted() -> None:
    text, counts = normalised(f"# Title\n\n{LONG}\n\nIn between.\n\n{LONG}\n\nThe end.")
    assert text.count(LONG) == 1
    assert text.index(LONG) < text.index("In between")
    assert counts["s"]["repeated-lines"] == 1


def test_it_can_be_switched_off_and_labelled_records_stay() -> None:
    text = f"{LONG}\n\n{LONG}"
    assert normalised(text, repeats=None)[0] == text
    assert normalised(text, kind="labelled")[0] == text


def test_short_steps_code_and_tables_repeat_as_they_should() -> None:
    code = f"```\n{LONG}\n{LONG}\n```"
    steps = "\n".join(
        ["Click Save.", "Wait.", "Click Save.", f"    {LONG}", f"    {LONG}", f"| {LONG} |", f"| {LONG} |"]
    )
    assert without_repeats(f"{code}\n{steps}", 20) == (f"{code}\n{steps}", 0)


@given(st.lists(st.sampled_from([LONG, "short", "", f"{LONG} More.", "```", f"\t{LONG}"]), max_size=12))
def test_every_distinct_line_stays_in_order_and_a_second_run_finds_nothing(lines: list[str]) -> None:
    """Whatever repeats, nothing is lost altogether."""
    out, gone = without_repeats("\n".join(lines), 20)
    assert set(out.split("\n")) == set("\n".join(lines).split("\n"))
    assert len(out.split("\n")) + gone == max(1, len(lines))
    assert without_repeats(out, 20) == (out, 0)
