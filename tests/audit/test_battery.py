"""An audit proves as much as its battery: forms that were never tried are leaks that nobody counts."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from corpusforge.audit import contacts, identity_numbers, payment
from corpusforge.audit.battery import STRUCTURED, battery, chosen
from corpusforge.audit.canary import Known, make_canary, squeezed
from corpusforge.audit.draw import Draw
from corpusforge.audit.surfaces import DISGUISED


def test_the_battery_has_many_distinct_forms_of_every_kind() -> None:
    forms = battery()
    assert len({form.label for form in forms}) == len(forms) >= 400
    kinds = Counter(form.kind for form in forms)
    assert {*STRUCTURED, "name", "address", "password", "username", "hostmask", "order-id", "passport"} <= set(kinds)
    assert min(kinds.values()) >= 5
    assert {"start", "middle", "end", "turn", "turns", "title", "speaker", "meta"} == {f.position for f in forms}
    assert len({form.language for form in forms}) >= 10
    assert {form.surface for form in forms} >= set(DISGUISED)


@pytest.mark.parametrize("n", [30, 60, 200])
def test_a_small_audit_still_has_every_kind(n: int) -> None:
    """Sixty values within a build must not all be e-mail addresses."""
    assert {form.kind for form in chosen(n, 17)} == {form.kind for form in battery()}
    assert len({form.label for form in chosen(n, 17)}) == n


def test_every_form_gives_a_value_that_is_the_same_on_every_machine() -> None:
    for number, form in enumerate(battery()):
        first, again = (make_canary(number, form, Draw("x", form.label), Known(), "") for _ in range(2))
        assert first is not None, form.label
        assert first == again
        assert first.anywhere or first.own
        assert all(squeezed(needle) == needle for needle in (*first.anywhere, *first.own))


def test_values_are_not_reused_and_do_not_stand_in_the_corpus() -> None:
    """A value that the corpus has already would be found again whatever redaction does."""
    form = next(form for form in battery() if form.kind == "email")
    first = make_canary(0, form, Draw("a"), Known(), "")
    assert first is not None
    second = make_canary(0, form, Draw("a"), Known(first.whole[0]), "")
    before = Known()
    before.add(first)
    third = make_canary(0, form, Draw("a"), before, "")
    assert second is not None
    assert third is not None
    assert first.whole != second.whole == third.whole


@pytest.mark.parametrize("brand", payment.CARDS)
def test_cards_have_the_length_and_check_digit_of_their_network(brand: str) -> None:
    number = payment.card(brand)(Draw(brand)).text.replace(" ", "")
    doubled = [int(d) if i % 2 == 0 else sum(divmod(2 * int(d), 10)) for i, d in enumerate(reversed(number))]
    assert sum(doubled) % 10 == 0
    assert len(number) == payment.CARDS[brand][1]


@pytest.mark.parametrize("country", payment.IBANS)
def test_ibans_are_valid(country: str) -> None:
    tight = payment.iban(country)(Draw(country)).text.replace(" ", "")
    assert int("".join(str(int(c, 36)) for c in tight[4:] + tight[:4])) % 97 == 1


@pytest.mark.parametrize("region", contacts.PHONES)
def test_phone_numbers_are_numbers_that_somebody_could_have(region: str) -> None:
    import phonenumbers

    abroad = contacts.PHONES[region][0]
    drawn = [contacts.phone(abroad)(Draw(region, str(i))).text for i in range(10)]
    assert sum(phonenumbers.is_possible_number(phonenumbers.parse(number)) for number in drawn) == 10
    assert sum(phonenumbers.is_valid_number(phonenumbers.parse(number)) for number in drawn) >= 8


def test_national_ids_pass_the_tests_of_their_countries() -> None:
    """Known numbers from the authorities' own pages give the check digits that the makers compute."""
    dni = identity_numbers.es_dni(Draw("dni")).text
    assert dni[-1] == "TRWAGMYFPDXBNJZSQVHLCKE"[int(dni[:-1]) % 23]
    nir = re.sub(r"\D", "", identity_numbers.fr_nir(Draw("nir")).text)
    assert (int(nir[:-2]) + int(nir[-2:])) % 97 == 0
    bsn = identity_numbers.nl_bsn(Draw("bsn")).text
    assert sum(int(d) * w for d, w in zip(bsn, (9, 8, 7, 6, 5, 4, 3, 2, -1), strict=True)) % 11 == 0
    pesel = identity_numbers.pl_pesel(Draw("pesel")).text
    assert sum(int(d) * w for d, w in zip(pesel, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1), strict=True)) % 10 == 0
    resident = identity_numbers.cn_resident(Draw("cn")).text
    total = sum((10 if c == "X" else int(c)) * 2 ** (17 - i) for i, c in enumerate(resident))
    assert total % 11 == 1


def test_what_stands_around_a_value_is_no_part_of_it() -> None:
    """`1234, and that is all`: the words left behind by a redaction that did its work would be told as a leak."""
    words = {"that", "andthatisall", "none", "writetome", "openit", "write", "open", "note", "field", "case"}
    for number, form in enumerate(battery()):
        made = make_canary(number, form, Draw("around", form.label), Known(), "")
        assert made is not None
        assert not words.intersection((*made.whole, *made.anywhere, *made.own)), form.label


def test_no_value_is_one_that_redaction_may_keep() -> None:
    """Example hosts, documentation networks and 555 numbers stay in docs by design: planted, they would be no leak."""
    for form in battery():
        text = form.make(Draw("reserved", form.label)).text
        assert not re.search(r"example\.|192\.0\.2\.|198\.51\.100|203\.0\.113|2001:db8|555-?01\d\d", text), form.label
