"""What a telephone number of a country looks like at least, so that most digits need not be parsed as one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

_TYPES = (
    "premium_rate", "toll_free", "shared_cost", "voip", "personal_number", "pager", "uan", "voicemail", "fixed_line",
    "mobile",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Country:
    """Necessary conditions of `phonenumbers.is_valid_number` for what is parsed in one region.

    `national`, `abroad`: the fewest digits of a number of the region's country code, and of any with its country code;
    `prefix`: how international calls begin; `forms`: the national numbers of all kinds.
    """

    code: str
    national: int
    abroad: int
    prefix: re.Pattern[str]
    stripped: re.Pattern[str] | None
    kept: str
    forms: re.Pattern[str]
    rewrites: bool
    formats: Any

    def may_be_valid(self, digits: str) -> bool:
        """Whether digits alone, without a plus, can be a number here. Follows the library's steps: the international
        prefix, the country code and the national prefix may each be taken off before a form has to fit the whole.
        """
        if len(digits) < self.national and len(digits) < self.abroad:
            return False
        if self.rewrites or self.prefix.match(digits):
            return len(digits) >= min(self.abroad, self.national)
        if len(digits) < self.national:
            return False
        rests = [digits]
        if digits.startswith(self.code):
            rests.append(digits[len(self.code) :])
        elif self.stripped is not None and not self.stripped.match(digits):
            return self.forms.fullmatch(digits) is not None and not self._lacks_prefix(digits)
        for _ in range(3):
            if any(self.forms.fullmatch(rest) for rest in rests):
                return True
            if self.stripped is None:
                break
            matches = [match for rest in rests if (match := self.stripped.match(rest))]
            rests = [rest for match in matches for rest in self._rests(match)]
        return False

    def _lacks_prefix(self, digits: str) -> bool:
        """Whether a number is always written with a national prefix here, which these digits have not."""
        from phonenumbers import phonenumberutil as library

        form = library._choose_formatting_pattern_for_number(self.formats, digits)
        if form is None or form.national_prefix_optional_when_formatting:
            return False
        rule = form.national_prefix_formatting_rule
        return bool(rule) and not library._formatting_rule_has_first_group_only(rule)

    def _rests(self, match: re.Match[str]) -> list[str]:
        rests = [match.string[match.end() :]] if match.end() else []
        if self.kept and match.group(match.re.groups) is not None:
            # A carrier's digits stand between the national prefix and the number.
            rests.append(match.expand(self.kept) + match.string[match.end() :])
        return rests


@cache
def country(region: str) -> Country:
    """The conditions for a region, by its ISO 3166 letters."""
    from phonenumbers import PhoneMetadata
    from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE

    own: Any = PhoneMetadata.metadata_for_region(region)
    national = abroad = 99
    siblings = [own]
    for code, others in COUNTRY_CODE_TO_REGION_CODE.items():
        found: list[Any] = [
            PhoneMetadata.metadata_for_nongeo_region(code)
            if other == "001"
            else PhoneMetadata.metadata_for_region(other)
            for other in others
        ]
        shortest = min(n for metadata in found for n in metadata.general_desc.possible_length if n > 0)
        abroad = min(abroad, len(str(code)) + shortest - _added(found[0]))
        if region in others:
            national = shortest - max(_added(own), _added(found[0]))
            siblings += found
    described = [getattr(metadata, kind) for metadata in siblings for kind in _TYPES]
    forms = sorted({d.national_number_pattern for d in described if d is not None and d.national_number_pattern})
    strips = {(m.national_prefix_for_parsing, m.national_prefix_transform_rule) for m in (own, siblings[1])}
    return Country(
        code=str(own.country_code),
        national=national,
        abroad=abroad,
        prefix=re.compile(own.international_prefix or "(?!)"),
        stripped=re.compile(own.national_prefix_for_parsing) if own.national_prefix_for_parsing else None,
        kept=(own.national_prefix_transform_rule or "").replace("$", "\\"),
        forms=re.compile("|".join(f"(?:{form})" for form in forms)),
        # A rule that puts an area code in front, or siblings that strip in another way, are too seldom to follow.
        formats=siblings[1].number_format,
        rewrites=bool(_added(own) or _added(siblings[1]) or len(strips) > 1),
    )


def _added(metadata: Any) -> int:
    rule = metadata.national_prefix_transform_rule or ""
    return sum(character.isdecimal() for character in re.sub(r"[\\$]\d", "", rule))
