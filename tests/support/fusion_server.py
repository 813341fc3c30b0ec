"""A server that speaks SandboxFusion's contract on this machine: a request is a bash script in a folder of its own."""

import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MOST_OUTPUT = 1 << 20
"""Bytes of standard output that the real service keeps."""
GARBAGE = {
    "garbage": b"\xff\xfe{",
    "deep": b'{"status": "Success", "more": ' + b"[" * 100_000,
    "list": b"[]",
    "empty": b"",
    "other": b'{"status": "Success", "message": "", "run_result": {"status": 1}, "files": {}}',
    "base64": b'{"status": "Success", "run_result": {"status": "Finished", "return_code": 0}, "files": {"outcomes.jsonl": "e30"}}',
    "nothing": b'{"status": "Success", "run_result": {"status": "Finished", "return_code": 0}, "files": {}}',
    "error": b'{"status": "SandboxError", "message": "exception on running command", "run_result": null, "files": {}}',
    "long": b" " * (3 << 20) + b"{}",
}
"""Answers that are none, by the name of the fault."""


@dataclass
class Service:
    """What the server saw, and what it is told to get wrong."""

    orders: list[dict] = field(default_factory=list)
    """Bodies of requests."""
    headers: list[dict] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """Of the next requests, in order: a key of `GARBAGE`, 500, time, exit, short, drop, hang, or nothing."""
    busy: threading.Event = field(default_factory=threading.Event)
    """A request hangs."""
    dropped: threading.Event = field(default_factory=threading.Event)
    """Its client went away."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        service = self.server.service
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/run_code":
            self.answer(404, b"{}")
            return
        service.orders.append(order)
        service.headers.append(dict(self.headers))
        fault = service.faults.pop(0) if service.faults else ""
        if fault == "hang":
            service.busy.set()
            self.connection.recv(1)  # nothing more comes: it returns when the client has gone
            service.dropped.set()
        if fault in ("drop", "hang"):
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(2)
        elif fault == "500":
            self.answer(500, b"Internal Server Error")
        elif fault in GARBAGE:
            self.answer(200, GARBAGE[fault])
        else:
            self.answer(200, json.dumps(outcome(order, fault)).encode())

    def answer(self, status, data):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(data)


def outcome(order, fault):
    """What the service answers to an order that it runs."""
    assert order["language"] == "bash" and order["stdin"] is None and order["memory_limit_MB"] == -1
    with tempfile.TemporaryDirectory() as folder:
        for path, text in order["files"].items():
            assert not path.startswith(("/", ".."))
            (Path(folder) / path).write_bytes(base64.b64decode(text, validate=True))
        run = result(order, folder) if fault != "time" else timed_out()
        if fault == "exit":
            run["return_code"] = 137
        files = {path: Path(folder, path).read_bytes() for path in order["fetch_files"] if Path(folder, path).is_file()}
    if fault == "short":
        files = {path: b"".join(data.splitlines(keepends=True)[:-1]) for path, data in files.items()}
    return {
        "status": "Success" if run["return_code"] == 0 else "Failed",
        "message": "",
        "compile_result": None,
        "run_result": run,
        "executor_pod_name": None,
        "files": {path: base64.b64encode(data).decode() for path, data in files.items()},
    }


def result(order, folder):
    """Run the script, as long as the order allows."""
    script = Path(folder, "script.sh")
    script.write_text(order["code"])
    process = subprocess.Popen(
        ["/bin/bash", str(script)],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=order["run_timeout"])
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return timed_out()
    return {
        "status": "Finished",
        "execution_time": 0.1,
        "return_code": process.returncode,
        "stdout": out[:MOST_OUTPUT].decode(),
        "stderr": err[:MOST_OUTPUT].decode(),
    }


def timed_out():
    """The service's words for a script that took too long."""
    return {"status": "TimeLimitExceeded", "execution_time": 1.0, "return_code": None, "stdout": "", "stderr": ""}


class Server(ThreadingHTTPServer):
    """A context manager: the service, and its address."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.service = Service()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def __exit__(self, *args):
        self.shutdown()
        self.server_close()
