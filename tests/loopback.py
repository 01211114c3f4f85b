"""A stand-in for W&B's server on 127.0.0.1: what W&B's own client sends to it is kept, and can be asked for again.

It knows as much of the interface as wandb 0.31 uses for runs, files and artifacts. A run's lines are kept as the
client numbers them, so that a line that is sent again takes the place of the first one.
"""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

KEY = "0123456789abcdef" * 2 + "01234567"  # of nobody; as long as W&B wants it


class Run:
    """A run as the server has it."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}  # what the last mutation said of it
        self.lines: dict[str, dict[int, str]] = {}  # by file, then by number

    def rows(self) -> list[dict[str, Any]]:
        """The lines of its history."""
        lines = self.lines.get("wandb-history.jsonl", {})
        return [json.loads(lines[number]) for number in sorted(lines)]

    def summary(self) -> dict[str, Any]:
        """Its summary."""
        lines = self.lines.get("wandb-summary.json", {})
        return json.loads(lines[max(lines)]) if lines else {}

    def config(self) -> dict[str, Any]:
        """Its config, without what W&B adds."""
        known = json.loads(self.told.get("config") or "{}")
        return {name: entry["value"] for name, entry in known.items() if name != "_wandb"}


class Server(ThreadingHTTPServer):
    """The stand-in."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.runs: dict[str, Run] = {}
        self.files: dict[str, bytes] = {}
        self.artifacts: list[dict[str, Any]] = []
        self.views: list[dict[str, Any]] = []
        self.keys: set[str] = set()  # as they came, in base64
        self.unknown: set[str] = set()  # operations that it has no answer for

    def handle_error(self, *_: object) -> None:
        """A client that leaves in the middle is no error."""

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}"

    def run(self, name: str) -> Run:
        """The run of that name."""
        return self.runs.setdefault(name, Run())

    def answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        """What a GraphQL operation gives back."""
        known = getattr(self, f"on_{operation.lower()}", None)
        if known is None:
            self.unknown.add(operation)
            return {}
        return known(given)

    def on_viewer(self, given: dict[str, Any]) -> dict[str, Any]:
        teams = {"edges": [{"node": {"name": "me"}}]}
        flags = {"flags": "{}", "admin": False, "email": "", "teams": teams}
        return {"viewer": {"id": "v1", "entity": "me", "username": "me", "name": "me", **flags}}

    def on_getdefaultentity(self, given: dict[str, Any]) -> dict[str, Any]:
        return self.on_viewer(given)

    def on_serverfeaturesquery(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"serverInfo": {"features": []}}

    def on_upsertbucket(self, given: dict[str, Any]) -> dict[str, Any]:
        run = self.run(given["name"])
        run.told |= {name: value for name, value in given.items() if value is not None}
        return {
            "upsertBucket": {"bucket": bucket(given["name"], run, given.get("project")), "inserted": True}
        }

    def on_runresumestatus(self, given: dict[str, Any]) -> dict[str, Any]:
        known = self.runs.get(given["name"])
        there = None if known is None else bucket(given["name"], known, given.get("project"))
        return {
            "model": {
                "id": "p1",
                "name": given.get("project"),
                "entity": {"id": "e1", "name": "me"},
                "bucket": there,
            }
        }

    def on_createrunfiles(self, given: dict[str, Any]) -> dict[str, Any]:
        files = [{"name": name, "uploadUrl": f"{self.url}/put/run/{name}"} for name in given["files"]]
        return {"createRunFiles": {"runID": "b1", "uploadHeaders": [], "files": files}}

    def on_createartifact(self, given: dict[str, Any]) -> dict[str, Any]:
        self.artifacts.append(given["input"])
        sequence = {"id": "s1", "latestArtifact": None}
        number = f"a{len(self.artifacts)}"
        return {
            "createArtifact": {"artifact": {"id": number, "state": "PENDING", "artifactSequence": sequence}}
        }

    def on_createartifactmanifest(self, given: dict[str, Any]) -> dict[str, Any]:
        where = {
            "uploadUrl": f"{self.url}/put/manifest/{given['artifactID']}.json",
            "uploadHeaders": [],
        }
        return {"createArtifactManifest": {"artifactManifest": {"id": "m1", "file": {"id": "f1", **where}}}}

    def on_createartifactfiles(self, given: dict[str, Any]) -> dict[str, Any]:
        edges = [
            {
                "node": {
                    "id": "f",
                    "name": one["name"],
                    "displayName": one["name"],
                    "storagePath": one["name"],
                    "uploadUrl": f"{self.url}/put/artifact/{one['name']}",
                    "uploadHeaders": [],
                    "uploadMultipartUrls": None,
                    "artifact": {"id": one["artifactID"]},
                }
            }
            for one in given["input"]["artifactFiles"]
        ]
        return {"createArtifactFiles": {"files": {"edges": edges}}}

    def on_commitartifact(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"commitArtifact": {"artifact": {"id": given["artifactID"], "digest": "d"}}}

    def on_artifacttype(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"project": None}

    def on_organizationcoreweaveorganizationid(self, given: dict[str, Any]) -> dict[str, Any]:
        return {}

    def on_upsertview2(self, given: dict[str, Any]) -> dict[str, Any]:
        self.views.append(given)
        return {
            "upsertView": {"view": {"id": f"view-{len(self.views)}", "name": given["name"]}, "inserted": True}
        }

    def stream(self, name: str, sent: dict[str, Any]) -> None:
        """Keep the lines of a run's files."""
        run = self.run(name)
        for file, chunk in sent.get("files", {}).items():
            lines = run.lines.setdefault(file, {})
            for place, line in enumerate(chunk["content"]):
                lines[chunk["offset"] + place] = line


def bucket(name: str, run: Run, project: Any) -> dict[str, Any]:
    """A run, as the server tells of it."""
    counts = {
        f"{kind}LineCount": len(run.lines.get(file, {}))
        for kind, file in (
            ("history", "wandb-history.jsonl"),
            ("events", "wandb-events.jsonl"),
            ("log", "output.log"),
        )
    }
    tail = [json.dumps(row) for row in run.rows()[-1:]]
    return {
        "id": "b1",
        "name": name,
        "displayName": run.told.get("displayName"),
        "description": None,
        "sweepName": None,
        "config": run.told.get("config") or "{}",
        "tags": run.told.get("tags") or [],
        "summaryMetrics": json.dumps(run.summary()),
        "historyTail": json.dumps(tail),
        "eventsTail": "[]",
        "wandbConfig": json.dumps({"t": 1}),
        "project": {"id": "p1", "name": project, "entity": {"id": "e1", "name": "me"}},
        **counts,
    }


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def body(self) -> bytes:
        """What was sent."""
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(sent) if self.headers.get("Content-Encoding") == "gzip" else sent

    def reply(self) -> None:
        """Answer a request."""
        sent, path = self.body(), unquote(urlsplit(self.path).path)
        self.server.keys.add(self.headers.get("Authorization", "").removeprefix("Basic "))
        found: dict[str, Any] = {}
        with self.server.lock:
            if path == "/graphql":
                asked = json.loads(sent)
                found = {
                    "data": self.server.answer(
                        asked.get("operationName") or named(asked["query"]), asked.get("variables") or {}
                    )
                }
            elif path.endswith("/file_stream"):
                self.server.stream(path.split("/")[-2], json.loads(sent))
            elif path.startswith("/put/"):
                self.server.files[path.removeprefix("/put/")] = sent
        text = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = reply  # noqa: N815 (their names)

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


def named(query: str) -> str:
    """The name of a GraphQL operation that comes without one."""
    words = query.replace("(", " ").replace("{", " ").split()
    return words[1] if len(words) > 1 else ""


@contextmanager
def serving() -> Iterator[Server]:
    """The stand-in, while it lasts."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
