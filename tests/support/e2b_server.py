"""A server that speaks E2B's contract on this machine: control plane, files and commands; a machine is a folder."""

import base64
import json
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

MULTIPART = re.compile(rb"\r\n\r\n(.*)\r\n--[^\r\n]+--\s*$", re.DOTALL)


@dataclass
class Service:
    """What the server saw, and what it is told to get wrong."""

    made: list[dict] = field(default_factory=list)
    """Bodies of creations."""
    ended: list[str] = field(default_factory=list)
    lives: list[int] = field(default_factory=list)
    """Seconds asked for."""
    commands: list[str] = field(default_factory=list)
    written: list[bytes] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """Of the next commands, in order: drop, garbage, exit, short, hang, or nothing."""
    refuse: int = 0
    """Status of creations; 0: they work."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    @property
    def service(self):
        return self.server.service

    def log_message(self, *args):
        pass

    def body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status, facts=None):
        data = b"" if facts is None else json.dumps(facts).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.answer(204)

    def do_DELETE(self):
        self.service.ended.append(self.path.rsplit("/", 1)[1])
        self.answer(204)

    def do_POST(self):
        path, body = urlsplit(self.path), self.body()
        if path.path.endswith("/sandboxes"):
            self.create(body)
        elif path.path.endswith("/timeout"):
            self.service.lives.append(json.loads(body)["timeout"])
            self.answer(204)
        elif path.path == "/files":
            self.write(parse_qs(path.query)["path"][0], body)
        elif path.path == "/process.Process/Start":
            self.start(body)
        else:
            self.answer(404, {"code": 404, "message": self.path})

    def create(self, body):
        if self.service.refuse:
            self.answer(self.service.refuse, {"code": self.service.refuse, "message": "no machine for you"})
            return
        self.service.made.append(json.loads(body))
        name = f"machine{len(self.service.made)}"
        (self.server.folder / name).mkdir()
        self.answer(201, {"templateID": "t", "sandboxID": name, "clientID": "c", "envdVersion": "0.2.4"})

    def place(self, path):
        return path.replace("/tmp/", f"{self.server.folder}/{self.headers['E2b-Sandbox-Id']}/")

    def write(self, path, body):
        data = MULTIPART.search(body)[1]
        self.service.written.append(data)
        Path(self.place(path)).write_bytes(data)
        self.answer(200, [{"path": path, "name": Path(path).name, "type": "file"}])

    def start(self, body):
        (size,) = struct.unpack_from(">I", body, 1)
        command = json.loads(body[5 : 5 + size])["process"]["args"][-1]
        self.service.commands.append(command)
        fault = self.service.faults.pop(0) if self.service.faults else ""
        self.send_response(200)
        self.send_header("Content-Type", "application/connect+json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.event("start", {"pid": 7})
        if fault == "hang":
            self.server.released.wait(60)
        if fault in ("drop", "hang"):
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(2)
            return
        code, output = self.outcome(command, fault)
        self.event("data", {"stdout": base64.b64encode(output).decode()})
        self.event("end", {"exitCode": code, "exited": True, "status": f"exit status {code}"})
        self.chunk(struct.pack(">BI", 2, 2) + b"{}")
        self.chunk(b"")

    def event(self, name, value):
        message = json.dumps({"event": {name: value}}).encode()
        self.chunk(struct.pack(">BI", 0, len(message)) + message)

    def outcome(self, command, fault):
        if fault == "garbage":
            return 0, b'{"place": 0, "tests": [{"verdict": "ok", "value": "<i2;,i1;>"}]}\n\xff\xfe'
        if fault == "exit":
            return 137, b"Killed"
        command = self.place(command).replace("python3 ", f"{sys.executable} ")
        done = subprocess.run(["/bin/bash", "-c", command], capture_output=True, check=False)
        output = done.stdout
        return done.returncode, b"".join(output.splitlines(keepends=True)[:-1]) if fault == "short" else output

    def chunk(self, data):
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


class Server(ThreadingHTTPServer):
    """A context manager: the service, and its address."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.service = Service()
        self.released = threading.Event()
        self.folder = Path(tempfile.mkdtemp())
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def __exit__(self, *args):
        self.released.set()
        self.shutdown()
        self.server_close()
        shutil.rmtree(self.folder)

    def options(self):
        """For ``E2BSettings.options``."""
        return {"api_url": self.url, "sandbox_url": self.url, "http_version": "1.1", "retries": 0}
