"""A server of OpenAI's chat completions whose models answer by script; the name of the model chooses the script."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ChatServer:
    """Start with `with ChatServer(models) as server`; `server.asked` holds (model, prompt, body) in the order of calls."""

    def __init__(
        self,
        models: Mapping[str, Callable[[str], str]],
        likelihoods: Mapping[str, Callable[[str], float]] | None = None,
    ) -> None:
        asked: list[tuple[str, str, dict[str, object]]] = []
        self.asked = asked

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                prompt = body["prompt"] if "prompt" in body else body["messages"][-1]["content"]
                asked.append((body["model"], prompt, body))
                if "prompt" in body:
                    # One token a character and the one that is generated; the first has no likelihood.
                    told = None
                    if likelihoods is not None:
                        each = likelihoods[body["model"]](prompt) / max(1, len(prompt) - 1)
                        told = {"token_logprobs": [None, *[each] * (len(prompt) - 1), -9.0]}
                    choice = {"index": 0, "text": f"{prompt}x", "logprobs": told, "finish_reason": "length"}
                    usage = {"prompt_tokens": len(prompt), "completion_tokens": 1}
                else:
                    said = models[body["model"]](prompt)
                    choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
                    usage = {"prompt_tokens": len(prompt.split()), "completion_tokens": len(said.split())}
                data = json.dumps({"choices": [choice], "usage": usage}).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    def model(self, name: str) -> str:
        """What --model takes."""
        return f"kind=endpoint,model={name},address=http://127.0.0.1:{self._server.server_port}/v1,max_in_flight=8"

    def __enter__(self) -> ChatServer:
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
