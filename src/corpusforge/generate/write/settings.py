"""What every written task can be told: the engine, the house's tone, languages, prompts, chunk sizes and checks."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from corpusforge.generate.engines.settings import EngineSettings
from corpusforge.record import Kind
from corpusforge.stage import StageSettings

# Written once in the recipe, beside `engine`, for all tasks.
SHARED = ("tone", "product", "languages", "prompts")


class WriterSettings(StageSettings):
    """Which records are read, how they are cut, what is said to the model and what is done with its rows."""

    engine: EngineSettings = Field(default_factory=EngineSettings, description="What writes; from generate.engine.")
    tone: str = Field(
        "", max_length=20_000, description="The house's tone and guidelines; stands in every prompt, word for word."
    )
    product: str = Field(
        "", max_length=200, description="The company or product that the texts are about; stands before each of them."
    )
    languages: tuple[str, ...] = Field(
        (), description="Languages to write in (en, de); a record is written about in its own. All if empty."
    )
    prompts: str | None = Field(None, description="A folder whose NAME.j2 files take the place of shipped prompts.")
    chunk_tokens: int = Field(700, ge=32, le=100_000, description="Tokens of a chunk at most.")
    bytes_per_token: float = Field(
        3.0, ge=1, le=8, description="Bytes of text that a token stands for at least; 1 for a model that reads bytes."
    )
    min_chunk_tokens: int = Field(12, ge=1, le=10_000, description="Chunks with fewer tokens are passed over.")
    max_chunks: int = Field(1000, ge=1, le=1_000_000, description="Most chunks of one record; a hash decides which.")
    check: bool = Field(True, description="Ask the model whether each row is true to its chunk, right after writing.")
    repair: bool = Field(True, description="Ask once more for rows that fail the checks that need no model.")
    kinds: tuple[Kind, ...] = Field(("article", "doc"), description="Kinds of records that are read.")
    sources: tuple[str, ...] | None = Field(None, description="Sources that are read; all but public ones if not set.")

    def identity_json(self) -> dict[str, Any]:
        """What of this decides the rows. Prompts stand in the identity by the bytes of those that the task uses."""
        return {**self.model_dump(mode="json", exclude={"engine", "prompts"}), "engine": self.engine.identity_json()}
