"""Rewrites a regular expression for RE2: into one that matches at least where it does, or into the same one."""

from __future__ import annotations

import re
from typing import NamedTuple

_BEYOND = r"\x{80}-\x{10FFFF}"
# What each class may match in Unicode text, wide; RE2's own are ASCII.
_WIDE = {
    "w": f"0-9A-Za-z_{_BEYOND}",
    "d": f"0-9{_BEYOND}",
    "s": rf"\t\n\x0b\f\r\x1c-\x1f {_BEYOND}",
    "W": rf"\x00-/:-@\[-\^`{{-\x7f{_BEYOND}",
    "D": rf"\x00-/:-\x7f{_BEYOND}",
    "S": rf"\x00-\x08\x0e-\x1b!-\x7f{_BEYOND}",
}
_NARROW = {"w": r"\w", "d": r"\d", "s": r"\t\n\x0b\f\r\x1c-\x1f ", "W": r"\W", "D": r"\D", "S": r"\S"}
# Letters that fold to ASCII ones, and those: the long s, the Kelvin sign, the Turkish i with and without a dot.
_FOLDING = "iIkKsS"
_FOLDED = r"\x{17f}\x{212a}\x{130}\x{131}"
# Letters of a case in ASCII text.
_CASES = {"L": "A-Za-z", "Lu": "A-Z", "Ll": "a-z"}
_EVERYTHING = r"\x00-\x{10FFFF}"
_WHITE = frozenset(" \t\r\n")
_SIMPLE_ESCAPES = "ntrfva"
_QUANTIFIER = re.compile(r"\{(\d*)(?:(,)(\d*))?\}")
# Counted repeats make an automaton large and, in a pattern that may match too often, add nothing.
_MOST_REPEATS = 16


class Unsupported(ValueError):
    """An expression holds something that the rewriting does not know."""


def superset(pattern: str, *, ascii_text: bool, multiline: bool, dotall: bool, ignorecase: bool) -> str:
    """A pattern in RE2's syntax that matches in every text in which `pattern` (syntax of the `regex` module) does;
    with `ascii_text`, in every ASCII text.

    The same holds for every text that has such a text in it, between its ends or white space. Look-arounds and anchors
    go and repeats lose their upper limits; beyond ASCII also word boundaries go, and classes are widened to all that
    they may mean. Raises Unsupported where that cannot be told.
    """
    return _Rewriting(pattern, exact=False, narrow=ascii_text).flagged(multiline, dotall, ignorecase)


class OnAscii(NamedTuple):
    """A pattern for RE2 with the same matches in ASCII text without control characters."""

    pattern: str
    crosses_blanks: bool
    crosses_lines: bool


def same_on_ascii(pattern: str, *, multiline: bool, dotall: bool, ignorecase: bool) -> OnAscii:
    """The pattern without capturing groups in RE2's syntax, and whether a match may hold a blank, tab or line end.

    Raises Unsupported for look-arounds, back-references and all else that RE2 lacks or reads in another way.
    """
    rewriting = _Rewriting(pattern, exact=True, narrow=True)
    made = rewriting.flagged(multiline, dotall, ignorecase)
    return OnAscii(made, bool(rewriting.white), bool(rewriting.white & set("\r\n")))


class _Rewriting:
    def __init__(self, pattern: str, *, exact: bool, narrow: bool) -> None:
        self._pattern = pattern
        self._exact = exact
        # Word boundaries and classes mean what they mean in ASCII.
        self._narrow = narrow
        self._classes = _WIDE
        if narrow:
            self._classes = {c: "\\" + c for c in _WIDE} if exact else _NARROW
        self._groups: list[tuple[int, int]] = []
        self._open: list[int | None] = []
        self._at = 0
        self._out: list[str] = []
        self._case = False
        # White space that a match may hold. A pattern with anchors may see line ends that it does not hold.
        self.white: set[str] = set()

    def flagged(self, multiline: bool, dotall: bool, ignorecase: bool) -> str:
        """The rewritten pattern with its flags in front."""
        self._multiline = multiline
        self._run()
        flags = "m" * multiline + "s" * dotall + "i" * (ignorecase or self._case)
        made = "".join(self._out)
        return f"(?{flags}:{made})" if flags else made

    def _peek(self, n: int = 1) -> str:
        return self._pattern[self._at : self._at + n]

    def _take(self, n: int = 1) -> str:
        taken = self._peek(n)
        if len(taken) < n:
            raise Unsupported("ends early")
        self._at += n
        return taken

    def _run(self) -> None:
        while self._at < len(self._pattern):
            character = self._take()
            if character == "\\":
                self._escape()
            elif character == "[":
                self._class()
            elif character == "(":
                self._group()
            elif character == ")":
                self._close()
            elif character in "*+?{":
                self._repeat(character)
            elif character in "^$":
                self._anchor(character)
            else:
                self._literal(character)

    def _anchor(self, character: str) -> None:
        # A superset goes without: it is asked about a text of which the original may see only a part.
        if self._exact:
            if not self._multiline:
                raise Unsupported("anchor")
            self.white |= _WHITE
            self._out.append(character)
        elif self._peek() in tuple("*+?{"):
            raise Unsupported("repeated anchor")

    def _literal(self, character: str) -> None:
        if self._exact and not character.isascii():
            raise Unsupported("beyond ASCII")
        if character.isascii() and (self._narrow or character not in _FOLDING):
            self.white |= _WHITE if character == "." else _WHITE & {character}
            self._out.append(character)
        elif character.isascii():
            self._out.append(f"[{character}{_FOLDED}]")
        else:
            self._out.append(f"[{_BEYOND}{_FOLDING}]")

    def _zero_width(self, dropped: str) -> None:
        if self._exact and dropped not in ("\\b", "\\B"):
            raise Unsupported(dropped)
        if self._exact or (self._narrow and dropped == "\\b"):
            self._out.append(dropped)
        elif self._peek() in tuple("*+?{"):
            raise Unsupported("repeated look-around")

    def _escape(self) -> None:
        character = self._take()
        if character in "bBAZz":
            self._zero_width("\\" + character)
        elif character in _WIDE:
            self.white |= _WHITE if character in "sWD" else set()
            self._out.append(f"[{self._classes[character]}]")
        elif character in "pP":
            self._out.append(f"[{self._property(character)}]")
        elif character == "x":
            self._literal_escape(int(self._take(2), 16))
        elif character in _SIMPLE_ESCAPES:
            self.white |= _WHITE
            self._out.append("\\" + character)
        elif character in "123456789" and not self._exact and not self._peek().isdigit():
            self._again(int(character))
        elif character.isalnum():
            raise Unsupported(character)
        elif character.isascii():
            self.white |= _WHITE & {character}
            self._out.append("\\" + character)
        else:
            self._literal(character)

    def _again(self, number: int) -> None:
        """In place of what a group has matched, all that it can match."""
        if number > len(self._groups) or self._groups[number - 1][1] < 0:
            raise Unsupported("reference to an open group")
        start, end = self._groups[number - 1]
        # A group that took no part makes the reference fail: allowing it nothing at all is wide enough.
        self._out.append("(?i:(?:" + "".join(self._out[start:end]) + ")?)")

    def _literal_escape(self, code: int) -> None:
        if code > 0x7F or chr(code) in _FOLDING:
            self._literal(chr(code))
        else:
            self.white |= _WHITE & {chr(code)}
            self._out.append(rf"\x{code:02x}")

    def _property(self, sign: str) -> str:
        match = re.match(r"\{(\^?)(\w+)\}|\w", self._pattern[self._at :])
        if match is None or self._exact:
            raise Unsupported("property")
        self._at += match.end()
        name = match[2] or match[0]
        if sign == "P" or match[1]:
            return _EVERYTHING
        if name in ("M", "Mn", "Mc", "Me"):
            return _BEYOND
        if self._narrow and name in _CASES:
            # Where case does not matter, RE2 adds the other one.
            return _CASES[name]
        return f"A-Za-z{_BEYOND}" if name in ("L", "Lu", "Ll", "Lt", "Lo", "Lm") else _EVERYTHING

    def _class(self) -> None:
        negated = self._peek() == "^"
        self._at += negated
        members: list[str] = []
        wide = False
        first = True
        while first or self._peek() != "]":
            first = False
            character = self._take()
            if character == "[" and self._peek() in tuple(":.="):
                raise Unsupported("named class")
            member, folds = self._member(character, negated)
            if self._peek() == "-" and self._peek(2)[1:] not in ("", "]"):
                self._at += 1
                upper, _ = self._member(self._take(), negated)
                if not (_is_one(member) and _is_one(upper)):
                    raise Unsupported("range")
                member, folds = f"{member}-{upper}", True
            members.append(member)
            wide = wide or folds
        self._at += 1
        if self._exact:
            self._see("".join(members), negated)
        if negated:
            if not any(members):
                raise Unsupported("empty class")
            self._out.append("[^" + "".join(members) + "]")
        else:
            self._out.append("[" + "".join(members) + (_FOLDED if wide and not self._narrow else "") + "]")

    def _see(self, members: str, negated: bool) -> None:
        # Rewritten exactly, a class reads the same here.
        inside = re.compile(f"[{'^' * negated}{members}]")
        self.white |= {character for character in _WHITE if inside.match(character)}

    def _member(self, character: str, negated: bool) -> tuple[str, bool]:
        """A member in RE2's syntax and whether it may fold to a letter beyond ASCII; what a negated class shuts out
        must never be more than in the original.
        """
        if character != "\\":
            return self._plain_member(character, negated)
        escaped = self._take()
        if escaped in _WIDE:
            if self._exact or not negated:
                return self._classes[escaped], False
            # Negated, RE2's narrow classes shut out less. Its `\S` and the like are wider: not used in a negation.
            if negated and escaped in "WDS":
                raise Unsupported("negated complement")
            return "\\" + escaped, False
        if escaped in "pP":
            if negated:
                self._property(escaped)
                raise Unsupported("negated property")
            return self._property(escaped), False
        if escaped == "x":
            return self._plain_member(chr(int(self._take(2), 16)), negated)
        if escaped == "b":
            return r"\x08", False
        if escaped in _SIMPLE_ESCAPES:
            return "\\" + escaped, False
        if escaped.isalnum():
            raise Unsupported(escaped)
        return self._plain_member(escaped, negated)

    def _plain_member(self, character: str, negated: bool) -> tuple[str, bool]:
        if character.isascii():
            made = character if character.isalnum() else rf"\x{ord(character):02x}"
            return made, character in _FOLDING
        if self._exact:
            raise Unsupported("beyond ASCII")
        return ("", False) if negated else (_BEYOND + _FOLDING, False)

    def _group(self) -> None:
        if self._peek() != "?":
            self._capture()
            return
        for opening in ("?:", "?>"):
            if self._peek(2) == opening:
                if opening == "?>" and self._exact:
                    raise Unsupported("atomic group")
                self._at += 2
                self._open.append(None)
                self._out.append("(?:")
                return
        for opening in ("?=", "?!", "?<=", "?<!"):
            if self._peek(len(opening)) == opening:
                if self._exact:
                    raise Unsupported("look-around")
                self._skip_group()
                self._zero_width("")
                return
        named = re.compile(r"\?P?<\w+>").match(self._pattern, self._at)
        if named:
            self._at = named.end()
            self._capture()
            return
        flags = re.compile(r"\?([ims]+)([:)])").match(self._pattern, self._at)
        if flags is None:
            raise Unsupported("group")
        if flags[2] == ")":
            if self._out or flags[1] != "i":
                raise Unsupported("flags")
            self._case = True
        else:
            self._open.append(None)
            self._out.append(f"(?{flags[1]}:")
        self._at = flags.end()

    def _capture(self) -> None:
        self._open.append(len(self._groups))
        self._groups.append((len(self._out), -1))
        self._out.append("(?:")

    def _close(self) -> None:
        if not self._open:
            raise Unsupported("closes nothing")
        number = self._open.pop()
        self._out.append(")")
        if number is not None:
            self._groups[number] = (self._groups[number][0], len(self._out))

    def _skip_group(self) -> None:
        """Leaves the position behind the parenthesis that closes the group it stands in."""
        depth = 1
        while depth:
            character = self._take()
            if character == "\\":
                self._take()
            elif character == "[":
                self._at += self._peek() == "^"
                self._at += self._peek() == "]"
                while (inner := self._take()) != "]":
                    if inner == "\\":
                        self._take()
            else:
                depth += (character == "(") - (character == ")")

    def _repeat(self, character: str) -> None:
        made = character
        if character == "{":
            match = _QUANTIFIER.match(self._pattern, self._at - 1)
            if match is None or not (match[1] or match[3]):
                raise Unsupported("brace")
            self._at = match.end()
            made = match[0]
            if not self._exact:
                least = int(match[1] or 0)
                most = int(match[3]) if match[3] else least if not match[2] else None
                if most is None or most > _MOST_REPEATS:
                    made = f"{{{min(least, _MOST_REPEATS)},}}"
            elif not match[1]:
                raise Unsupported("brace")
        following = self._peek()
        if following == "+":
            if self._exact:
                raise Unsupported("possessive")
            self._at += 1
        elif following == "?":
            self._at += 1
            made += "?" if self._exact else ""
        self._out.append(made)


def _is_one(member: str) -> bool:
    return len(member) == 1 or bool(re.fullmatch(r"\\x[0-9a-f]{2}", member))
