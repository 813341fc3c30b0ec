"""A real HTTP server that speaks the OpenAI chat protocol and plays both roles of the game."""

import json
import random
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from arena_cases import propose, solve

from gasp_env.types import Message

__all__ = ("chat_server",)


def _chance(messages, seed, at):
    """An answer that is right now and then; the same for one seed, place and prompt."""
    rng = random.Random(None if seed is None else f"{seed}:{at}:{messages[-1].content}")
    if messages[-1].content.startswith(("lemma", "lift")):
        return propose(rng.randrange(2, 5000), rng.randrange(50))
    return solve(messages, rng.random() < 0.45)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        messages = [Message(role=one["role"], content=one["content"]) for one in asked["messages"]]
        with self.server.lock:
            texts = [self.server.answer(messages, asked.get("seed"), at) for at in range(asked.get("n") or 1)]
        self._send(
            {
                "id": "x",
                "object": "chat.completion",
                "created": 0,
                "model": asked.get("model", "m"),
                "choices": [
                    {"index": at, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
                    for at, text in enumerate(texts)
                ],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            }
        )

    def do_GET(self):
        self._send({"object": "list", "data": [{"id": "author", "object": "model"}]})

    def _send(self, body):
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@contextmanager
def chat_server(answer=_chance):
    """Serve on a free port; gives the address ending in ``/v1``.

    Args:
        answer: ``(messages, seed, place among n) -> text``, called by one thread at a time.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads, server.answer, server.lock = True, answer, threading.Lock()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
