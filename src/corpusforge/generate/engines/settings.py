"""What a recipe says of its engine: which model writes, where it is reached, and how calls are made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field

from corpusforge.generate.engines.door import Sampling
from corpusforge.stage import StageSettings
from corpusforge.units import parse_share

Option = str | int | float | bool | None

# Flags of a local server that decide how fast it answers, not what.
HOW_OPTIONS = frozenset(
    (
        "api-server-count",
        "block-size",
        "data-parallel-size",
        "data-parallel-size-local",
        "disable-log-stats",
        "distributed-executor-backend",
        "enable-chunked-prefill",
        "enable-prefix-caching",
        "enforce-eager",
        "gpu-memory-utilization",
        "kv-cache-memory-bytes",
        "max-num-batched-tokens",
        "max-num-seqs",
        "no-enable-prefix-caching",
        "num-gpu-blocks-override",
        "pipeline-parallel-size",
        "swap-space",
        "tensor-parallel-size",
        "uvicorn-log-level",
    )
)
# Set by us; a recipe that sets them too would find its server somewhere else, or open to everybody.
OUR_OPTIONS = frozenset(
    (
        "allow-credentials",
        "allowed-headers",
        "allowed-methods",
        "allowed-origins",
        "api-key",
        "enable-log-requests",
        "host",
        "model",
        "port",
        "revision",
        "root-path",
        "served-model-name",
        "ssl-ca-certs",
        "ssl-certfile",
        "ssl-keyfile",
        "uds",
    )
)
# Engines whose model may be a folder on this machine.
LOCAL = frozenset(("transformers", "vllm"))
OUR_FIELDS = frozenset(("model", "messages", "n", "response_format", "stream"))
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


def _share(value: object) -> object:
    return float(parse_share(value)) if isinstance(value, str) else value


class EngineSettings(StageSettings):
    """`generate.engine`: what writes the rows. `extractive` needs no model and no other key."""

    kind: Literal["extractive", "vllm", "transformers", "endpoint"] = Field(
        default="extractive",
        description="extractive: rules, no model; vllm: a local model, started by us; transformers: a small one in "
        "this process; endpoint: any server that speaks OpenAI's chat completions.",
    )
    model: str = Field(
        default="", description="A folder with the model, a name on the Hub, or the server's name of it."
    )
    revision: str = Field(
        default="", description="Which weights: a commit on the Hub, or for an endpoint whatever names its version."
    )
    address: str = Field(default="", description="Where the endpoint answers, such as https://host/v1.")
    key_env: str = Field(default="", description="The environment variable that holds the endpoint's key.")
    options: dict[str, Option] = Field(
        default_factory=dict,
        description="vllm: flags of the server (tensor-parallel-size: 2); endpoint: more fields of every request, "
        "null leaves one out.",
    )
    python: str = Field(default="", description="vllm: the interpreter that has it, if it is not this one.")
    output: Literal["json", "tagged"] = Field(
        default="json", description="How answers are laid out: by a JSON schema, or as text with tags."
    )
    temperature: float = Field(default=0.7, ge=0, le=2, description="How tokens are drawn; 0 is greedy.")
    top_p: float = Field(default=0.95, gt=0, le=1, description="Only the likeliest tokens up to this sum are drawn.")
    max_tokens: int = Field(default=1024, ge=1, le=131_072, description="Tokens of one answer at most.")
    context_tokens: int = Field(
        default=8192, ge=256, le=4_194_304, description="Tokens that the model reads and writes in one call at most."
    )
    timeout: float = Field(default=600, gt=0, le=86_400, description="Seconds that one call may take.")
    attempts: int = Field(default=6, ge=1, le=50, description="Times a call that failed in passing is made in all.")
    max_in_flight: int = Field(
        default=256,
        ge=1,
        le=10_000,
        description="Calls at a time at most, per worker process (four workers: four times as many); fewer while the "
        "server cannot keep up.",
    )
    max_failed: Annotated[float, BeforeValidator(_share, json_schema_input_type=float | str)] = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Share of calls that may die before the build ends, such as 5%; three in a "
        "shard always may, unless it is 0.",
    )
    start_timeout: float | None = Field(
        default=None,
        gt=0,
        le=86_400,
        description="Seconds until a server must answer for the first time; without it 1800 for vllm, 60 for endpoint, "
        "15 where nobody listens at its address.",
    )
    linger: float = Field(
        default=15, ge=0, le=86_400, description="vllm: seconds that the server outlives the last build that uses it."
    )
    prompt_price: float = Field(
        default=0, ge=0, description="Price of a million tokens read, for the cost on the card."
    )
    completion_price: float = Field(default=0, ge=0, description="Price of a million tokens written.")

    def identity_json(self) -> dict[str, Any]:
        """What of this decides the rows: neither addresses, keys, prices and patience, nor where a model's folder lies.

        A folder's content stands in the step's identity by `weights.engine_identity`.
        """
        if self.kind == "extractive":
            return {"kind": self.kind}
        return {
            "kind": self.kind,
            "model": "folder" if self.is_folder else self.model,
            "revision": self.revision,
            "options": self.deciding_options(),
            "output": self.output,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "context_tokens": self.context_tokens,
        }

    @property
    def patience(self) -> float:
        """Seconds until a server must answer for the first time."""
        return self.start_timeout or (1800.0 if self.kind == "vllm" else 60.0)

    @property
    def is_folder(self) -> bool:
        """Whether the model is a folder on this machine."""
        return self.kind in LOCAL and Path(self.model).is_absolute()

    def deciding_options(self) -> dict[str, Option]:
        """The options that decide answers, sorted."""
        how = HOW_OPTIONS if self.kind == "vllm" else frozenset[str]()
        return {key: value for key, value in sorted(self.options.items()) if key not in how}

    def sampling(self, *, temperature: float | None = None, max_tokens: int | None = None) -> Sampling:
        """How tokens are drawn by these settings; `max_tokens` lowers the limit, `temperature` replaces it."""
        limit = self.max_tokens if max_tokens is None else min(max_tokens, self.max_tokens)
        return Sampling(self.temperature if temperature is None else temperature, self.top_p, limit)

    def problems(self) -> Iterator[tuple[tuple[str, ...], str, str]]:
        """What cannot be right, as (setting, what, hint). Never quotes a value that might be a key."""
        if self.kind == "extractive":
            for name in sorted(self.model_fields_set - {"kind"}):
                yield (name,), f"{name} says nothing to the engine 'extractive', which has no model.", "Remove it."
            return
        if not self.model:
            hint = "with a folder or a name on the Hub." if self.kind in LOCAL else "as the server calls it."
            yield ("model",), f"the engine {self.kind!r} needs a model.", f"Add model: {hint}"
        if self.max_tokens >= self.context_tokens:
            what = f"max_tokens ({self.max_tokens}) leaves no room for a prompt in {self.context_tokens} tokens."
            yield ("max_tokens",), what, "Lower it, or raise context_tokens."
        match self.kind:
            case "endpoint":
                yield from self._endpoint_problems()
            case "transformers":
                yield from self._transformers_problems()
            case _:
                yield from self._vllm_problems()

    def _endpoint_problems(self) -> Iterator[tuple[tuple[str, ...], str, str]]:
        for name in sorted({"python", "linger"} & self.model_fields_set):
            yield (name,), f"{name} is a setting of the engine 'vllm'.", "Remove it."
        if not self.address:
            yield ("address",), "the engine 'endpoint' needs an address.", "Add address: http://127.0.0.1:8000/v1"
        elif (what := _bad_address(self.address)) is not None:
            yield ("address",), what, "Write it as https://host/v1; the key comes from the variable in key_env."
        if self.key_env and not _VARIABLE.fullmatch(self.key_env):
            what = "key_env must be the name of an environment variable, in capitals, never a key."
            yield ("key_env",), what, "Write key_env: MY_API_KEY and set that variable where the build runs."
        for name in sorted(OUR_FIELDS & set(self.options)):
            yield ("options", name), f"the field {name!r} is written by corpusforge.", "Remove it."

    def _transformers_problems(self) -> Iterator[tuple[tuple[str, ...], str, str]]:
        for name in sorted({"address", "key_env", "options", "python", "linger"} & self.model_fields_set):
            yield (name,), f"{name} is no setting of the engine 'transformers'.", "Remove it, or take vllm or endpoint."

    def _vllm_problems(self) -> Iterator[tuple[tuple[str, ...], str, str]]:
        for name in sorted({"address", "key_env"} & self.model_fields_set):
            yield (name,), f"{name} is a setting of the engine 'endpoint'.", "Remove it, or write kind: endpoint."
        for name in sorted(self.options):
            if "_" in name or name.startswith("-"):
                spelled = name.lstrip("-").replace("_", "-")
                yield ("options", name), f"flags are written like {spelled!r}.", f"Write {spelled}."
            elif name in OUR_OPTIONS:
                yield ("options", name), f"the flag {name!r} is set by corpusforge.", "Remove it."


def _bad_address(address: str) -> str | None:
    try:
        parts = urlsplit(address)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        fine = False
        parts = urlsplit("")
    if not fine:
        return "the address is no http or https address of a server."
    if parts.username is not None or parts.password is not None:
        return "the address holds a user or a password."
    return "the address holds a query or a fragment." if parts.query or parts.fragment else None


def model_path(model: str, workspace: Path) -> Path | None:
    """The folder that a recipe's `model` names, absolute; None where it is a name on the Hub."""
    path = (workspace / Path(model).expanduser()).resolve()
    return path if model.startswith((".", "/", "~")) or (path / "config.json").is_file() else None


def engine_settings(value: Mapping[str, Any]) -> EngineSettings:
    """The settings of a mapping that was checked before."""
    return EngineSettings.model_validate(dict(value))
