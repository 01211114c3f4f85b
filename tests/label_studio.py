"""A Label Studio server of a test's own, and a browser, from what the machine has installed. Loopback alone.

The server is a program of an environment of its own: `label-studio` on the PATH, or what LABEL_STUDIO names.
"""

import base64
import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from servers import free_port

TOKEN = "0123456789abcdef0123456789abcdef01234567"  # of a server that lives as long as a test
EMAIL, PASSWORD = "annotator@example.org", "hushed-up"
START = 900.0  # seconds: its first start makes a database


def asked(url: str, body: object = None, method: str | None = None, token: str = "") -> Any:
    """What a server answers in JSON; raises where it refuses."""
    data = None if body is None else json.dumps(body).encode()
    head = {"Content-Type": "application/json"} | ({"Authorization": f"Token {token}"} if token else {})
    request = urllib.request.Request(url, data, head, method=method)
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.loads(answer.read() or b"null")


@contextmanager
def running(words: list[str], folder: Path, url: str, **environment: str) -> Iterator[None]:
    """A server that answers at `url`, while the block lasts."""
    with (folder / "words.log").open("wb") as log:
        process = subprocess.Popen(
            words, cwd=folder, stdout=log, stderr=log, env=os.environ | environment, start_new_session=True
        )
    try:
        end = time.monotonic() + START
        while True:
            assert process.poll() is None, (folder / "words.log").read_text(errors="replace")[-3000:]
            assert time.monotonic() < end, f"no answer from {url}"
            try:
                asked(url)
            except OSError:
                time.sleep(1)
            else:
                break
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class LabelStudio:
    """The server, with one annotator."""

    url: str

    def ask(self, path: str, body: object = None, method: str | None = None) -> Any:
        """An answer of its interface."""
        return asked(self.url + path, body, method, TOKEN)

    def project(self, folder: Path) -> int:
        """The number of a project with the configuration and the tasks in a folder."""
        title = {"title": folder.name, "label_config": (folder / "config.xml").read_text()}
        number = int(self.ask("/api/projects/", title)["id"])
        self.ask(f"/api/projects/{number}/import", json.loads((folder / "tasks.json").read_text()))
        return number

    def tasks(self, project: int) -> list[dict[str, Any]]:
        """The tasks of a project, in the order of their numbers."""
        tasks = self.ask(f"/api/tasks/?project={project}&fields=all")["tasks"]
        return sorted(tasks, key=lambda task: task["id"])


@contextmanager
def label_studio() -> Iterator[LabelStudio]:
    """A server while the block lasts; skips, with the reason, where it is not installed."""
    program = os.environ.get("LABEL_STUDIO") or shutil.which("label-studio")
    if not program:
        pytest.skip(
            "no label-studio on the PATH, nor named by LABEL_STUDIO (pip install label-studio, 800 MB)"
        )
    with TemporaryDirectory(prefix="label-studio-") as name:
        port = free_port()
        server = LabelStudio(f"http://127.0.0.1:{port}")
        words = [program, "start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port)]
        words += ["--data-dir", name, "--username", EMAIL, "--password", PASSWORD]
        words += ["--user-token", TOKEN, "--enable-legacy-api-token"]
        quiet = {
            "HOME": name,
            "LATEST_VERSION_CHECK": "false",
            "COLLECT_ANALYTICS": "false",
            "SENTRY_DSN": "",
        }
        with running(words, Path(name), f"{server.url}/health", **quiet):
            yield server


@dataclass
class Browser:
    """A session of Chromium, by the WebDriver protocol."""

    session: str

    def do(self, what: str, **body: object) -> Any:
        """A command and its value."""
        return asked(f"{self.session}/{what}", body)["value"]

    def run(self, script: str) -> Any:
        """What a script in the page returns."""
        return self.do("execute/sync", script=script, args=[])

    def picture(self) -> bytes:
        """What is on the screen, as PNG."""
        return base64.b64decode(asked(f"{self.session}/screenshot")["value"])

    def until(self, script: str, seconds: float = 120.0) -> Any:
        """What a script in the page returns as soon as that is something; raises where it takes too long."""
        end = time.monotonic() + seconds
        while not (value := self.run(script)):
            assert time.monotonic() < end, f"still nothing: {script}"
            time.sleep(1)
        return value


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser while the block lasts; skips, with the reason, where there is none."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("no chromium and chromedriver on the PATH (apt-get install chromium chromium-driver)")
    with TemporaryDirectory(prefix="browser-") as name:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        flags = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1500,1300"]
        options = {"binary": chromium, "args": [*flags, f"--user-data-dir={name}"]}
        with running([driver, f"--port={port}"], Path(name), f"{url}/status"):
            wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
            session = f"{url}/session/{asked(f'{url}/session', wanted)['value']['sessionId']}"
            try:
                yield Browser(session)
            finally:
                asked(session, method="DELETE")
