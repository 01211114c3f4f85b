"""Pages in a real browser: what one sees and does with them."""

import json
import re
import shutil
import sys

import pytest
import torch
from big import big
from pages import finished, outline, places
from searched import plan_of, searched
from test_compare import study

from specaug.augment.draws import draw
from specaug.augment.keys import make_keys
from specaug.augment.shares import hidden_shares
from specaug.study.load import load
from specaug.study.page.report import Wanted, report
from specaug.study.sweep.page import report as sweep_report

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
pytestmark = pytest.mark.slow
NASTY = "</script><img src=x onerror=alert(1)>"
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,900")


@pytest.fixture(scope="module")
def browser():
    found = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    if missing := [name for name, path in found.items() if path is None]:
        pytest.skip(f"no {' and no '.join(missing)} on the path")
    options = webdriver.ChromeOptions()
    options.binary_location = found["chromium"]
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(found["chromedriver"])
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    return finished(tiny, tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="module")
def path(tiny, folder):
    return report([folder], folder.parent / "page.html", places(tiny, folder.parent), Wanted(None, 6, 3))


@pytest.fixture
def page(browser, path):
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(path.as_uri())
    wait(browser, "return document.getElementById('told').textContent.length > 0")
    return browser


def wait(browser, script):
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 30).until(lambda one: one.execute_script(script))


def element(browser, name):
    return browser.find_element("id", name)


def choose(browser, name, text):
    from selenium.webdriver.support.ui import Select

    Select(element(browser, name)).select_by_visible_text(text)


def rows(browser):
    return browser.find_elements("css selector", "#list li")


def pick(browser, name):
    """Choose an utterance by its id."""
    search = element(browser, "search")
    search.clear()
    search.send_keys(name)
    rows(browser)[0].click()
    wait(browser, f"return document.getElementById('name').textContent === '{name}'")


def test_headings_and_tables_are_shown_as_they_stand_in_the_file(page, path):
    found = outline(path)
    assert [one.text for one in page.find_elements("tag name", "h2")] == found.texts("h2")
    cells = [one.text for one in page.find_elements("css selector", "#rates td")]
    assert [cell for cell in cells if cell] == [cell for cell in found.texts("td")[: len(cells)] if cell]


def test_nothing_is_in_the_console_and_no_request_leaves_the_file(page):
    page.execute_script("document.querySelectorAll('.chart').forEach(one => one.scrollIntoView())")
    wait(page, "return document.querySelectorAll('.chart .main-svg').length > 0")
    element(page, "audio").click()
    assert page.get_log("browser") == []
    asked = [entry["message"] for entry in page.get_log("performance")]
    urls = [re.search(r'"url":"(\w+):', one)[1] for one in asked if '"Network.requestWillBeSent"' in one]
    assert "file" in urls
    assert set(urls) <= {"file", "data", "blob"}


def test_the_page_opens_at_its_top(page):
    assert page.execute_script("return window.scrollY") == 0


def test_the_last_utterance_is_brought_into_sight_in_the_list_and_the_page_stays(page):
    at = page.execute_script(
        "const list = document.getElementById('list'); list.style.height = '80px'; list.focus({preventScroll: true});"
        "for (let n = 1; n < list.children.length; n++)"
        "  list.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowDown', bubbles: true}));"
        "const item = list.querySelector('[aria-selected=true]').getBoundingClientRect();"
        "const frame = list.getBoundingClientRect();"
        "return [item.bottom - frame.bottom, frame.top - item.top, window.scrollY]"
    )
    assert at[0] <= 2
    assert at[1] <= 2
    assert at[2] == 0


def test_charts_are_drawn_when_they_are_looked_at(page):
    page.execute_script("scrollTo(0, 0)")
    drawn = "return [...document.querySelectorAll('.chart')].map(one => Boolean(one.dataset.drawn))"
    assert not all(page.execute_script(drawn))
    for chart in page.find_elements("css selector", ".chart"):
        page.execute_script("arguments[0].scrollIntoView()", chart)
        wait(page, f"return Boolean(document.getElementById('{chart.get_attribute('id')}').dataset.drawn)")
    assert all(page.execute_script(drawn))


def test_filters_narrow_the_list(page):
    everything = len(rows(page))
    assert everything == 8
    choose(page, "part", "dev")
    assert len(rows(page)) == 2
    choose(page, "part", "all")
    choose(page, "speaker", "test-speaker")
    assert len(rows(page)) == 2
    choose(page, "speaker", "all")
    element(page, "search").send_keys("c a")
    assert [row.text.splitlines()[0] for row in rows(page)] == ["c a"]
    element(page, "search").clear()
    element(page, "search").send_keys("nobody says this")
    assert rows(page) == []
    assert element(page, "count").text.startswith("0 of 8 utterances.")


def test_errors_are_filtered_by_policy(page, path):
    found = outline(path)
    index = json.loads(found.texts("script", id="index")[0])
    for number, label in enumerate(index["policies"]):
        choose(page, "policy", label)
        for kind, counts in index["errors"].items():
            choose(page, "errors", kind)
            expected = {index["ids"][place] for place, count in enumerate(counts[number]) if count}
            shown = {index["ids"][int(row.get_attribute("data-place"))] for row in rows(page)}
            assert shown == expected


def test_the_chosen_utterance_is_shown_with_what_every_policy_heard(page, folder):
    pick(page, "test-0")  # "ac"; every other seed hears "b a" and "a c"
    choose(page, "seed", "0")
    told = element(page, "words").text.splitlines()
    assert told[0].split() == ["said", "ac"]
    assert told[1].split()[:2] == ["None:", "2"]
    marks = [one.tag_name for one in page.find_elements("css selector", "#words ins, #words del, #words em")]
    assert sorted(set(marks)) == ["em", "ins"]
    choose(page, "seed", "1")
    assert page.find_elements("css selector", "#words ins, #words del, #words em") == []
    choose(page, "seed", "every")
    assert len(element(page, "words").find_elements("css selector", "th")) == 1 + 6
    assert folder.is_dir()


def test_arrow_keys_go_through_the_list(page):
    from selenium.webdriver.common.keys import Keys

    box = element(page, "list")
    names = []
    for key in (Keys.HOME, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_UP):
        box.send_keys(key)
        names.append(element(page, "name").text)
    assert names[3] == names[1] != names[2]
    chosen = page.find_elements("css selector", "#list li[aria-selected=true]")
    assert box.get_attribute("aria-activedescendant") == chosen[0].get_attribute("id")


def test_the_masks_of_each_epoch_hide_what_the_policy_drew(page, folder):
    pick(page, "train-2")
    run = next(one for one in sorted(folder.iterdir()) if one.name.startswith("LD"))
    recipe = load(run / "recipe.yaml").run()
    frames = page.execute_script("return JSON.parse(document.getElementById('sound-6').textContent).frames")
    assert element(page, "name").text == "train-2"
    choose(page, "masker", "LD x 0.1")
    choose(page, "masks-seed", str(recipe.seed))
    for epoch in range(3):
        page.execute_script(
            "const s = document.getElementById('epoch'); s.value = arguments[0];"
            "s.dispatchEvent(new Event('input', { bubbles: true }))",
            epoch + 1,
        )
        keys = make_keys(recipe.seed, epoch, ["train-2"])
        lengths = torch.tensor([frames])
        draws = draw(recipe.policy.policy(), lengths, recipe.features.mel, keys)
        share = 100 * float(hidden_shares(draws, lengths, recipe.features.mel)[0, 0])
        assert f"epoch {epoch + 1}: " in element(page, "told").text
        assert f"{share:.1f} % of the cells hidden" in element(page, "told").text


def test_the_picture_shows_the_colours_of_the_features(page):
    pick(page, "train-0")
    choose(page, "masker", "none")
    assert element(page, "told").text == "As it is."
    shades = page.execute_script(
        "const c = document.getElementById('picture'), d = c.getContext('2d').getImageData(60, 70, 200, 180).data;"
        "const s = new Set(); for (let i = 0; i < d.length; i += 4) s.add([d[i], d[i + 1], d[i + 2]].join());"
        "return [...s]"
    )
    index = page.execute_script("return JSON.parse(document.getElementById('index').textContent).colours")
    known = {",".join(str(int(one[i : i + 2], 16)) for i in (1, 3, 5)) for one in index}
    assert len(shades) > 10
    assert set(shades) <= known


def test_the_sound_can_be_played_to_its_end(page):
    pick(page, "train-0")
    page.execute_script("document.getElementById('audio').load()")
    wait(page, "const a = document.getElementById('audio'); a.preload = 'auto'; return a.readyState >= 1")
    seconds = page.execute_script("return document.getElementById('audio').duration")
    assert seconds == pytest.approx(0.5, abs=0.02)  # two tones of 0.2 s, and a pause


def test_what_was_heard_is_text_whatever_it_holds(browser, tiny, tmp_path):
    runs = finished(tiny, tmp_path, seeds=(0,), said=NASTY)
    page = report([runs], tmp_path / "page.html", places(tiny, tmp_path), Wanted(None, 2, 2))
    browser.get_log("browser")
    browser.get(page.as_uri())
    wait(browser, "return document.getElementById('words').textContent.length > 0")
    pick(browser, "test-0")
    assert "onerror=alert(1)>" in element(browser, "words").text
    assert browser.find_elements("tag name", "img") == []
    assert browser.get_log("browser") == []


def test_without_sound_the_texts_are_there(browser, tiny, folder, tmp_path):
    page = report([folder], tmp_path / "page.html", places(tiny, tmp_path), Wanted(None, 0, 2))
    browser.get(page.as_uri())
    assert element(browser, "note").text == "Texts only: none was asked for."
    assert not element(browser, "audio").is_displayed()
    assert element(browser, "words").text.startswith("said")


@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_reaches_over_the_edge(page, width):
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        wait(page, f"return innerWidth === {width}")
        assert page.execute_script("return document.documentElement.scrollWidth") <= width
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


CUT = """return [...document.querySelectorAll(".wide")].filter(one => one.scrollWidth > one.clientWidth)
  .map(one => one.textContent.slice(0, 80))"""


@pytest.fixture(scope="module")
def pages_of_tables(path, tmp_path_factory):
    """A report of strings and of a sweep with its confirm runs, whose rates are wide."""
    folder = tmp_path_factory.mktemp("wide")
    policies = ["None", "LB x 0.25", "LD x 0.25", "SM x 0.25 with the linear warp"]
    runs = study(folder / "runs", policies)
    plan = plan_of(24)
    (folder / "sweep").mkdir()
    searching = searched(folder / "sweep", plan)
    return {
        "strings": report([runs], folder / "strings.html", places(folder, folder), Wanted(None, 0, 1)),
        "sweep": sweep_report(searching, plan, [runs], folder / "sweep.html"),
        "tones": path,
    }


@pytest.mark.parametrize("name", ["strings", "sweep", "tones"])
def test_no_table_is_cut_off_in_a_window_of_1300(browser, pages_of_tables, name):
    size = {"width": 1300, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        browser.get(pages_of_tables[name].as_uri())
        browser.execute_script("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        assert browser.find_elements("css selector", ".wide table")
        assert browser.execute_script(CUT) == []
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("name", ["strings", "tones"])
def test_every_drawn_axis_has_two_numbers_in_sight(browser, pages_of_tables, name):
    browser.get(pages_of_tables[name].as_uri())
    for chart in browser.find_elements("css selector", ".chart"):
        browser.execute_script("arguments[0].scrollIntoView()", chart)
        wait(browser, f"return Boolean(document.querySelector('#{chart.get_attribute('id')} .main-svg'))")
        for axis in ("xtick", "ytick"):
            assert len(chart.find_elements("css selector", f".{axis} text")) >= 2


FAINT = """
const numbers = text => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const over = ([r, g, b, a = 1], below) => [r, g, b].map((v, i) => a * v + (1 - a) * below[i]);
const ground = one => one ? over(numbers(getComputedStyle(one).backgroundColor), ground(one.parentElement)) : [255, 255, 255];
const contrast = one => {
  const { fill, color } = getComputedStyle(one), below = ground(one);
  const ink = over(numbers(one instanceof SVGElement ? fill : color), below);
  const [low, high] = [light(ink), light(below)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};
const told = one => [...one.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim());
const seen = [...document.body.querySelectorAll("*")].filter(one => told(one) && one.checkVisibility());
return {
  paper: light(ground(document.body)), seen: seen.length,
  faint: seen.map(one => [one.tagName, one.textContent.trim().slice(0, 40), contrast(one)]).filter(one => one[2] < 4.5),
};
"""  # text whose contrast to what lies below is under 4.5, the least of WCAG 2 (1.4.3)


@pytest.mark.parametrize(
    ("media", "scheme", "paper"),
    [("screen", "light", 1.0), ("screen", "dark", 0.01), ("print", "light", 1.0), ("print", "dark", 1.0)],
)
def test_every_text_stands_out_from_its_ground(page, media, scheme, paper):
    asked = {"media": media, "features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", asked)
    try:
        page.execute_script("document.querySelectorAll('.chart').forEach(one => one.scrollIntoView())")
        wait(page, "return document.querySelectorAll('.chart .main-svg').length > 0")
        found = page.execute_script(FAINT)
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {})
    assert found["paper"] == pytest.approx(paper, abs=0.005)
    assert found["seen"] > 100
    assert found["faint"] == []


def test_the_largest_page_lists_its_utterances(browser, tmp_path, capsys):
    path = big(tmp_path)
    browser.get(path.as_uri())
    wait(browser, "return document.querySelectorAll('#list li').length === 300")
    took = "return performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
    with capsys.disabled():
        size, milliseconds = path.stat().st_size / 1e6, browser.execute_script(took)
        sys.stdout.write(f"\na page of {size:.1f} MB was read and listed in {milliseconds:.0f} ms\n")
    element(browser, "search").send_keys("dev-399")
    assert len(rows(browser)) == 1
