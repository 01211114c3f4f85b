"""The round trip through a Label Studio that is really there, and a look at a task through a browser."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from label_studio import EMAIL, PASSWORD, Browser, LabelStudio, browser, label_studio
from test_triage_export import runs, sources, talking  # noqa: F401 (fixtures)

from specaug.study.comparing.reading import read_runs
from specaug.study.triage.annotations import read_annotations
from specaug.study.triage.cases import cases_of, worst
from specaug.study.triage.export import export

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

DARK = """
const canvas = document.querySelector('canvas');
if (!canvas || !canvas.width || canvas.height < 150) return 0;
const top = Math.round(canvas.height * 0.6);
const pixels = canvas.getContext('2d').getImageData(0, top, canvas.width, canvas.height - top).data;
let dark = 0;
for (let i = 0; i < pixels.length; i += 4)
  dark += pixels[i + 3] > 200 && pixels[i] + pixels[i + 1] + pixels[i + 2] < 450;
return 4 * dark / pixels.length;
"""  # the share of dark pixels below the waveform: the spectrogram goes from purple to yellow, the rest is transparent


@pytest.fixture(scope="module")
def server() -> Iterator[LabelStudio]:
    with label_studio() as made:
        yield made


@pytest.fixture
def exported(talking, sources, tmp_path) -> Path:  # noqa: F811 (fixtures)
    export(worst(cases_of(read_runs([talking])), None, 4), sources, tmp_path / "out")
    return tmp_path / "out"


def result(name: str, kind: str, **value: object) -> dict[str, object]:
    return {"from_name": name, "to_name": "audio", "type": kind, "value": value}


def log_in(page: Browser, server: LabelStudio) -> None:
    page.do("url", url=f"{server.url}/user/login/")
    page.until("return document.querySelector('[name=password]') !== null")
    page.run(
        f"document.querySelector('[name=email]').value = '{EMAIL}';"
        f"document.querySelector('[name=password]').value = '{PASSWORD}';"
        "document.querySelector('[name=password]').form.submit()"
    )
    page.until("return !location.pathname.includes('login')")


def test_what_is_annotated_there_comes_back_in_both_forms(server, exported, tmp_path):
    project = server.project(exported)
    first, second, third, fourth = (task["id"] for task in server.tasks(project))
    reference = server.tasks(project)[2]["data"]["reference"]
    span = {"start": 0.1, "end": 0.3, "channel": 0}
    answers = {
        first: [
            result("corrected", "textarea", text=["b b"]),
            result("cause", "choices", choices=["noise", "accent"]),
        ],
        second: [
            result("mark", "labels", **span, labels=["bad-reference"]),
            result("cause", "choices", choices=["unclear"]),
        ],
        third: [result("corrected", "textarea", text=[reference])],
    }
    for task, results in answers.items():
        server.ask(f"/api/tasks/{task}/annotations/", {"result": results})
    server.ask(f"/api/tasks/{fourth}/annotations/", {"result": [], "was_cancelled": True})
    read = {}
    for form in ("JSON", "JSON_MIN"):
        path = tmp_path / f"{form}.json"
        path.write_text(json.dumps(server.ask(f"/api/projects/{project}/export?exportType={form}")))
        read[form] = [
            (a.utterance, a.verdict, a.causes, a.policy, a.annotator, a.time) for a in read_annotations(path)
        ]
    assert read["JSON"] == read["JSON_MIN"]
    assert [(verdict, causes) for _, verdict, causes, *_ in read["JSON"]] == [
        ("b b", ("noise", "accent")),
        ("", ("unclear",)),
        (None, ()),
    ]


def test_regions_notes_and_texts_arrive_as_they_were_written(server, exported):
    tasks = json.loads((exported / "tasks.json").read_text())
    for task, got in zip(tasks, server.tasks(server.project(exported)), strict=True):
        assert got["data"] == task["data"]
        (prediction,) = got["predictions"]
        assert prediction["result"] == task["predictions"][0]["result"]


def test_the_spectrogram_is_seen_and_text_of_the_data_is_text(server, exported):
    tasks = json.loads((exported / "tasks.json").read_text())
    tasks[0]["data"]["hypotheses"] = "<img src=x onerror=\"document.title='broken into'\">"
    (exported / "tasks.json").write_text(json.dumps(tasks))
    project = server.project(exported)
    with browser() as page:
        log_in(page, server)
        page.do("url", url=f"{server.url}/projects/{project}/data?task={server.tasks(project)[0]['id']}")
        page.until("return document.querySelector('canvas') !== null")
        dark = [page.run(DARK)]
        while dark[-1] < 0.3 and len(dark) < 30:  # without a screen it is drawn when the window changes
            page.do("window/rect", width=1400 + 10 * (len(dark) % 2), height=1250)
            time.sleep(4)
            dark.append(page.run(DARK))
        if picture := os.environ.get("SCREENSHOT"):
            Path(picture).write_bytes(page.picture())
        assert dark[-1] > 0.3, dark
        assert "<img src=x" in page.run("return document.body.innerText")
        assert "broken" not in page.run("return document.title")
