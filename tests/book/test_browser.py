"""The built book in a real browser: on a laptop, on a phone, in dark mode, offline."""

import base64
import functools
import gzip
import http.server
import io
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from repro import by_width
from repro.analysis import regimes
from repro.book import build
from repro.figures.explorers import published_unmarked, set_name

CONTENTS = build.contents()
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OFFLINE = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
)  # fmt: skip
LAPTOP, PHONE = {"width": 1366, "height": 768}, {"width": 390, "height": 844}
MEGABYTE = 1_000_000


def missing(what: str):
    """Skip, and in continuous integration fail."""
    message = f"{what}, so the book cannot be looked at: see the extra `test` and .ci/run."
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="module")
def browser():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("There is no playwright")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        missing("There is no Chromium or Chrome")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=list(OFFLINE))
        yield started
        started.close()


@pytest.fixture(scope="module")
def site(built_book: Path) -> Iterator[str]:
    """The address of the built book, served on loopback."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(built_book))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Visitor:
    """Opens pages of the book, and takes down whatever goes wrong meanwhile."""

    def __init__(self, browser, site: str) -> None:
        self.browser, self.site = browser, site
        self.troubles: list[str] = []
        self.contexts: list = []

    def open(self, name: str, **options):
        context = self.browser.new_context(viewport=LAPTOP, **options)
        self.contexts.append(context)
        context.route(lambda url: not url.startswith((self.site, "data:", "blob:")), self._outside)
        page = context.new_page()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.troubles.append(f"error {error}"))
        page.on("requestfailed", lambda request: self.troubles.append(f"failed {request.url}"))
        page.on("response", self._response)
        page.goto(f"{self.site}/{name}")  # until it is loaded: a busy machine can idle before that
        page.wait_for_load_state("networkidle")
        return page

    def _outside(self, route) -> None:
        self.troubles.append(f"outside {route.request.url}")
        route.abort()

    def _console(self, message) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(f"console {message.text}")

    def _response(self, response) -> None:
        if response.status >= 400:
            self.troubles.append(f"{response.status} {response.url}")


@pytest.fixture
def visitor(browser, site) -> Iterator[Visitor]:
    one = Visitor(browser, site)
    yield one
    for context in one.contexts:
        context.close()


LOADED = """[...performance.getEntriesByType("navigation"),
    ...performance.getEntriesByType("resource")].map((one) => one.name)"""


def transferred(page, site: str, folder: Path) -> int:
    """Bytes of everything the page has loaded, compressed as web servers do."""
    names = {urlsplit(name).path[1:] for name in page.evaluate(LOADED) if name.startswith(site)}
    contents = [(folder / name).read_bytes() for name in names if (folder / name).is_file()]
    return sum(min(len(content), len(gzip.compress(content))) for content in contents)


def axe_violations(page) -> list[str]:
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        missing("There is no axe-playwright-python")
    # The theme keeps its search box in a dialog that is closed; axe looks at what is shown.
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"][:3]]


TOO_WIDE = """() => [...document.querySelectorAll(".bd-article *")].filter((one) => {
  if (one.closest("mjx-assistive-mml, .explorer-unseen")) return false;
  for (let up = one.parentElement; up; up = up.parentElement) {
    const clip = getComputedStyle(up).overflowX;
    if (clip !== "visible" && up.clientWidth <= innerWidth) return false;
    if (up.classList.contains("bd-article")) break;
  }
  return one.getBoundingClientRect().right > innerWidth + 1;
}).map((one) => one.outerHTML.slice(0, 120))"""
WIDTHS = """[...document.querySelectorAll("a.image-reference img")]
    .filter((one) => one.offsetParent).map((one) => one.width)"""
READING = """() => {
  const article = document.querySelector("article.bd-article");
  const closed = (one) => one.closest("details:not([open])") && !one.closest("summary");
  const seen = (one) => one.checkVisibility({visibilityProperty: true}) && !closed(one);
  const walker = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
  let words = 0;
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (!seen(parent)) continue;
    if (parent.closest("div.cell_input, script, style, nav, .headerlink")) continue;
    words += walker.currentNode.textContent.trim().split(/\\s+/).filter(Boolean).length;
  }
  const figures = [...article.querySelectorAll("img, svg, canvas")].filter(
    (one) => seen(one) && one.getBoundingClientRect().width > 250);
  return {
    words,
    rows: [...article.querySelectorAll("tbody tr")].filter(seen).length,
    code: [...article.querySelectorAll("div.cell_input")].filter(seen).length,
    figure: Math.min(...figures.map((one) => one.getBoundingClientRect().top + scrollY)),
    height: document.documentElement.scrollHeight,
    broken: [...document.images]
      .filter((one) => !(one.complete && one.naturalWidth) && one.offsetParent)
      .map((one) => one.src),
  };
}"""
# By a script, and colours take a moment.
DARK = """() => document.documentElement.dataset.theme == "dark" &&
  !document.getAnimations().some((one) => one instanceof CSSTransition)"""
LONG = ("api", "glossary", "status")


@pytest.mark.parametrize("name", CONTENTS)
def test_a_page(visitor, built_book, name):
    """Light and small, for someone in a hurry; accessible by day and by night; on a phone."""
    page = visitor.open(f"{name}.html")
    size = transferred(page, visitor.site, built_book)
    assert 100_000 < size < (MEGABYTE if name == "index" else 6 * MEGABYTE)
    found = page.evaluate(READING)
    assert not found["broken"]
    if name not in LONG:
        assert found["words"] <= 900 and found["rows"] <= 25 and found["code"] == 0, found
        assert found["height"] <= 5000, found
        if name not in ("rerun", "verdicts"):
            assert found["figure"] <= 700, found
    assert not visitor.troubles
    assert not axe_violations(page)  # which looks for style sheets of its own
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(DARK)
    assert not axe_violations(page)

    page.set_viewport_size(PHONE)
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert not page.evaluate(TOO_WIDE)
    assert all(width >= 600 for width in page.evaluate(WIDTHS)), "letters too small to read"


def test_search_finds_a_word_and_where_it_is_explained(visitor):
    page = visitor.open("search.html?q=spike")
    # Results come one after another.
    page.wait_for_selector('#search-results .search li a[href*="glossary.html"]')
    assert not visitor.troubles


def test_the_first_page_has_its_answer_and_its_picture_on_one_screen(visitor):
    page = visitor.open("index.html")
    for found in ("article h1", "article .cell_output img", "article .verdict >> nth=0"):
        box = page.locator(found).first.bounding_box()
        assert 0 <= box["y"] <= box["y"] + box["height"] <= LAPTOP["height"], found


MARKED = (512, 256)


def fact(page, width: int, name: str) -> str:
    group = page.get_by_role("group", name=f"N = {width}", exact=True)
    return group.locator(f'[data-fact="{name}"]').inner_text()


def go_to(page, epoch: int) -> None:
    """Move the letter's slider with the keyboard alone."""
    slider = page.get_by_role("slider", name="Epoch")
    slider.focus()
    page.keyboard.press("Home")
    for _ in range(100):
        if slider.get_attribute("aria-valuetext") == f"epoch {epoch}":
            return
        page.keyboard.press("ArrowRight")
    pytest.fail(f"the slider never comes to epoch {epoch}")


@pytest.mark.parametrize("epoch", [0, 150])
def test_letter_moves_with_the_keyboard_and_shows_the_runs_own_numbers(visitor, epoch):
    page = visitor.open("figure-1.html")
    go_to(page, epoch)
    for width, run in by_width("hasyv2", MARKED, replicas=1, mark="a").items():
        one = run.isel(replica=0)
        loss = float(one.train_loss.sel(epoch=epoch))
        spread = float(one.relative_deviation.sel(epoch=epoch, layer="hidden_hidden"))
        assert float(fact(page, width, "train loss")) == pytest.approx(loss, rel=6e-3)
        assert float(fact(page, width, "relative deviation")) == pytest.approx(spread, rel=6e-3)
        kept = max(at for at in one.matrix_epoch.values if at <= epoch)
        assert fact(page, width, "matrix of") == f"epoch {kept}"
        status = page.get_by_role("status").inner_text()
        assert f"N = {width}: train loss {fact(page, width, 'train loss')}" in status

        group = page.get_by_role("group", name=f"N = {width}", exact=True)
        picture = group.locator("img")
        assert f"epoch {kept}" in picture.get_attribute("alt")
        png = base64.b64decode(picture.get_attribute("src").partition("base64,")[2])
        shades = np.asarray(Image.open(io.BytesIO(png)), dtype=float)
        side = width // len(shades)
        size = np.abs(one.matrix.sel(matrix_epoch=kept).values)
        blocks = size.reshape(len(shades), side, len(shades), side).mean(axis=(1, 3))
        limit = 2 * np.sqrt(6 / (width + width))
        assert np.abs(shades - 63 * (blocks / limit).clip(0, 1)).max() <= 0.51

        counted = max(at for at in one.histogram_epoch.values if at <= epoch)
        counts = one.deviation_histogram.sel(histogram_epoch=counted, layer="hidden_hidden")
        label = group.get_by_role("img", name=f"at epoch {counted}:").get_attribute("aria-label")
        within, limit = (float(label.split()[index]) for index in (8, -4))
        centre = np.abs(one.bin_edge.values[1:] + one.bin_edge.values[:-1]) / 2
        share = float(counts.where(centre < limit, 0).sum() / counts.sum())
        assert within == pytest.approx(100 * share, abs=0.6)
    assert not visitor.troubles


def test_letter_plays_pauses_and_keeps_its_last_number_where_a_run_ended(visitor):
    page = visitor.open("figure-1.html")
    slider = page.get_by_role("slider", name="Epoch")
    slider.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('input[type=range]').value > 1")
    page.get_by_role("button", name="Pause").click()
    stopped = slider.input_value()
    page.wait_for_timeout(700)
    assert slider.input_value() == stopped != "0"
    slider.focus()
    page.keyboard.press("End")
    runs = by_width("hasyv2", MARKED, replicas=1, mark="a")
    last = max(int(run.epoch[-1]) for run in runs.values())
    for width, run in runs.items():
        end = int(run.epoch[-1])
        told = fact(page, width, "train loss")
        assert float(told.split()[0]) == pytest.approx(float(run.train_loss[0, -1]), rel=6e-3)
        assert (f"the run ends at epoch {end}" in told) == (end < last)


def test_letter_waits_where_the_reader_wants_less_motion(visitor):
    page = visitor.open("figure-1.html", reduced_motion="reduce")
    slider = page.get_by_role("slider", name="Epoch")
    slider.scroll_into_view_if_needed()
    page.wait_for_timeout(1000)
    assert slider.input_value() == "0"


ROWS = """() => [...document.querySelectorAll(".explorer-table tbody tr")].map(
  (row) => Object.fromEntries([...row.querySelectorAll("[data-fact]")].map(
    (one) => [one.dataset.fact, one.innerText])))"""


def test_phase_explorer_shows_what_became_of_every_published_run(visitor):
    page = visitor.open("figure-2.html")
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    dataset, width_menu = (page.get_by_label(one, exact=True) for one in ("Dataset", "Width"))
    runs: dict[tuple[str, int], list] = {}
    for run in published_unmarked():
        runs.setdefault((set_name(run), int(run.attrs["width"])), []).append(run)
    sets = {name for name, _ in runs}
    assert set(dataset.locator("option").all_inner_texts()) == sets
    for name in sorted(sets):
        dataset.select_option(label=name)
        widths = {width for one, width in runs if one == name}
        assert set(map(int, width_menu.locator("option").all_inner_texts())) == widths
        for width in widths:
            width_menu.select_option(label=str(width))
            shown = {row["replica"]: row for row in page.evaluate(ROWS)}
            assert len(shown) == len(runs[name, width])
            status = page.get_by_role("status").inner_text()
            for run in runs[name, width]:
                summary = regimes.summary(run).isel(replica=0)
                row = shown[str(run.replica.item())]
                assert row["regime"] == str(summary.regime.item()) and row["regime"] in status
                lowest = float(summary.minimum_train_loss)
                assert float(row["minimum train loss"]) == pytest.approx(lowest, rel=6e-3)
                at = int(summary.epoch_of_minimum_train_loss)
                assert row["epoch of minimum train loss"].split()[0] == str(at)
                diverged = float(summary.divergence_epoch)
                expected = "not by the end" if np.isnan(diverged) else f"{diverged:.0f}"
                assert row["divergence"] == expected
                assert row["epochs"] == str(int(run.epoch[-1]))
            curves = page.locator(
                f'svg[aria-label="Train and test loss of N = {width} against epoch"]'
            )
            assert curves.locator("path.curve").count() == 2 * len(runs[name, width])
    assert not visitor.troubles


def test_curves_change_their_colours_with_the_page(visitor):
    page, strokes = visitor.open("figure-1.html"), []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(f"document.documentElement.dataset.theme == '{scheme}'")
        strokes.append(
            page.evaluate(
                """() => [...document.querySelectorAll(".explorer path.curve")]
                    .map((one) => getComputedStyle(one).stroke)"""
            )
        )
    assert len(strokes[0]) == len(strokes[1]) == len(MARKED)
    assert not set(strokes[0]) & set(strokes[1])
