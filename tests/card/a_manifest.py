"""A realistic manifest by hand: a support desk's mix of public text, own chats and articles. All text invented."""

from __future__ import annotations

import copy
import hashlib
from typing import Any


def hexes(word: str, n: int = 64) -> str:
    return hashlib.sha256(word.encode()).hexdigest()[:n]


def source(name: str, role: str, kind: str, licence: str, **more: Any) -> dict[str, Any]:
    facts = {
        "name": name, "role": role, "kind": kind, "about": "", "licence": licence, "owner": "", "origin": "",
        "languages": ["en"], "collected": "2024", "retention": "none", "personal_data": [], "files": 100,
        "bytes": 1_000_000, "fingerprint": hexes(name, 32),
    }  # fmt: skip
    return {**facts, **more}


def counts(read: int, *, added: int = 0, chars: int = 0, quarantined: int = 0, **dropped: int) -> dict[str, Any]:
    kept = read - sum(dropped.values()) - quarantined
    return {
        "read": read, "kept": kept, "added": added, "out": kept + added, "characters": chars or (kept + added) * 900,
        "dropped": {k.replace("_", "-"): v for k, v in dropped.items()},
        "quarantined": {"unreadable": quarantined} if quarantined else {},
    }  # fmt: skip


def step(name: str, table: dict[str, Any], **more: Any) -> dict[str, Any]:
    facts = {
        "name": name, "stage": name, "version": 1, "settings": {}, "fingerprint": hexes(name, 32), "libraries": {},
        "counts": table, "counted": {}, "notes": {}, "near": [],
        "shards": [
            {"name": f"{s}-00000", "sha256": hexes(name + s), "rows": c["out"], "bytes": c["characters"]}
            for s, c in table.items()
        ],
    }  # fmt: skip
    return {**facts, **more}


def near(
    src: str, n: int, reason: str, score: float, threshold: float, kept: bool, excerpt: str, other: str = ""
) -> dict[str, Any]:
    return {
        "source": src, "id": f"{src}:{hexes(excerpt, 10)}", "reason": reason, "score": score, "threshold": threshold,
        "kept": kept, "excerpt": excerpt, "other": other,
    }  # fmt: skip


SOURCES = [
    source("desk-chats", "domain", "chat", "proprietary", owner="Support Operations", files=214, bytes=16_930_112,
           about="Live chats between customers and the support desk, many speakers at once.", retention="2028-12-31",
           collected="2021-01 to 2025-06", personal_data=["person", "username", "email", "phone", "ip", "iban"]),
    source("help-centre", "domain", "article", "CC-BY-SA-3.0", owner="Documentation Team", files=353, bytes=951_204,
           about="Published help articles, one topic a page.", origin="https://help.example.org",
           personal_data=["email"]),
    source("admin-manual", "domain", "doc", "GPL-2.0-or-later", owner="Platform Engineering", files=348,
           bytes=6_340_551, about="The administrator's handbook with navigation left in.", origin="https://docs.example.org"),
    source("shell-pairs", "labelled", "labelled", "MIT", owner="TellinaTool", files=4, bytes=1_230_077,
           about="Requests in English and the one-liners that answer them.", origin="https://example.org/shell-pairs"),
    source("old-books", "public", "public", "public-domain", owner="Project Gutenberg", files=74, bytes=43_880_310,
           about="Novels and essays out of copyright."),
    source("speeches", "public", "public", "CC-BY-4.0", owner="Parliament archive", files=129, bytes=2_750_664,
           origin="https://speeches.example.org", about="Speeches with mixed encodings.", personal_data=["person"]),
]  # fmt: skip

NEAR_QUALITY = [
    near("desk-chats", 1, "low-quality", 0.512, 0.5, True,
         "<PERSON_1>: did you try turning the adapter off and on? <PERSON_1>: yes, twice, the light stays amber"),
    near("admin-manual", 2, "low-quality", 0.507, 0.5, True,
         "Table 4. Return codes of the installer, with the action to take for each of them."),
    near("desk-chats", 3, "low-quality", 0.494, 0.5, False, "ok ok ok thx :) brb <b>back</b> | any news?"),
    near("desk-chats", 4, "low-quality", 0.481, 0.5, False, "<USERNAME_1> has joined. <USERNAME_1> has left. hello?"),
    near("old-books", 5, "low-quality", 0.47, 0.5, False, "CHAPTER XIV. CHAPTER XV. CHAPTER XVI. THE END."),
]  # fmt: skip
NEAR_DEDUP = [
    near("help-centre", 1, "near-duplicate", 0.79, 0.8, True,
         "To connect a printer, open Settings and choose Printers."),
    near("help-centre", 2, "near-duplicate", 0.81, 0.8, False,
         "To connect a scanner, open Settings and choose Printers, then Scanners.", "help-centre:the-one-that-stays"),
]  # fmt: skip
NEAR_LANGUAGE = [
    near("speeches", 1, "other-language", 0.66, 0.65, True, "Mr President, mes chers collègues, I shall be brief."),
    near(
        "speeches", 2, "other-language", 0.64, 0.65, False, "Messieurs, I have the honour, j'ai l'honneur, to report."
    ),
]


def measured(n: int, share: float, low: float, high: float) -> dict[str, Any]:
    return {"n": n, "hits": round(n * share), "share": share, "low": low, "high": high}


NAMES = {
    "name": "desk-names", "version": hexes("names", 32), "languages": ["en"], "base": "embedded",
    "data": [{"name": "turns.jsonl", "licence": "", "attribution": "", "use": "own labels, 0123456789ab"},
             {"name": "wnut | posts", "licence": "CC-BY-4.0", "attribution": "Derczynski et al.", "use": "train"}],
    "figures": {"held out": {
        "recall": {"PERSON": measured(467, 0.6767, 0.6329, 0.7175), "all": measured(613, 0.6281, 0.5891, 0.6654)},
        "precision": {"PERSON": measured(466, 0.7124, 0.6697, 0.7517), "all": measured(651, 0.6667, 0.6296, 0.7018)},
        "over_masked": measured(14_536, 0.0235, 0.0212, 0.0261),
    }},
}  # fmt: skip
STEPS = [
    step("ingest", {
        "desk-chats": counts(41_288, quarantined=377, empty=1_204), "help-centre": counts(353),
        "admin-manual": counts(348, quarantined=2), "shell-pairs": counts(10_123),
        "old-books": counts(74, quarantined=1), "speeches": counts(124),
    }),
    step("normalise", {
        "desk-chats": counts(39_707, empty_after=86), "help-centre": counts(353), "admin-manual": counts(346),
        "shell-pairs": counts(10_123), "old-books": counts(73), "speeches": counts(124),
    }, counted={"admin-manual": {"boilerplate-lines": 9_412}}, libraries={"ftfy": "6.3.1"}),
    step("redact", {
        "desk-chats": counts(39_621), "help-centre": counts(353), "admin-manual": counts(346),
        "shell-pairs": counts(10_123), "old-books": counts(73), "speeches": counts(124),
    }, settings={"entities": "all", "style": "placeholder", "policy": "standard", "ner": "models/desk-names",
                 "by_source": {"speeches": {"policy": "strict", "ner": None}}},
        libraries={"presidio-analyzer": "2.2.360"}, facts={"name_models": [NAMES]},
        counted={
            "desk-chats": {"found:PERSON": 18_204, "found:USERNAME": 31_877, "found:EMAIL_ADDRESS": 2_431,
                           "found:IP_ADDRESS": 2_977, "found:PHONE_NUMBER": 312, "found:URL": 7_911, "no-ner": 3, "no-ner:de": 2,
                           "no-ner:unknown": 1},
            "help-centre": {"found:EMAIL_ADDRESS": 12, "found:URL": 401},
            "admin-manual": {"found:PERSON": 88, "found:EMAIL_ADDRESS": 61, "found:IP_ADDRESS": 143,
                             "found:URL": 1_911},
            "shell-pairs": {"found:IP_ADDRESS": 207, "found:URL": 96, "structured-only": 10_123},
            "speeches": {"found:PERSON": 4_410, "found:WORD": 800, "found:NUMBER": 200, "strict:words": 50_000},
        }),
    step("language", {
        "desk-chats": counts(39_621, other_language=1_018), "help-centre": counts(353), "admin-manual": counts(346),
        "old-books": counts(73, other_language=4), "speeches": counts(124, other_language=6),
    }, settings={"keep": ["en"], "min_score": 0.65}, near=NEAR_LANGUAGE),
    step("quality", {
        "desk-chats": counts(38_603, low_quality=6_120, too_short=5_233), "help-centre": counts(353, too_short=4),
        "admin-manual": counts(346, low_quality=31), "old-books": counts(69, low_quality=2), "speeches": counts(118),
    }, settings={"preset": "docs"}, near=NEAR_QUALITY,
        facts={"model": {"name": "pages.json",
                         "fit": {"auc": 0.8812, "low": 0.84, "high": 0.92, "keep": 120, "drop": 118}}}),
    step("dedup", {
        "desk-chats": counts(27_250, near_duplicate=3_344, exact_duplicate=2_019),
        "help-centre": counts(349, near_duplicate=7), "admin-manual": counts(315, near_duplicate=22, exact_duplicate=9),
        "shell-pairs": counts(10_123, exact_duplicate=611), "old-books": counts(67, exact_duplicate=3),
        "speeches": counts(118),
    }, settings={"similarity": 0.8}, near=NEAR_DEDUP,
        notes={"pairs_verified": 90_412, "pairs_told_apart_by_numbers": 66, "pairs_alike_by_template": 1,
               "near_duplicates_at": {"0.70": 5_120, "0.80": 3_373, "0.90": 1_010}, "template_ngrams": 312}),
    step("segment", {
        "desk-chats": counts(21_887, added=4_201), "help-centre": counts(342, added=611),
        "admin-manual": counts(284, added=5_012), "old-books": counts(64, added=40_120),
        "speeches": counts(118, added=1_430),
    }),
    step("decontaminate", {
        "desk-chats": counts(26_088), "help-centre": counts(953, benchmark=3),
        "admin-manual": counts(5_296, benchmark=1), "old-books": counts(40_184, benchmark=17),
        "speeches": counts(1_548),
    }, counted={"old-books": {"contaminated:mmlu": 17}, "help-centre": {"contaminated:own hold-out": 3},
                "admin-manual": {"contaminated:mmlu": 1}}),
    step("qa", {
        "help-centre": counts(903, added=1_400, no_evidence=31, unparsed=12),
        "admin-manual": counts(5_031, added=7_800, no_evidence=402, unparsed=118, not_a_question=75),
    }, settings={"per_passage": 3}),
    step("mcq", {"help-centre": counts(903, added=120, too_close=77, unparsed=9),
                 "admin-manual": counts(5_031, added=512, too_close=611, unparsed=44)}, settings={"near": 1, "far": 2}),
    step("reading", {"help-centre": counts(903, added=1_804),
                     "admin-manual": counts(5_031, added=8_100, too_short=310)}),
]  # fmt: skip


def leaf(path: str, wanted: float, got: float, amount: int, have: int, epochs: float, records: int, **more: Any) -> Any:
    return {
        "path": path.split("/"), "share_wanted": wanted, "share_got": got, "wanted": round(amount * wanted / got),
        "got": amount, "have": have, "epochs": epochs, "records": records, "largest_record": 2_048,
        "synthetic": False, **more,
    }  # fmt: skip


MIX = {
    "completion": {
        "wanted_tokens": 200_000_000, "got_tokens": 200_000_113, "rows": 61_204,
        "leaves": [
            leaf("domain/desk-chats", 0.0084, 0.00840021, 1_680_043, 5_911_204, 0.284, 6_904),
            leaf("domain/help-centre", 0.008, 0.00800042, 1_600_085, 402_118, 3.979, 3_589),
            leaf("domain/admin-manual", 0.0036, 0.00359963, 719_926, 1_904_331, 0.378, 1_904),
            leaf("public/old-books", 0.931, 0.93099961, 186_200_027, 188_204_551, 0.989, 47_203),
            leaf("public/speeches", 0.049, 0.04900013, 9_800_032, 9_904_012, 0.9895, 1_604),
        ],
        "files": [{"path": f"completion/part-{i:05d}.parquet", "sha256": hexes(f"c{i}"), "rows": 30_602,
                   "bytes": 190_400_312} for i in range(2)],
    },
    "instruct": {
        "wanted_tokens": 19_000, "got_tokens": 19_000, "rows": 19_000, "unit": "rows",
        "leaves": [
            leaf("qa", 0.4, 0.4, 7_600, 14_094, 0.54, 7_600, synthetic=True),
            leaf("mcq", 0.2, 0.2, 3_800, 5_823, 0.65, 3_800, synthetic=True),
            leaf("reading", 0.2, 0.2, 3_800, 15_526, 0.24, 3_800, synthetic=True),
            leaf("shell-pairs", 0.2, 0.2, 3_800, 9_512, 0.4, 3_800),
        ],
        "files": [{"path": "instruct/part-00000.parquet", "sha256": hexes("i0"), "rows": 19_000, "bytes": 12_400_312}],
    },
}  # fmt: skip

SAMPLES = {
    "qa": [
        {"id": "qa:1f0c22", "source": "help-centre", "question": "Where do you choose the default printer?",
         "answer": "In Settings, under Printers.",
         "evidence_text": "To choose the default printer, open Settings, then Printers, and tick “Use by default”."},
        {"id": "qa:77aa01", "source": "admin-manual", "question": "What does return code 4 of the installer mean?",
         "answer": "That the disk is full.",
         "evidence_text": "4: the disk is full. Free at least 2 GB and run it again."},
        {"id": "qa:9b13de", "source": "admin-manual", "question": "Which flag keeps the old configuration files?",
         "answer": "--keep-config",
         "evidence_text": "With --keep-config the upgrade leaves every edited file in place."},
    ],
    "mcq": [
        {"id": "mcq:03", "source": "admin-manual", "question": "Which port does the update service listen on?",
         "options": ["8440", "8404", "A USB port", "The printer tray"], "gold": "A", "near": "B", "far": ["C", "D"]},
        {"id": "mcq:11", "source": "help-centre", "question": "What happens to files in the trash after 30 days?",
         "options": ["They are printed", "They are deleted", "They are archived", "They learn to sing"], "gold": "B",
         "near": "C", "far": ["A", "D"]},
    ],
    "reading": [
        {"id": "rc:51", "source": "help-centre", "task": "cloze",
         "text": "To pair a keyboard, hold its ____ for five seconds until the light blinks.\n\nAnswer: button"},
        {"id": "rc:52", "source": "admin-manual", "task": "summarise",
         "text": "Summarise the passage in one sentence.\n\nAnswer: Backups run nightly and are kept for four weeks."},
    ],
    "redacted": [
        {"id": "desk-chats:a1", "source": "desk-chats",
         "text": "Hi <PERSON_1>, my card <CREDIT_CARD_1> was charged twice on <DATE_1>. Mail me at <EMAIL_1> please."},
        {"id": "desk-chats:b2", "source": "desk-chats",
         "text": "<USERNAME_1>: the box at <IP_1> does not answer <script>alert(1)</script> & the log says “refused”"},
        {"id": "admin-manual:c3", "source": "admin-manual", "text": "Report mistakes to <EMAIL_1>."},
    ],
    "hidden": [
        {"id": "admin-manual:c3", "source": "admin-manual", "kind": "PERSON", "text": "…call <PERSON_1> before install…"},
        {"id": "desk-chats:b2", "source": "desk-chats", "kind": "PERSON", "text": "<PERSON_1>: <b>hello</b> there"},
        {"id": "desk-chats:b2", "source": "desk-chats", "kind": "IP_ADDRESS", "text": "…version <IP_1> of the…"},
    ],
}  # fmt: skip

GATES = [
    {"name": "personal_data", "allowed": 0.01, "observed": 0.0, "passed": True, "checked": 300, "found": 0,
     "detail": "A second detector read 300 random output records."},
    {"name": "contamination", "allowed": 0, "observed": 3, "passed": False,
     "detail": "3 records of help-centre still share 13 words with the hold-out."},
    {"name": "mix_error", "allowed": 0.001, "observed": 0.00000042, "passed": True,
     "detail": "The largest error is on domain/help-centre."},
    {"name": "grounded", "allowed": 0.95, "observed": 0.971, "passed": True, "checked": 1000, "found": 971,
     "detail": "A judge read 1,000 random rows beside their evidence."},
]  # fmt: skip

MANIFEST: dict[str, Any] = {
    "format": 1, "name": "support-mix", "build": "7f3a91c2d4e6", "corpusforge": "0.1.0", "seed": 17,
    "recipe": {
        "name": "support-mix", "seed": 17,
        "about": {
            "purpose": "Continued pre-training of the support desk's assistant, asked for by Support Operations.",
            "suitable": "Adapting a 1 to 8 billion parameter model to support questions about our own product.",
            "unsuitable": "Anything that decides about people; legal, medical or financial advice.", "limits": "",
            "date": "2026-11-21", "publisher": "Example Software",
        },
        "sources": {"domain": ["desk-chats", "help-centre", "admin-manual"], "labelled": ["shell-pairs"],
                    "public": ["old-books", "speeches"]},
        "curate": {"language": {"keep": ["en"], "min_score": 0.65}, "quality": {"preset": "docs"},
                   "dedup": {"similarity": 0.8}, "redact": {"entities": "all"}, "holdout": {"share": "5%"}},
        "generate": {"engine": {"kind": "vllm", "model": "Qwen/Qwen3-8B"}, "qa": {"per_passage": 3},
                     "mcq": {"near": 1, "far": 2}, "reading": {"tasks": ["summarise", "cloze"]}},
        "mix": {"completion": {"tokens": "200M", "max_epochs": 4}},
        "gates": {"personal_data": "1%", "contamination": 0, "mix_error": "0.1%", "grounded": "95%"},
    },
    "tokenizer": {"name": "gpt-neox-20b", "sha256": hexes("tok")},
    "sources": SOURCES, "steps": STEPS, "mix": MIX,
    "eval": {"qa": 412, "mcq": 206, "tasks": {"shell-pairs": 506},
             "files": [{"path": "eval/qa.parquet", "sha256": hexes("eq"), "rows": 412, "bytes": 90_112},
                       {"path": "eval/mcq.parquet", "sha256": hexes("em"), "rows": 206, "bytes": 60_112},
                       {"path": "eval/tasks/shell-pairs.parquet",
                        "sha256": hexes("et"), "rows": 506, "bytes": 50_112}]},
    "samples": SAMPLES,
    "mcq_audit": {"letters": {"A": 1461, "B": 1440, "C": 1473, "D": 1449}, "gold_longest_share": 0.271, "items": 5_823,
                  "probe": {"items": 4_000, "chance": 0.25, "choices": 0.281, "with_question": 0.402}},
    "gates": GATES, "lineage": {"holdout_groups": 1_204, "violations": 0},
}  # fmt: skip


def manifest() -> dict[str, Any]:
    """A copy that a test may change."""
    return copy.deepcopy(MANIFEST)


def earlier() -> dict[str, Any]:
    """The build approved before: fewer chats, three options, no limit on contamination broken."""
    before = manifest()
    before["build"] = "51d0be77a012"
    before["recipe"]["curate"]["dedup"]["similarity"] = 0.85
    before["recipe"]["about"]["limits"] = "Mostly English; tired customers are over-represented."
    before["sources"][0].update(files=190, bytes=15_020_331, fingerprint=hexes("older", 32))
    before["steps"][5]["counts"]["desk-chats"] = counts(27_250, near_duplicate=2_100, exact_duplicate=2_019)
    before["steps"][5]["shards"][0]["sha256"] = hexes("older shard")
    before["mix"]["completion"]["leaves"][0].update(share_got=0.0079, got=1_580_001)
    before["gates"][1].update(observed=0, passed=True, detail="")
    return before


def blameless() -> dict[str, Any]:
    """A build that nothing stands in the way of."""
    good = manifest()
    good["gates"][1].update(observed=0, passed=True, detail="")
    good["recipe"]["about"]["limits"] = "Mostly English; tired customers are over-represented."
    for i, licence in enumerate(["MIT", "CC-BY-4.0", "CC-BY-4.0", "MIT", "public-domain", "CC-BY-4.0"]):
        good["sources"][i]["licence"] = licence
    return good
