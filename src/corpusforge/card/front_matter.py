"""The YAML at the head of a README by which the Hub and `datasets` know a build, with its allowed values."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from corpusforge.card import licences
from corpusforge.card.card_json import Card
from corpusforge.card.configs import configs

SizeCategory = Literal[
    "n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B", "10B<n<100B",
    "100B<n<1T", "n>1T",
]  # fmt: skip
_SIZES: tuple[tuple[int, SizeCategory], ...] = (
    (10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"), (10**9, "100M<n<1B"), (10**10, "1B<n<10B"), (10**11, "10B<n<100B"), (10**12, "100B<n<1T"),
)  # fmt: skip
# The Hub's own spellings (huggingface.co/docs/hub/repositories-licenses) of the SPDX ids in licences.py.
HUB_LICENCES = frozenset(
    {
        "apache-2.0", "mit", "isc", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "pddl", "odc-by", "odbl", "unlicense",
        "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-2.0",
        "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0",
        "cc-by-nc-nd-4.0", "cdla-sharing-1.0", "cdla-permissive-1.0", "cdla-permissive-2.0", "gpl-2.0", "gpl-3.0",
        "agpl-3.0", "lgpl-2.1", "lgpl-3.0", "gfdl", "mpl-2.0", "other",
    }
)  # fmt: skip
_SPELT = {
    "pddl-1.0": "pddl", "odc-by-1.0": "odc-by", "odbl-1.0": "odbl", "gfdl-1.3-or-later": "gfdl",
    "gpl-2.0-only": "gpl-2.0", "gpl-2.0-or-later": "gpl-2.0", "gpl-3.0-only": "gpl-3.0", "gpl-3.0-or-later": "gpl-3.0",
    "agpl-3.0-only": "agpl-3.0", "lgpl-2.1-or-later": "lgpl-2.1", "lgpl-3.0-only": "lgpl-3.0",
}  # fmt: skip


class Closed(BaseModel):
    """The Hub accepts any key in silence; this does not."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DataFiles(Closed):
    """A split and its files."""

    split: str
    path: str | list[str]


class ConfigEntry(Closed):
    """A config that `load_dataset(build, config_name)` finds."""

    config_name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    data_files: list[DataFiles]
    default: bool | None = None


class FrontMatter(Closed):
    """The front matter of a build's README. Raises ValidationError for what the Hub would take without a word."""

    pretty_name: str
    language: list[str]
    license: str | list[str]
    license_name: str | None = None
    size_categories: list[SizeCategory]
    task_categories: list[Literal["text-generation", "question-answering", "multiple-choice"]]
    annotations_creators: list[
        Literal["machine-generated", "found", "expert-generated", "crowdsourced", "no-annotation"]
    ]
    tags: list[str]
    configs: list[ConfigEntry]

    @model_validator(mode="after")
    def _known_licences(self) -> FrontMatter:
        for id in [self.license] if isinstance(self.license, str) else self.license:
            if id not in HUB_LICENCES:
                raise ValueError(f"the Hub knows no licence {id!r}; use other.")
        return self


def size_category(rows: int) -> SizeCategory:
    """The Hub's band for a number of rows."""
    return next((name for limit, name in _SIZES if rows < limit), "n>1T")


def hub_licence(expression: str) -> list[str]:
    """The Hub's ids for an SPDX expression; `other` where it has none."""
    ids = []
    for id in licences.alternatives(expression)[0]:
        found = licences.find(id)
        key = (found.id if found else id).lower()
        key = _SPELT.get(key, key)
        ids.append(key if key in HUB_LICENCES else "other")
    return ids


def front_matter(card: Card) -> FrontMatter:
    """The front matter of a card."""
    ids = sorted({id for source in card.rights.sources for id in hub_licence(source.licence)})
    one = ids[0] if len(ids) == 1 else ids
    other = not ids or "other" in ids
    found = configs(card)
    entries = [
        ConfigEntry(
            config_name=config.name,
            data_files=[
                DataFiles(
                    split=config.split, path=config.pattern if isinstance(config.pattern, str) else list(config.pattern)
                )
            ],
            default=True if i == 0 else None,
        )
        for i, config in enumerate(found)
    ]
    names = {config.name for config in found}
    tasks: list[Literal["text-generation", "question-answering", "multiple-choice"]] = ["text-generation"]
    if card.synthetic and (card.synthetic.pairs or "eval_qa" in names):
        tasks.append("question-answering")
    if card.synthetic and (card.synthetic.items or "eval_mcq" in names):
        tasks.append("multiple-choice")
    return FrontMatter(
        pretty_name=card.name,
        language=list(card.languages),
        license="other" if other else one,
        license_name="several-see-the-table-of-sources" if other else None,
        size_categories=[size_category(card.rows)],
        task_categories=tasks,
        annotations_creators=["machine-generated"] if card.synthetic else ["found"],
        tags=["corpusforge", *(["synthetic"] if card.synthetic else [])],
        configs=entries,
    )


def front_matter_yaml(card: Card) -> str:
    """The front matter between its two lines of dashes."""
    import yaml

    body = front_matter(card).model_dump(exclude_none=True)
    return f"---\n{yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=120)}---\n"
