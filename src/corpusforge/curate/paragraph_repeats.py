"""Takes out of a document the long lines that it repeats word for word: converted pages often print them twice."""

from __future__ import annotations


def without_repeats(text: str, words: int) -> tuple[str, int]:
    """The text with every line of at least `words` words kept at its first place only, and how many lines went.

    Lines are compared as they stand. Short lines, code in fences and indented lines may repeat: steps, verses, tables.
    """
    # A word is a character and a blank at least; nearly every document ends here.
    long = [line for line in text.split("\n") if len(line) >= 2 * words]
    if len(set(long)) == len(long):
        return text, 0
    seen: set[str] = set()
    kept: list[str] = []
    gone = 0
    fenced = False
    for line in text.split("\n"):
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        elif not fenced and not line.startswith(("    ", "\t", "|")) and len(line.split(None, words)) >= words:
            if line in seen:
                gone += 1
                continue
            seen.add(line)
        kept.append(line)
    return "\n".join(kept), gone
