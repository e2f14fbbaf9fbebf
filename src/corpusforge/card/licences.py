"""What a licence asks, and which licences cannot meet in one published work.

A help for the reviewer, not legal advice. Conditions follow the licence texts at spdx.org/licenses; compatibility
follows creativecommons.org/compatiblelicenses and gnu.org/licenses/license-list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

GPL2, GPL2_LATER, GPL3, GPL3_LATER, AGPL3 = (
    "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later", "AGPL-3.0-only",
)  # fmt: skip
_GPL3_FAMILY = frozenset({GPL3, GPL3_LATER})
_BY_SA = ("CC-BY-SA-2.0", "CC-BY-SA-2.5", "CC-BY-SA-3.0", "CC-BY-SA-4.0")
_NC = ("CC-BY-NC-2.0", "CC-BY-NC-3.0", "CC-BY-NC-4.0")
_NC_SA = ("CC-BY-NC-SA-2.0", "CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0")
_EVERYTHING = frozenset(
    {
        GPL2, GPL2_LATER, GPL3, GPL3_LATER, AGPL3, *_BY_SA, *_NC, *_NC_SA, "LGPL-2.1-or-later", "LGPL-3.0-only",
        "GFDL-1.3-or-later", "ODbL-1.0", "CDLA-Sharing-1.0", "MPL-2.0", "proprietary", "permissive",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Licence:
    """One licence. `outbound` are the licences under which a work that mixes it in may be passed on."""

    id: str
    name: str
    attribution: bool = True
    share_alike: bool = False
    non_commercial: bool = False
    no_derivatives: bool = False
    copyleft: bool = False
    private: bool = False
    outbound: frozenset[str] = _EVERYTHING

    def conditions(self) -> list[str]:
        """What it asks of whoever passes the data on, in words."""
        words = [
            (self.attribution, "name the authors"),
            (self.share_alike, "share adaptations alike"),
            (self.copyleft, "pass on under the same licence, with sources"),
            (self.non_commercial, "no commercial use"),
            (self.no_derivatives, "no adapted copies"),
            (self.private, "inside the owner's permission only"),
        ]
        return [text for holds, text in words if holds] or ["none"]


def _table() -> dict[str, Licence]:
    rows = [
        Licence("public-domain", "Public domain", attribution=False),
        Licence("CC0-1.0", "Creative Commons Zero 1.0", attribution=False),
        Licence("PDDL-1.0", "Open Data Commons Public Domain Dedication", attribution=False),
        Licence("Unlicense", "The Unlicense", attribution=False),
        Licence("0BSD", "BSD Zero Clause", attribution=False),
        Licence("MIT", "MIT Licence"),
        Licence("ISC", "ISC Licence"),
        Licence("PSF-2.0", "Python Software Foundation Licence 2.0"),
        Licence("Python-2.0", "Python Licence 2.0"),
        Licence("Zlib", "zlib Licence"),
        Licence("BSL-1.0", "Boost Software Licence 1.0"),
        Licence("BSD-2-Clause", "BSD 2-Clause"),
        Licence("BSD-3-Clause", "BSD 3-Clause"),
        # gnu.org: the patent terms of Apache-2.0 are further restrictions in the eyes of GPLv2.
        Licence("Apache-2.0", "Apache Licence 2.0", outbound=_EVERYTHING - {GPL2}),
        Licence("ODC-By-1.0", "Open Data Commons Attribution 1.0"),
        Licence("CDLA-Permissive-1.0", "Community Data Licence, Permissive 1.0"),
        Licence("CDLA-Permissive-2.0", "Community Data Licence, Permissive 2.0"),
        Licence("OGL-UK-3.0", "Open Government Licence (UK) 3.0"),
        Licence("MPL-2.0", "Mozilla Public Licence 2.0", copyleft=True),
        Licence("LGPL-2.1-or-later", "GNU LGPL 2.1 or later", copyleft=True),
        Licence("LGPL-3.0-only", "GNU LGPL 3.0", copyleft=True, outbound=_EVERYTHING - {GPL2}),
        Licence(GPL2, "GNU GPL 2.0 only", copyleft=True, outbound=frozenset({GPL2})),
        Licence(GPL2_LATER, "GNU GPL 2.0 or later", copyleft=True, outbound=_GPL3_FAMILY | {GPL2, GPL2_LATER}),
        Licence(GPL3, "GNU GPL 3.0 only", copyleft=True, outbound=frozenset({GPL3})),
        Licence(GPL3_LATER, "GNU GPL 3.0 or later", copyleft=True, outbound=_GPL3_FAMILY),
        Licence(AGPL3, "GNU AGPL 3.0", copyleft=True, outbound=frozenset({AGPL3})),
        Licence("GFDL-1.3-or-later", "GNU FDL 1.3", share_alike=True, outbound=frozenset({"GFDL-1.3-or-later"})),
        Licence("ODbL-1.0", "Open Database Licence 1.0", share_alike=True, outbound=frozenset({"ODbL-1.0"})),
        Licence(
            "CDLA-Sharing-1.0", "Community Data Licence, Sharing 1.0",
            share_alike=True, outbound=frozenset({"CDLA-Sharing-1.0"}),
        ),
        Licence("proprietary", "Proprietary", attribution=False, private=True, outbound=frozenset({"proprietary"})),
    ]  # fmt: skip
    rows += [Licence(f"CC-BY-{v}", f"Creative Commons Attribution {v}") for v in ("2.0", "2.5", "3.0", "4.0")]
    for i, id in enumerate(_BY_SA):
        # A later version may be chosen for adaptations; 4.0 alone has a declared one-way door to GPLv3.
        later = frozenset(_BY_SA[i:]) | (frozenset({GPL3}) if id == "CC-BY-SA-4.0" else frozenset())
        name = f"Creative Commons Attribution-ShareAlike {id[-3:]}"
        rows.append(Licence(id, name, share_alike=True, outbound=later))
    for i, id in enumerate(_NC):
        allowed = frozenset(_NC[i:]) | frozenset(_NC_SA[i:]) | {"proprietary"}
        name = f"Creative Commons Attribution-NonCommercial {id[-3:]}"
        rows.append(Licence(id, name, non_commercial=True, outbound=allowed))
    for i, id in enumerate(_NC_SA):
        name = f"Creative Commons Attribution-NonCommercial-ShareAlike {id[-3:]}"
        rows.append(Licence(id, name, share_alike=True, non_commercial=True, outbound=frozenset(_NC_SA[i:])))
    for id, nc in (("CC-BY-ND-4.0", False), ("CC-BY-NC-ND-4.0", True)):
        name = f"Creative Commons Attribution{'-NonCommercial' if nc else ''}-NoDerivatives 4.0"
        rows.append(Licence(id, name, no_derivatives=True, non_commercial=nc, outbound=frozenset()))
    return {row.id.lower(): row for row in rows}


LICENCES: Mapping[str, Licence] = _table()
# Deprecated SPDX spellings that old source files still carry.
_OLD = {
    "gpl-2.0": GPL2, "gpl-2.0+": GPL2_LATER, "gpl-3.0": GPL3, "gpl-3.0+": GPL3_LATER, "agpl-3.0": AGPL3,
    "gfdl-1.3": "GFDL-1.3-or-later", "lgpl-2.1": "LGPL-2.1-or-later", "lgpl-3.0": "LGPL-3.0-only",
    "agpl-3.0-or-later": AGPL3, "lgpl-2.1-only": "LGPL-2.1-or-later", "lgpl-3.0-or-later": "LGPL-3.0-only",
}  # fmt: skip


def find(id: str) -> Licence | None:
    """The licence of an SPDX id (any case), `public-domain` or `proprietary`; None where it is unknown."""
    key = id.strip().lower()
    return LICENCES.get(_OLD.get(key, key).lower())


def alternatives(expression: str) -> list[list[str]]:
    """An SPDX expression without brackets as a choice (OR) of ids that hold together (AND)."""
    choices = re.split(r"\s+OR\s+", expression.strip())
    return [[id.strip() for id in re.split(r"\s+AND\s+", choice)] for choice in choices]


def unknown(expression: str) -> list[str]:
    """The ids of an expression that this table does not know; an empty licence is one too."""
    return sorted({id or "(none given)" for choice in alternatives(expression) for id in choice if find(id) is None})


def conditions(expression: str) -> list[str]:
    """What an expression asks, in words; of several choices the first counts."""
    seen: list[str] = []
    for id in alternatives(expression)[0]:
        licence = find(id)
        seen += [c for c in (licence.conditions() if licence else ["unknown: read the licence"]) if c not in seen]
    return [c for c in seen if c != "none"] or ["none"]


def flags(expression: str, name: str) -> bool:
    """Whether any licence of the first choice has a property, such as `non_commercial`."""
    found = (find(id) for id in alternatives(expression)[0])
    return any(getattr(licence, name) for licence in found if licence)


def outbound(expression: str) -> frozenset[str] | None:
    """The licences under which a mix with this expression may be passed on; None where one is unknown."""
    allowed: frozenset[str] = frozenset()
    for choice in alternatives(expression):
        licences = [find(id) for id in choice]
        if any(licence is None for licence in licences):
            return None
        together = _EVERYTHING
        for licence in licences:
            together &= licence.outbound if licence else frozenset()
        allowed |= together
    return allowed


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two licences that cannot meet. `always`: even inside a house; otherwise only when the data is passed on."""

    first: str
    second: str
    why: str
    always: bool = False


def conflicts(expressions: Iterable[str], *, commercial: bool = False) -> list[Conflict]:
    """All pairs of licences that no single outbound licence satisfies, and licences that this use breaks, sorted."""
    unique = sorted(set(expressions), key=str.lower)
    found: list[Conflict] = []
    for a in unique:
        if commercial and flags(a, "non_commercial"):
            found.append(Conflict(a, "commercial use", "The licence forbids commercial use.", always=True))
        if flags(a, "no_derivatives"):
            found.append(
                Conflict(a, "adaptation", "Cleaned and redacted text is an adaptation, which it forbids to share.")
            )
    for i, a in enumerate(unique):
        for b in unique[i + 1 :]:
            mine, theirs = outbound(a), outbound(b)
            if mine and theirs and not mine & theirs:
                found.append(Conflict(a, b, _why(a, b)))
    return found


def _why(a: str, b: str) -> str:
    for x, y in ((a, b), (b, a)):
        if flags(x, "private"):
            return f"Adapted {y} material must be passed on under {y}; {x} text may not be."
        if flags(x, "non_commercial") and not flags(y, "non_commercial"):
            return f"{y} must allow commercial use; {x} forbids it."
    return "Each asks that the whole be passed on under itself."
