"""`--write` keeps a user's recipe as the user wrote it: only the value that was asked for changes, or nothing does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusforge.errors import Problems, UsageError
from corpusforge.yaml_edit import edited, write_changes
from corpusforge.yaml_file import Change, Location, parse_yaml

PATH = Path("recipe.yaml")
KEYS = ("domain", "public", "tokens", "max_epochs", "share", "gnome-help", "qa", "reading")
VALUES = ("2%", "2B", "4x", "rest", "all", 4, 2.5, True, "4 epochs", "no", "1e3", "a: b", "# no", "'", "2:30", "")


def change(dotted: str, value: Any) -> Change:
    return Change(tuple(dotted.split(".")), value, f"--set {dotted}={value}")


def after(text: str, dotted: str, value: Any) -> str:
    return edited(text.encode(), [change(dotted, value)], PATH).decode()


@pytest.mark.parametrize(
    ("text", "key", "value", "expected"),
    [
        ("mix: {domain: 2%} # why\n", "mix.domain", "3%", "mix: {domain: 3%} # why\n"),
        ("mix:\n  domain: '2%'   # why\n", "mix.domain", "3%", "mix:\n  domain: '3%'   # why\n"),
        ('mix:\n  domain: "2%"\n', "mix.domain", "3%", 'mix:\n  domain: "3%"\n'),
        ("mix: {a: 1}\n", "mix.b", "rest", "mix: {a: 1, b: rest}\n"),
        ("mix: {}\n", "mix.b", "rest", "mix: {b: rest}\n"),
        ("mix: {a: 1}\n", "mix.b.c", "rest", "mix: {a: 1, b: {c: rest}}\n"),
        ("mix:\n  a: 1  # one\n\n# end\nrun: {}\n", "mix.b", 2, "mix:\n  a: 1  # one\n  b: 2\n\n# end\nrun: {}\n"),
        ("mix:\n    a:\n      c: 1\n# end\n", "mix.b", 2, "mix:\n    a:\n      c: 1\n    b: 2\n# end\n"),
        ("mix:\n  a:\n  - 1\n", "mix.b", 2, "mix:\n  a:\n  - 1\n  b: 2\n"),
        (
            "mix: {\n  a: 1,  # one\n  b: 2  # two\n}\n",
            "mix.c",
            3,
            "mix: {\n  a: 1,  # one\n  b: 2,  # two\n  c: 3\n}\n",
        ),
        ("mix: {\n  a: 1,  # one\n}\n", "mix.c", 3, "mix: {\n  a: 1,  # one\n  c: 3,\n}\n"),
        ("mix: {a: 1,\n  b: 2}\n", "mix.c", 3, "mix: {a: 1,\n  b: 2, c: 3}\n"),
        ("mix:\r\n  a: 1\r\nrun: {}\r\n", "mix.b", 2, "mix:\r\n  a: 1\r\n  b: 2\r\nrun: {}\r\n"),
        ("mix:\n  a: 1", "mix.b", 2, "mix:\n  a: 1\n  b: 2"),
        ("mix:\n  a: # later\n  c: 1\n", "mix.a", "2%", "mix:\n  a: 2% # later\n  c: 1\n"),
        ("\ufeffmix: {a: 1}\n", "mix.a", 2, "\ufeffmix: {a: 2}\n"),
        ("mix: {a: 2%}\n", "mix.a", "no", 'mix: {a: "no"}\n'),
    ],
)
def test_a_value_is_written_in_the_style_of_its_neighbours(text: str, key: str, value: Any, expected: str) -> None:
    assert after(text, key, value) == expected


RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=[path.stem for path in RECIPES])
@pytest.mark.parametrize(
    "key", ["mix.completion.domain.share", "mix.completion.max_epochs", "mix.packed.length", "seed"]
)
def test_the_recipes_of_the_house_can_all_be_edited_and_one_line_differs(path: Path, key: str) -> None:
    raw = path.read_bytes()
    wanted = change(key, 5 if key == "seed" else "7.5%" if key.endswith("share") else 33)
    new = edited(raw, [wanted], path)
    was, now = raw.decode().splitlines(), new.decode().splitlines()
    assert len(set(now) - set(was)) == 1
    assert told(new.decode()) == told(raw.decode())


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("mix: {a: &x 2%, b: *x}\n", "mix.a"),
        ("mix: {a: &x 2%, b: *x}\n", "mix.b"),
        ("mix: {a: &x {c: 1}, b: *x}\n", "mix.b.c"),
        ("mix: {a: &x {c: 1}, b: *x}\n", "mix.a.c"),
        ("mix: {a: &x {c: 1}, b: *x}\n", "mix.d"),
        ("mix: {a: !!str 2%}\n", "mix.a"),
        ("mix:\n  a: |\n    2%\n", "mix.a"),
        ("mix:\n  a: |\n    2%\n", "mix.b"),
        ("mix:\n  a: {b: 1}\n", "mix.a"),
        ("mix:\n  a: two\n    lines\n", "mix.a"),
        ("mix:\n  a: 2%\n", "mix.a.b"),
        ("mix: {a}\n", "mix.a"),
    ],
)
def test_what_cannot_be_edited_safely_is_refused_and_named(text: str, key: str) -> None:
    with pytest.raises(UsageError, match=r"recipe\.yaml.*by hand"):
        after(text, key, "3%")


@pytest.mark.parametrize("text", ["", "mix:\n  a:\t1\n", "mix: {a: 1}\n---\nb: 2\n", "mix: {a: 1, a: 2}\n", "- a\n"])
def test_a_file_with_mistakes_is_not_written_into(text: str) -> None:
    with pytest.raises(Problems, match=r"recipe\.yaml:\d"):
        after(text, "mix.a", "3%")


def test_a_whole_number_of_any_length_is_written() -> None:
    assert after("mix: {a: 1}\n", "mix.a", 10**30) == f"mix: {{a: {10**30}}}\n"


def test_what_was_saved_since_it_was_read_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text("mix: {a: 2%}\n")
    read = file.read_bytes()
    file.write_text("mix: {a: 4%} # of somebody else\n")
    with pytest.raises(UsageError, match="changed by somebody else"):
        write_changes(file, [change("mix.a", "3%")], read)
    assert file.read_text() == "mix: {a: 4%} # of somebody else\n"
    assert list(tmp_path.iterdir()) == [file]


def test_a_key_that_must_go_is_left_to_its_author() -> None:
    gone = Change(("mix", "profile"), None, "--set mix.domain=3%", gone=True)
    with pytest.raises(UsageError, match=r"mix\.profile.*Remove it by hand"):
        edited(b"mix: {profile: replay}\n", [gone], PATH)


def test_a_write_keeps_the_files_mode_and_follows_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "recipe.yaml"
    real.write_text("mix: {a: 2%}  # why\n")
    real.chmod(0o640)
    link.symlink_to(real)
    write_changes(link, [change("mix.a", "3%")])
    assert link.is_symlink()
    assert real.read_text() == "mix: {a: 3%}  # why\n"
    assert real.stat().st_mode & 0o777 == 0o640
    assert sorted(tmp_path.iterdir()) == sorted([real, link])


comments = st.sampled_from(["", "  # why: {a: 1}", " # 'quoted", "   ", " # –"])
lines = st.sampled_from(["", "# a line", "   # indented: 3", "  "])


@st.composite
def scalars(draw: st.DrawFn) -> str:
    plain = draw(st.sampled_from(["2%", "rest", "all", "4", "2.5", "1_000", "no", "4 epochs"]))
    return draw(st.sampled_from([plain, f"'{plain}'", f'"{plain}"']))


@st.composite
def flow(draw: st.DrawFn, depth: int) -> str:
    keys = draw(st.lists(st.sampled_from(KEYS), min_size=0, max_size=4, unique=True))
    made = []
    for key in keys:
        deeper = depth > 0 and draw(st.booleans())
        made.append(f"{key}: {draw(flow(depth - 1)) if deeper else draw(scalars())}")
    over = bool(keys) and draw(st.booleans())
    if over:
        tails = [draw(comments) for _ in made]
        last = draw(st.sampled_from(["", ","]))
        rows = [
            f"\n          {one}{',' if i < len(made) - 1 else last}{tail}"
            for i, (one, tail) in enumerate(zip(made, tails, strict=True))
        ]
        return "{" + "".join(rows) + "\n        }"
    return "{" + ", ".join(made) + "}"


@st.composite
def block(draw: st.DrawFn, depth: int, indent: int) -> str:
    keys = draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=4, unique=True))
    made = []
    for key in keys:
        before = "".join(f"{line}\n" for line in draw(st.lists(lines, max_size=2)))
        kind = draw(st.sampled_from(["scalar", "flow", "block", "none"] if depth else ["scalar", "none"]))
        head = f"{before}{' ' * indent}{key}:"
        if kind == "block":
            made.append(f"{head}{draw(comments)}\n{draw(block(depth - 1, indent + 2))}")
        else:
            value = {"scalar": f" {draw(scalars())}", "flow": f" {draw(flow(1))}", "none": ""}[kind]
            made.append(f"{head}{value}{draw(comments)}\n")
    return "".join(made)


@st.composite
def recipes(draw: st.DrawFn) -> str:
    text = f"# top\nname: x  # name\nmix:\n{draw(block(2, 2))}# between\n\nrun: {{workers: 2}}  # end\n"
    return text.replace("\n", draw(st.sampled_from(["\n", "\n", "\r\n"])))


def told(text: str) -> list[str]:
    """Every comment of a file, in order."""
    loader = yaml.SafeLoader(text)
    ends = []
    while loader.check_token():
        token = loader.get_token()
        ends.append((token.start_mark.index, token.end_mark.index))
    inside = {i for a, b in ends for i in range(a, b)}
    return [m[0].rstrip() for m in re.finditer(r"#[^\r\n]*", text) if m.start() not in inside]


@settings(deadline=None)
@given(text=recipes(), at=st.lists(st.sampled_from(KEYS), min_size=1, max_size=3), value=st.sampled_from(VALUES))
def test_only_the_intended_value_changes_and_every_comment_survives(text: str, at: list[str], value: Any) -> None:
    location: Location = ("mix", *at)
    wanted = Change(location, value, "--set it")
    before = parse_yaml(text.encode(), PATH)
    assert not before.problems
    before.change([wanted])
    owner: Any = yaml.safe_load(text)
    for key in location:
        owner = owner.get(key, {}) if isinstance(owner, dict) else owner
    possible = not before.problems and (not isinstance(owner, dict) or owner == {})
    try:
        new = edited(text.encode(), [wanted], PATH).decode()
    except UsageError:
        # Refused only where a mapping would be lost or a value become one; `{}` is a mapping too.
        assert not possible or isinstance(owner, dict)
        return
    after = parse_yaml(new.encode(), PATH)
    assert repr(after.value) == repr(before.value)
    assert told(new) == told(text)
    # Every line that was there is there still, but for the one that holds the value.
    was, now = text.splitlines(), new.splitlines()
    assert len([line for line in was if line not in now]) <= 1
    assert edited(new.encode(), [wanted], PATH).decode() == new, "writing it twice changes nothing more"
