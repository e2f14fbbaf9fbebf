"""The engine of a local model: vLLM as a server on this machine, started when the cache cannot answer.

A server serves all workers of a machine together, with one copy of the weights and one batch. Over Slurm or Ray each
machine has its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from corpusforge.generate.engines.door import GenerationRequest, GenerationResponse, Identity
from corpusforge.generate.engines.endpoint import Endpoint, revision_with_options
from corpusforge.generate.engines.failures import Failure
from corpusforge.generate.engines.limiter import Limiter
from corpusforge.generate.engines.local_server import LocalServer, server_of
from corpusforge.generate.engines.settings import EngineSettings
from corpusforge.generate.engines.weights import folder_content, kind_of_model


class Vllm(Endpoint):
    """An endpoint whose server is ours."""

    name: ClassVar[str] = "vllm"

    def __init__(self, settings: EngineSettings) -> None:
        folder = Path(settings.model) if settings.is_folder else None
        model = settings.model if folder is None else kind_of_model(folder)
        self._revision = settings.revision if folder is None else folder_content(folder)
        self._named = Identity(self.name, model, revision_with_options(self._revision, settings))
        self._server: LocalServer | None = None
        super().__init__(settings)
        # Our server queues what it cannot take at once and turns nobody away.
        self.limiter = Limiter(settings.max_in_flight, settings.max_in_flight)

    def identity(self) -> Identity:
        """A Hub model's name and commit; of a folder its architecture and content, wherever it lies."""
        return self._named

    def server(self) -> LocalServer:
        """The server, which may not have been started yet."""
        if self._server is None:
            self._server = server_of(self.settings, self._revision)
        return self._server

    async def base(self) -> str:
        """Where the server answers; starts it where nobody has."""
        return await self.server().address()

    def served_model(self) -> str:
        """The name under which only our server knows the model."""
        return self.server().served

    def more_fields(self) -> Mapping[str, Any]:
        """None: the options are flags of the server."""
        return {}

    def trusts_environment(self) -> bool:
        """No proxy stands before this machine."""
        return False

    async def drain(self) -> None:
        """Wait for no server either."""
        if self._server is not None:
            self._server.stop.set()
        await super().drain()

    async def aclose(self) -> None:
        """Close the connections; the server stays for the next shard, until this process ends."""
        if self._server is not None:
            self._server.stop.set()
        await super().aclose()

    async def _attempt(self, body: bytes, request: GenerationRequest, key: str) -> GenerationResponse | Failure:
        found = await super()._attempt(body, request, key)
        if isinstance(found, Failure) and found.kind in ("unreachable", "damaged"):
            self.server().suspect()
        return found
