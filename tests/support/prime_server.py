"""A server that speaks the contract of Prime's sandboxes on this machine: control plane and gateway; a machine is a folder."""

import json
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from urllib.parse import parse_qs, urlsplit

import e2b_server
from e2b_server import MULTIPART
from prime_sandboxes._proto.command_session.command_session_pb2 import StartRequest, StartResponse

LATE = "2100-01-01T00:00:00Z"


@dataclass
class Service(e2b_server.Service):
    """What the server saw, and what it is told to get wrong; of the faults, ``endless`` is a command whose end is not told."""

    lose: int = 0
    """Creations that are made and never answered."""
    swept: list[str] = field(default_factory=list)
    """Labels of which everything was deleted."""
    busy: Event = field(default_factory=Event)
    """A creation or a command hangs."""


class Handler(e2b_server.Handler):
    """One request: ``/api/v1`` is the control plane, ``/ns/MACHINE`` the gateway."""

    def do_GET(self):
        self.body()
        self.answer(200, {"status": "RUNNING"})

    def do_DELETE(self):
        body, name = self.body(), self.path.removeprefix("/api/v1/sandbox").strip("/")
        service, names = self.service, [name]
        if not name:
            (label,) = json.loads(body)["labels"]
            service.swept.append(label)
            names = [one["id"] for one in service.made if label in one["labels"] and one["id"] not in service.ended]
        service.ended += names
        self.answer(200, {"succeeded": names, "failed": [], "message": ""})

    def do_POST(self):
        path, body = urlsplit(self.path), self.body()
        match path.path.strip("/").split("/"):
            case ["api", "v1", "sandbox"]:
                self.create(body)
            case ["api", "v1", "sandbox", "status:batchGet"]:
                names = json.loads(body)["sandbox_ids"]
                statuses = [{"sandbox_id": name, "status": "RUNNING"} for name in names]
                self.answer(200, {"statuses": statuses, "errors": []})
            case ["api", "v1", "sandbox", name, "auth"]:
                place = {"gateway_url": self.server.url, "user_ns": "ns", "job_id": name}
                self.answer(200, place | {"token": f"key-of-{name}", "expires_at": LATE})
            case ["ns", self.machine, "upload"]:
                self.write(parse_qs(path.query)["path"][0], body)
            case ["ns", self.machine, "command_session.CommandSession", "Start"]:
                self.start(body)
            case _:
                self.answer(404, {"detail": self.path})

    @property
    def machine(self):
        return self.headers["Authorization"].removeprefix("Bearer key-of-")

    def create(self, body):
        service, wanted = self.service, json.loads(body)
        assert self.headers["Authorization"] == "Bearer the-key"
        if service.refuse:
            self.answer(service.refuse, {"detail": "no machine for you"})
            return
        name = f"machine{len(service.made) + 1}"
        service.made.append(wanted | {"id": name})
        (self.server.folder / name).mkdir()
        if service.lose:
            service.lose -= 1
            self.hang()
            return
        sizes = {"cpuCores": 2, "memoryGB": 4, "diskSizeGB": 5, "diskMountPath": "/", "gpuCount": 0}
        times = {"timeoutMinutes": wanted["timeout_minutes"], "createdAt": LATE, "updatedAt": LATE}
        facts = {"id": name, "name": wanted["name"], "dockerImage": wanted["docker_image"], "status": "PENDING"}
        self.answer(200, facts | sizes | times)

    def hang(self):
        """Wait until the client has gone."""
        self.service.busy.set()
        self.connection.recv(1)
        self.drop()

    def drop(self):
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(2)

    def place(self, path):
        return path.replace("/tmp/", f"{self.server.folder}/{self.machine}/")

    def write(self, path, body):
        data = MULTIPART.search(body)[1]
        self.service.written.append(data)
        Path(self.place(path)).write_bytes(data)
        self.answer(200, {"success": True, "path": path, "size": len(data), "timestamp": LATE})

    def start(self, body):
        command = StartRequest.FromString(body[5:]).command
        assert command.cmd == "/bin/bash" and command.args[0] == "-c"
        fault = ""
        if "gasp-env" in command.args[1]:  # not the client's own question whether the machine is there
            self.service.commands.append(command.args[1])
            fault = self.service.faults.pop(0) if self.service.faults else ""
        self.send_response(200)
        self.send_header("Content-Type", "application/connect+proto")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.event(start={"pid": 7})
        if fault == "hang":
            self.hang()
        elif fault == "drop":
            self.drop()
        else:
            if fault != "endless":
                code, output = self.outcome(command.args[1], fault)
                for at in range(0, len(output), 1 << 16):
                    self.event(data={"stdout": output[at : at + (1 << 16)]})
                self.event(end={"exit_code": code, "exited": True})
            self.chunk(struct.pack(">BI", 2, 2) + b"{}")
            self.chunk(b"")

    def event(self, **what):
        message = StartResponse(event=what).SerializeToString()
        self.chunk(struct.pack(">BI", 0, len(message)) + message)


class Server(e2b_server.Server):
    """A context manager: the service, and its address."""

    def __init__(self):
        super().__init__()
        self.RequestHandlerClass = Handler
        self.service = Service()
