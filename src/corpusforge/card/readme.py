"""README.md: the card as plain Markdown tables under the Hub's front matter."""

from __future__ import annotations

from corpusforge.card.card_json import Card
from corpusforge.card.figures import column, count, part, plural, precise, share, size, tokens
from corpusforge.card.front_matter import front_matter_yaml
from corpusforge.card.markdown import cell, table
from corpusforge.card.mixture import Blend, preference_sentence
from corpusforge.card.readme_evidence import evidence, hidden_lines, redactor_lines
from corpusforge.card.rights import SourceRights
from corpusforge.card.synthetic import ModelUse, probe_line, silent_sentence


def readme(card: Card) -> str:
    """The whole README of a card; the same card gives the same text."""
    sections = [
        _head(card),
        _changes(card),
        "## 1 What is in it?\n\n"
        + "\n".join(_blend(blend) for blend in card.mixture)
        + _preference(card)
        + _held(card),
        _funnel(card),
        _people(card),
        _synthetic(card),
        _leakage(card),
        _rights(card),
        _rebuild(card),
    ]
    return front_matter_yaml(card) + "\n" + "\n".join(section for section in sections if section)


def _head(card: Card) -> str:
    about, verdict = card.about, card.verdict
    lines = [
        f"# {card.name}\n",
        f"Build `{card.build}` · {count(card.rows)} rows · {tokens(card.tokens)} tokens of "
        f"{cell(card.rebuild.tokenizer or 'no tokenizer')} · {size(card.bytes)}\n",
        f"**{verdict.headline}**\n",
        table(
            ("gate", "", "observed", "allowed", "what it rests on"),
            [
                (
                    g.name.replace("_", " "),
                    "✔ holds" if g.passed else "✖ fails",
                    g.observed,
                    g.allowed,
                    _because(g.detail, g.proof),
                )
                for g in verdict.gates
            ],
        ),
    ]
    lines += ["".join(f"- ✖ {cell(blocker.text)}\n" for blocker in verdict.blockers)] if verdict.blockers else []
    said = [
        ("Purpose", about.purpose),
        ("Suitable for", about.suitable),
        ("Not for", about.unsuitable),
        ("Limits", about.limits),
    ]
    lines += [f"**{word}.** {cell(text)}\n" for word, text in said if text]
    lines += [f"**Not written yet:** `about.{m.key}`. {m.question}\n" for m in about.missing]
    return "\n".join(lines)


def _because(*texts: str) -> str:
    return " ".join(text for text in texts if text)


def _changes(card: Card) -> str:
    if card.difference is None:
        return "## What changed\n\nNo earlier build of this name was approved.\n"
    changes = card.difference.changes
    title = f"## What changed since approved build `{card.difference.before}`\n\n"
    if not changes:
        return title + "Nothing.\n"
    return title + table(
        ("", "what", "before", "now"), [(c.where, c.what, c.before or "–", c.after or "–") for c in changes]
    )


def _blend(blend: Blend) -> str:
    rows = [
        (
            group.name, leaf.name, leaf.licence or "–", count(leaf.got), column(leaf.share_wanted),
            column(leaf.share_got), f"{leaf.epochs:.2f}", count(leaf.have), "yes" if leaf.synthetic else "no",
        )
        for group in blend.groups
        for leaf in group.leaves
    ]  # fmt: skip
    head = (
        "group",
        "part",
        "licence",
        blend.unit,
        "share wanted",
        "share got",
        "epochs",
        f"{blend.unit} there",
        "synthetic",
    )
    return (
        f"### {blend.name}: {amount(blend)}\n\n"
        f"Wanted {count(blend.wanted)}; no share is off by more than {precise(blend.largest_error)} of the whole; "
        f"{share(blend.synthetic_share)} is synthetic.\n\n" + table(head, rows, "---rrrrr-")
    )


def amount(blend: Blend) -> str:
    """How much a mix holds: tokens in rows, or rows alone."""
    rows = f"{count(blend.rows)} rows"
    return rows if blend.unit == "rows" else f"{count(blend.got)} {blend.unit} in {rows}"


def _preference(card: Card) -> str:
    return f"\n{preference_sentence(card.preference)}\n" if card.preference else ""


def _held(card: Card) -> str:
    held = card.leakage.heldout
    if not held:
        return "\nNothing was held out for evaluation.\n"
    parts = ", ".join(f"{name} {plural(n, 'row')}" for name, n in held.items())
    return f"\nHeld out for evaluation, never trained on: {cell(parts)}.\n"


def _funnel(card: Card) -> str:
    funnel = card.funnel
    flows = [
        (s.source, f.step, *map(count, (f.read, f.kept, f.dropped, f.quarantined, f.out)), share(f.lost_share))
        for s in funnel.streams
        for f in s.flows
    ]  # fmt: skip
    reasons = [
        (r.step, r.reason, "quarantined" if r.quarantined else "dropped", part(r.records, r.read), _spread(r.by_source))
        for r in funnel.reasons
    ]
    head = ("source", "step", "read", "kept", "dropped", "quarantined", "out", "lost")
    return (
        "## 2 What was thrown away?\n\nread = kept + dropped + quarantined, for every source and step; out also counts "
        "the pieces of records that were split.\n\n"
        + table(head, flows, "--rrrrrr")
        + "\n"
        + table(("step", "reason", "", "records of those read", "by source"), reasons, "---r-")
        + evidence(funnel)
    )


def _spread(by_source: dict[str, int]) -> str:
    return ", ".join(f"{source} {count(n)}" for source, n in by_source.items())


def _people(card: Card) -> str:
    people = card.people
    if not people.redacted:
        return "## 3 Is anybody in it?\n\n**No redact step ran.** Treat every record as personal data.\n"
    rows = [
        (kind, *(count(people.found[kind].get(s, 0)) for s in people.sources), count(sum(people.found[kind].values())))
        for kind in people.kinds
    ]
    rows.append(("records read", *(count(people.read[s]) for s in people.sources), count(sum(people.read.values()))))
    proof = cell(_because(people.detail, people.proof))
    lines = [
        f"## 3 Is anybody in it?\n\n{count(people.total)} findings, all redacted. {proof}\n",
        table(("kind", *people.sources, "all"), rows, "-" + "r" * (len(people.sources) + 1)),
    ]
    lines += redactor_lines(people)
    for source, kinds in people.expected_unfound.items():
        lines.append(f"Expected in {cell(source)} but never found: {', '.join(kinds)}.\n")
    return "\n".join([*lines, *_planted(card), *hidden_lines(people)])


def _planted(card: Card) -> list[str]:
    planted = card.planted
    if planted is None:
        failed = f"**The leak audit failed, so nothing is known:** {cell(card.audit_failed)}\n"
        return [failed if card.audit_failed else "**No leak audit ran:** the recipe leaves it out.\n"]
    rows = [
        (r.name, *map(count, (r.planted, r.masked, r.leaked, r.in_part, r.not_tested)), r.recall, r.interval or "–")
        for r in (*planted.groups, *planted.kinds)
    ]
    head = ("planted", "values", "masked", "leaked", "in part", "not tested", "recall", "95% interval")
    lines = [f"### Leak audit\n\n{cell(planted.headline)}\n", table(head, rows, "-rrrrrrr")]
    if planted.leaks:
        found = [(leak.form, leak.value, "" if leak.whole else "in part", leak.place) for leak in planted.leaks]
        lines.append(table(("leaked form", "invented value", "", "such as"), found))
        lines += (
            [f"{count(planted.more_leaks)} more are in the manifest or not listed.\n"] if planted.more_leaks else []
        )
    lines.append("".join(f"- {cell(note)}\n" for note in planted.notes))
    lines.append("Second detector, over finished records:\n")
    lines.append("".join(f"- {cell(s.kind)}: {cell(s.sentence)}\n" for s in planted.suspects))
    return lines


def _synthetic(card: Card) -> str:
    if card.synthetic is None:
        return "## 4 Is the synthetic part true?\n\nNothing is synthetic.\n"
    rows = [
        (
            m.step,
            part(m.kept, m.read),
            count(m.rows),
            ", ".join(f"{r} {count(n)}" for r, n in m.refused.items()) or "none",
        )
        for m in card.synthetic.makers
    ]
    engine = ", ".join(f"{key} {value}" for key, value in sorted(card.synthetic.engine.items())) or "not named"
    text = f"## 4 Is the synthetic part true?\n\nEngine: {cell(engine)}.\n\n"
    text += f"{silent_sentence(card.synthetic)}\n\n" if card.synthetic.silent else ""
    text += table(("step", "passages that gave rows", "rows", "passages refused"), rows, "-rr-")
    proofs = [
        (p.step, part(p.kept, p.read), ", ".join(f"{r} {count(n)}" for r, n in p.refused.items()) or "none")
        for p in card.synthetic.proofs
    ]
    if proofs:
        text += "\n" + table(("check", "rows kept", "rows refused"), proofs, "-r-")
    for maker in card.synthetic.makers:
        if maker.model is not None:
            text += f"\n{cell(maker.step)}: {_of_model(maker.model)}\n"
    audit = card.synthetic.audit
    if audit:
        letters = ", ".join(f"{letter} {part(n, sum(audit.letters.values()))}" for letter, n in audit.letters.items())
        verdict = "no letter stands out" if audit.flat else "**the letters are not evenly spread**"
        text += f"\nPlace of the right answer: {letters}; {verdict} (chi-square {audit.chi_square}, 5% level).\n"
        if audit.gold_longest_share is not None:
            longest, chance = share(audit.gold_longest_share), share(audit.chance)
            text += f"The right answer is the longest in {longest} of {count(audit.items)} items; chance is {chance}.\n"
        if audit.probe is not None:
            text += f"{probe_line(audit.probe)}\n"
    return text


def _of_model(use: ModelUse) -> str:
    missing = ", ".join(f"{reason} {count(n)}" for reason, n in use.missing.items())
    told = f"{count(use.asked)} rows asked for, {count(use.written)} written, {count(use.accepted)} in this build; "
    told += f"{count(use.calls)} calls, {count(use.prompt_tokens)} tokens read, {count(use.completion_tokens)} written"
    if use.money is not None:
        each = f", {use.per_row:.5f} for each row in this build" if use.per_row is not None else ""
        told += f", cost {use.money:.2f}{each}"
    return f"{told}. Missing: {missing or 'none'}."


def _leakage(card: Card) -> str:
    leak = card.leakage
    if not leak.checked:
        return "## 5 Does it leak the tests?\n\n**No decontaminate step ran.**\n"
    rows = [(b.name, part(b.hits, b.read), _spread(b.by_source)) for b in leak.benchmarks]
    wall = (
        f"{plural(leak.violations, 'training row')} descend from the {plural(leak.holdout_groups, 'held-out group')}."
    )
    if leak.searched:
        wall += f" No training record was found that repeats the hold-out by {', '.join(leak.searched)}."
    return (
        f"## 5 Does it leak the tests?\n\n{part(leak.removed, leak.read)} records compared were removed; "
        f"left: {leak.left}. {wall}\n\n"
        + (
            table(("benchmark", "records that share text", "by source"), rows, "-r-")
            if rows
            else "No benchmark was hit.\n"
        )
    )


def _rights(card: Card) -> str:
    rights = card.rights
    rows = [(s.name, s.role, s.licence or "none given", "; ".join(s.conditions), *_filled(s)) for s in rights.sources]
    lines = [
        "## 6 May we?\n",
        table(("source", "role", "licence", "asks", "owner", "collected", "keep until", "origin"), rows),
    ]
    lines += [f"- ✖ {cell(c.first)} with {cell(c.second)} ({c.when}): {cell(c.why)}" for c in rights.clashes]
    lines += [f"- ✖ licence {cell(id)} of {', '.join(names)} is not known" for id, names in rights.unknown.items()]
    lines += (
        [f"- personal data without an end of retention: {', '.join(rights.no_retention)}"]
        if rights.no_retention
        else []
    )
    return "\n".join(lines) + "\n"


def _filled(source: SourceRights) -> tuple[str, ...]:
    return tuple(value or "–" for value in (source.owner, source.collected, source.retention, source.origin))


def _rebuild(card: Card) -> str:
    r = card.rebuild
    steps = [
        (s.step, s.stage, s.version, ", ".join(f"{k} {v}" for k, v in s.libraries.items()) or "–", s.fingerprint)
        for s in r.steps
    ]
    return (
        f"## How to build it again\n\n```\n{r.command}\n```\n\ncorpusforge {r.corpusforge}, seed {r.seed}, recipe "
        f"`{r.recipe_hash}`, tokenizer {cell(r.tokenizer)}, manifest sha256 `{card.manifest_sha256}`.\n\n"
        + table(("step", "stage", "version", "libraries", "fingerprint"), steps)
    )
