"""Runs inspect_ai on an exported folder with a model of `knowing.py`: `run_inspect.py FOLDER OUT WHO KEYS`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main(folder: str, out: str, who: str, keys: str) -> None:
    sys.path.insert(0, str(Path(__file__).parent))
    from run_lm_eval import offline

    # An empty cache: whoever counts tokens with tiktoken must download its table, and is caught.
    os.environ |= {"TIKTOKEN_CACHE_DIR": str(Path(out) / "tiktoken"), "HOME": out, "INSPECT_DISABLE_UPDATE_CHECK": "1"}
    offline()
    os.chdir(out)
    from inspect_ai import eval as run
    from inspect_ai.model import GenerateConfig, ModelAPI, ModelOutput, get_model, modelapi
    from knowing import Guessing, Knowing

    told = json.loads(Path(keys).read_text())
    model = Knowing(told["answers"]) if who == "oracle" else Guessing(told["guesses"])

    @modelapi(name="told")
    class Told(ModelAPI):
        def __init__(self, model_name: str, base_url=None, api_key=None, config=GenerateConfig(), **args):  # type: ignore[no-untyped-def]  # noqa: B008
            super().__init__(model_name, base_url, api_key, [], config)

        async def generate(self, input, tools, tool_choice, config):  # type: ignore[no-untyped-def]
            asked = input[-1].text
            if "<reference>" in asked:
                inside = [asked.split(f"<{tag}>\n")[1].split(f"\n</{tag}>")[0] for tag in ("reference", "answer")]
                said = "They were compared.\n" + ("correct" if inside[0].strip() == inside[1].strip() else "wrong")
            else:
                said = " " + model.said(asked)
            return ModelOutput.from_content(self.model_name, said)

    file = str(Path(folder, "inspect", "benchmark.py"))
    listed = json.loads(Path(keys).read_text())["inspect"]
    found = {}
    for name, args in [(name, {}) for name in listed] + [(n, {"shuffle": 5}) for n in listed if n.endswith("_letter")]:
        (log,) = run(
            f"{file}@{name}", model=get_model("told/x"), model_roles={"grader": get_model("told/x")}, task_args=args,
            log_dir=str(Path(out) / "logs"), display="none", log_level="error",
        )  # fmt: skip
        assert log.status == "success", (name, log.error.message if log.error else "")
        scores = {
            score.name: {key: metric.value for key, metric in score.metrics.items()} for score in log.results.scores
        }
        found[f"{name}{'+shuffled' if args else ''}"] = {"items": log.results.completed_samples, "scores": scores}
    Path(out, f"inspect-{who}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
