"""Rules are run only where their forms can be: no finding may be lost by what is asked before."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from corpusforge.curate.redaction.addresses import address_rules
from corpusforge.curate.redaction.names import NAME_RULES
from corpusforge.curate.redaction.rules import compiled, gate_of
from corpusforge.curate.redaction.searching import _OF_TEXTS, _RULES
from corpusforge.curate.redaction.sheets import able_rules, reached
from corpusforge.curate.redaction.telephones import PHONE_RULES

RULES = (*_RULES, *_OF_TEXTS, *NAME_RULES, *PHONE_RULES, *address_rules())
PIECES = [
    "Anna Kowalska", "ANNA", "ж Ж", "here", " speaking", "Acme Ltd", " is a ", "company", "x", "12", "4567 ", "AB 123456",
    "h4x0r_9", "\n", "\n\n", " ", "  ", ".", "!", "my password is ", "Kundennummer: ", "order number ", "_passport ",
    "passport no. ", "C01X00T47", "account ", "0", "(650) 253-0000", "+44 20 7946 0958", "650 253 0000", "(", ")", "-",
    "DE89 3704 0044 0532 0130 00", "nick", " [~a@host.example]", " has quit", "Bob Lee <bob@", "a@b.example", "日本",
    "&#64;", "%40", "01/02/2003", "3.4.55", "1 2 3 4 5 6", "12 Main Street", "ok ", "yes 123456", "Hello ", "I'm ",
    "engineer", "worked as ", "sincerely", "regards,", "apt 5", "\u017f", "\u212a", "two three four five six seven eight",
]  # fmt: skip


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=9).map("".join), min_size=1, max_size=6, unique=True))
@example(["AB 123456", "x", "123 456 789"])
@example(["my password is h4x0r_9", "_passport no. C01X00T47", "Anna Kowalska has quit"])
@settings(max_examples=300, deadline=None)
def test_a_rule_that_finds_something_is_asked(texts: list[str]) -> None:
    """Whatever texts lie beside a text: a form that it lost is personal data that stays."""
    able = able_rules(texts, RULES)
    for text in texts:
        asked = set(map(id, able[text]))
        for rule in RULES:
            if id(rule) in asked or (rule.longest and len(text) > rule.longest):
                continue
            pattern = compiled(rule.pattern, rule.cased)
            group = "v" if "v" in pattern.groupindex else 0
            for match in pattern.finditer(text):
                start, end = match.span(group)
                digits = sum(c.isdecimal() for c in text)
                counts = start < end and (rule.check is None or rule.check(text, start, end))
                assert not (counts and digits >= rule.digits and _worth(rule.name, match)), (rule.name, text)


def _worth(name: str, match: object) -> bool:
    """Telephone shapes with fewer than six digits are none."""
    return name != "phone-shape" or sum(c.isdecimal() for c in match["v"]) >= 6  # type: ignore[index]


def test_a_text_that_a_match_only_touches_is_named_too() -> None:
    """A match that reaches into the next text may hide one there."""
    (rule,) = (rule for rule in RULES if rule.name == "iban")
    texts = ["DE89 3704 0044", "0532 0130 00", "nothing"]
    assert reached(texts, gate_of(rule).possible) == {"DE89 3704 0044", "0532 0130 00"}
