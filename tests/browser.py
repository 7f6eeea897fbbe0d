"""The report, the explorer and JupyterLab in a real browser: `make browser`, not part of `make test`.

Pages are opened from files with the network off, at the width of a screen and of a phone. What fails: an error on the
console, a request to anywhere but this machine, a picture that is not there, a page wider than the screen, an error in
a cell. PAGES=folder takes pages that are there, such as out/demo/open; otherwise those of the committed study are made.
Look at the screenshots in out/browser."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import matplotlib
import nbformat
import pytest

from ppglib.files import NOTEBOOKS, ROOT

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make browser")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine: apt install chromium")
OUT = ROOT / "out" / "browser"
SIZES = {"screen": (1280, 900), "phone": (390, 844)}
PROMPTS = "[...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(p => p.textContent)"  # [*], [3] or [ ]
FOCUS = "getComputedStyle(document.activeElement).outlineStyle !== 'none'"  # can be seen
WAIT = 900_000  # ms for a notebook


@pytest.fixture(scope="session")
def browser():
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])  # pages of our own
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def pages():
    if folder := os.environ.get("PAGES"):
        return Path(folder).resolve()
    made = OUT / "pages"
    command = ["reproduce", "--results", "data/results/open", "--only", "02,04,08,10,12", "--out", str(made), "--jobs", "1"]
    subprocess.run([sys.executable, "-m", "ppglib", *command], cwd=ROOT, check=True)
    return made


@pytest.fixture(params=SIZES)
def page(request, browser):
    """A page that remembers what went wrong on it."""
    width, height = SIZES[request.param]
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    page.size = request.param
    watch(page)
    page.on("requestfailed", lambda r: page.wrong.append(f"failed: {r.url}"))
    yield page
    context.close()


def watch(page):
    page.wrong = []
    page.on("console", lambda m: page.wrong.append(f"console: {m.text}") if m.type == "error" else None)
    page.on("pageerror", lambda error: page.wrong.append(f"error: {error}"))
    page.on("request", lambda r: None if _own(r.url) else page.wrong.append(f"asks {r.url}"))


def _own(url):
    return re.match(r"(file|data|blob|about):|(https?|wss?)://(127\.0\.0\.1|localhost)[:/]", url)


def shoot(page, name, whole=True):
    OUT.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=OUT / f"{name}.{page.size}.png", full_page=whole)


def healthy(page):
    assert not page.wrong, page.wrong
    missing = page.evaluate("[...document.images].filter(i => !(i.complete && i.naturalWidth)).map(i => i.src.slice(0, 80))")
    assert not missing, missing
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def test_every_page_of_the_report_from_a_file_without_a_network(page, pages):
    page.context.set_offline(True)
    waiting, seen = [(pages / "index.html").as_uri()], set()
    while waiting:
        url = waiting.pop()
        if url in seen:
            continue
        seen.add(url)
        page.goto(url)
        healthy(page)
        name = url.removeprefix(pages.as_uri() + "/").removesuffix(".html").replace("/", "_")
        shoot(page, f"report_{name}")
        links = page.evaluate("[...document.links].map(a => a.href.split('#')[0])")
        inside = [link for link in links if link.startswith(pages.as_uri())]
        assert all(Path(urllib.request.url2pathname(link.removeprefix("file://"))).is_file() for link in inside)
        waiting += [link for link in inside if link.endswith(".html")]
    made = {path.as_uri() for path in pages.rglob("*.html")}
    assert seen == made, f"no way leads to {made - seen}"


def test_the_report_is_reached_by_the_keyboard(page, pages):
    page.goto((pages / "index.html").as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(400):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break
        reached.add(page.evaluate("document.activeElement.getAttribute('href')"))
        assert page.evaluate(FOCUS), page.evaluate("document.activeElement.outerHTML")
    links = set(page.evaluate("[...document.querySelectorAll('main a')].map(a => a.getAttribute('href'))"))
    assert links <= reached, links - reached


def test_the_explorer_filters_tells_and_can_be_reached(page, pages):
    page.context.set_offline(True)
    page.goto((pages / "explore.html").as_uri())
    every = page.locator("#plot .point").count()
    assert every > 10 and page.locator("#table tbody tr").count() > 5
    assert len((pages / "explore.html").read_bytes()) < 2e6
    for name, value in (("recipe", "tuned"), ("teacher", "0"), ("field", "whole"), ("dataset", "bami2"), ("decoder", "median"), ("x", "parameters")):
        if page.locator(f"#{name} option[value='{value}']").count():
            before = page.inner_html("#plot")
            page.select_option(f"#{name}", value)
            assert page.inner_html("#plot") != before, name
    shown = page.locator("#plot .point").count()
    assert 0 < shown < every
    page.select_option("#x", "int8")
    counted = page.locator("#plot .point").count()
    assert f"Left out: {shown - counted} more" in page.inner_text("#count") and "int8" in page.text_content("#plot")
    page.select_option("#x", "parameters")
    page.uncheck("input[value=gaussian]")
    assert "gaussian" not in page.inner_text("#table")
    page.check("input[value=gaussian]")
    box = page.locator("#plot .point").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert "MAE" in page.inner_text("#tip") and "BPM" in page.inner_text("#tip")
    shoot(page, "explorer_hover", whole=False)
    page.mouse.move(2, 2)
    page.focus("input[value=scratch]")
    for _ in range(40):  # from the filters to the points
        page.keyboard.press("Tab")
        assert page.evaluate(FOCUS)
        if page.evaluate("document.activeElement.id") == "plot":
            break
    assert page.evaluate("document.activeElement.id") == "plot"
    told = []
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        told.append(page.inner_text("#tip"))
    assert len(set(told)) == 3 and page.text_content("#said").startswith(told[-1].split("\n")[0])
    page.keyboard.press("Escape")
    assert page.is_hidden("#tip")
    verdicts = page.inner_text("#verdicts")
    page.select_option("#judged", "median")
    assert page.inner_text("#verdicts") != verdicts and page.locator("#verdicts .verdict").count() > 19
    for name in page.locator("#filters button").all_inner_texts():
        page.get_by_role("button", name=name, exact=True).click()
    assert "widen the filters" in page.inner_html("#plot")
    healthy(page)


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """JupyterLab as `make lab` starts it, on a copy of the notebooks, and its address."""
    root, home = tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("home")
    for part in (NOTEBOOKS, ROOT / "tools"):
        shutil.copytree(part, root / part.name)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--config", "tools/jupyter_lab_config.py", "--no-browser", f"--port={port}", "--ip=127.0.0.1", "--IdentityProvider.token="]
    options += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    environment = os.environ | {"HOME": str(home), "PYTHONPATH": str(ROOT), "JUPYTER_PLATFORM_DIRS": "1", "MPLCONFIGDIR": matplotlib.get_configdir()}
    server = subprocess.Popen([sys.executable, "-m", "jupyterlab", *options], cwd=root, env=environment,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            with contextlib.suppress(urllib.error.URLError):
                urllib.request.urlopen(f"{url}/api").close()
                break
            time.sleep(1)
        yield url
    finally:
        server.terminate()
        server.wait(60)


@pytest.mark.parametrize("name", ["00_start_here", "12_explore"])
def test_a_notebook_runs_in_jupyterlab(browser, lab, name):
    context = browser.new_context(viewport={"width": 1280, "height": 2600})
    page = context.new_page()
    page.set_default_timeout(WAIT)
    page.size = "screen"
    watch(page)
    page.goto(f"{lab}/lab/tree/notebooks/{name}.ipynb?reset", timeout=WAIT)
    page.wait_for_selector(".jp-NotebookPanel .jp-CodeCell", timeout=WAIT)
    page.wait_for_function("document.body.innerText.includes('| Idle')", timeout=WAIT)  # the kernel, in the status bar
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    cells = sum(cell.cell_type == "code" for cell in nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells)
    page.wait_for_function(f"{PROMPTS}.some(text => text.includes('*'))", timeout=WAIT)
    page.wait_for_function(f"{PROMPTS}.filter(text => /\\d/.test(text)).length === {cells}", timeout=WAIT)
    wrong = page.locator("[data-mime-type='application/vnd.jupyter.error'], [data-mime-type='application/vnd.jupyter.stderr']")
    assert not wrong.count(), wrong.first.inner_text()
    assert page.locator(".jp-OutputArea-output img").count() >= 2
    if name.startswith("12"):
        moved(page)
    shoot(page, f"lab_{name}", whole=False)
    dialogs = page.locator(".jp-Dialog, .Toastify__toast").all_inner_texts()
    assert not dialogs, dialogs
    assert not page.wrong, page.wrong
    context.close()


def moved(page):
    """Another person: the picture of the controls follows."""
    picture = page.locator(".widget-image, .jupyter-widgets img").first
    picture.scroll_into_view_if_needed()
    before = picture.get_attribute("src")
    page.locator(".widget-dropdown select").first.select_option(index=1)
    page.wait_for_function("old => document.querySelector('.widget-image, .jupyter-widgets img').src !== old", arg=before, timeout=WAIT)
