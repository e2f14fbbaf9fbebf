"""The command `fit quality`: trains a model on a user's labels and prints how well it does on texts it has not seen."""

from __future__ import annotations

from pathlib import Path

from corpusforge import console

_THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


def fit_quality(labelled: list[Path], out: Path, as_json: bool) -> None:
    """Train the quality model and print how well it tells keep from drop on texts it has not seen."""
    from corpusforge.curate.quality_fit import fit_quality as fit

    made = fit(labelled)
    out.parent.mkdir(parents=True, exist_ok=True)
    made.model.write(out)
    shares = [(threshold, *made.at(threshold)) for threshold in _THRESHOLDS]
    keep, left_out = int(made.labels.sum()), made.left_out
    if as_json:
        console.data_json(
            {
                "out": str(out),
                "keep": keep,
                "drop": len(made.labels) - keep,
                "labelled_both": left_out,
                "auc": round(made.auc, 4),
                "low": round(made.low, 4),
                "high": round(made.high, 4),
                "kept_at": {f"{at:g}": [round(good, 4), round(bad, 4)] for at, good, bad in shares},
            }
        )
        return
    console.table(
        ("min_model_score", "kept of keep", "kept of drop"),
        [(f"{at:g}", f"{good:.1%}", f"{bad:.1%}") for at, good, bad in shares],
        right=(0, 1, 2),
    )
    told = f"{keep} labelled keep, {len(made.labels) - keep} drop, {left_out} both ways and left out"
    console.say(f"AUC {made.auc:.3f} ({made.low:.3f} to {made.high:.3f}), cross-validated; {told}.")
    console.say(f"Use it with `model: {out}` in `quality`.")
