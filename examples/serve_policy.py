r"""Serve a Hugging Face model on an OpenAI-compatible address, with nothing but gasp-env and transformers.

    python examples/serve_policy.py examples/micro/policy --port 8000
    gasp-env play --policy openai:http://127.0.0.1:8000/v1 --set rules.prompt_style=compact \
        --goalposts examples/micro/goalposts.jsonl --run runs/served

For tests and small models; vLLM serves large ones faster.
"""

import argparse
import json
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from gasp_env.errors import GaspError
from gasp_env.play import LoopThread
from gasp_env.policy import Completion, Policy, Sampling, open_policy
from gasp_env.types import Message, Role

MAX_BODY = 16 << 20


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    policy: ClassVar[Policy]
    name: ClassVar[str]
    loop: ClassVar[LoopThread]

    def do_GET(self) -> None:
        """``/v1/models``."""
        self._send(HTTPStatus.OK, {"object": "list", "data": [{"id": self.name, "object": "model"}]})

    def do_POST(self) -> None:
        """``/v1/chat/completions``."""
        try:
            asked = json.loads(self.rfile.read(min(int(self.headers["Content-Length"]), MAX_BODY)))
            self._send(HTTPStatus.OK, self._complete(asked))
        except (GaspError, ValueError, KeyError, TypeError) as error:
            self._send(HTTPStatus.BAD_REQUEST, {"error": {"message": f"{type(error).__name__}: {error}"}})

    def _complete(self, asked: dict[str, Any]) -> dict[str, Any]:
        messages = [Message(role=one["role"], content=one["content"]) for one in asked["messages"]]
        sampling = Sampling(
            temperature=asked.get("temperature", 1.0),
            top_p=asked.get("top_p", 1.0),
            max_tokens=asked.get("max_tokens") or 2048,
            seed=asked.get("seed"),
        )
        # The role is the caller's own knowledge; the protocol does not carry it and the model does not need it.
        answer = self.policy.generate(messages, n=asked.get("n") or 1, role=Role.STUDENT, sampling=sampling)
        choices = [_choice(index, one) for index, one in enumerate(self.loop.run(answer)) if one]
        return {
            "id": f"chatcmpl-{time.monotonic_ns()}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": self.name,
            "choices": choices,
        }

    def _send(self, status: HTTPStatus, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _choice(index: int, one: Completion) -> dict[str, Any]:
    message = {"role": "assistant", "content": one.text}
    return {"index": index, "message": message, "finish_reason": one.finish_reason}


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder or Hugging Face name")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    options = parser.parse_args()
    with LoopThread() as loop:
        Handler.policy, Handler.name, Handler.loop = open_policy(f"hf:{options.model}"), options.model, loop
        with ThreadingHTTPServer((options.host, options.port), Handler) as server:
            print(f"serving {options.model} at http://{options.host}:{server.server_port}/v1", flush=True)
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                print("bye")


if __name__ == "__main__":
    main()
