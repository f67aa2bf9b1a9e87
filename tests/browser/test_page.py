"""The page in a real browser: both widths, both languages, light and dark; live; nothing from elsewhere."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.api import Api
from monitoring.http import Health, HttpServer, application
from monitoring.notifier import Notifier
from monitoring.observer import Observer
from monitoring.page_texts import LABELS
from monitoring.workdays import Calendar
from tests.support import chromium
from tests.support.pictures import FEEDS, TITLES, picture_of

pytestmark = pytest.mark.skipif(
    chromium.find() is None, reason="no browser: install the Debian package chromium"
)


class Served:
    """The page on a port of its own, in a thread."""

    def __init__(self, folder: Path) -> None:
        self.now = 0
        self.observer = Observer(FEEDS, Calendar(), folder)
        self.notifier = Notifier(folder, [], clock=lambda: self.now)
        self.api = Api(TITLES, FEEDS, self.observer, self.notifier)
        app = application("test", Health())
        app.include_router(self.api.router)
        self._server = HttpServer(app, "127.0.0.1", 0)
        self.url = self._server.url
        self._ready = threading.Event()
        # Not by hand: what serves in threads ends them only with a loop that is wound up properly, and this process
        # would wait for them for ever at its own end.
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._ready.wait(120), "the page's server did not start"

    async def _serve(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        await self._server.start()
        self._ready.set()
        await self._ended.wait()
        await self._server.stop()

    def show(self, hours: int = 0) -> None:
        picture = picture_of(hours=hours, observer=self.observer)
        # A minute apart, so that what must last a while before it is told has lasted.
        for self.now in (picture.now - 60_000_000, picture.now):
            self.notifier.update(picture.conditions)
        self._loop.call_soon_threadsafe(self.api.show, picture)

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    page = Served(tmp_path / "state")
    yield page
    page.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[chromium.Browser]:
    program = chromium.find()
    assert program is not None
    with chromium.running(program) as found:
        yield found


SIZES = {"wide": (1280, 900, False), "narrow": (390, 844, True)}

CONTRAST = """
(() => {
  const light = (rgb) => {
    const [r, g, b] = rgb.match(/[\\d.]+/g).map(Number).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if (!/rgba\\(.*, 0\\)/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  let worst = 21;
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !node.offsetParent) continue;
    const [a, b] = [light(getComputedStyle(node).color), light(ground(node))].sort((x, y) => y - x);
    worst = Math.min(worst, (a + 0.05) / (b + 0.05));
  }
  return worst;
})()
"""
"""WCAG's contrast ratio of the worst text on the page; 4.5 is what AA asks for."""


def test_the_page_at_two_widths_in_two_languages_light_and_dark(
    served: Served, browser: chromium.Browser, tmp_path: Path
) -> None:
    served.show(hours=24)
    for number, (size, language) in enumerate((size, language) for size in SIZES for language in LABELS):
        width, height, mobile = SIZES[size]
        browser.show(width, height, dark=number in (1, 2), mobile=mobile)
        browser.open(f"{served.url}/console?lang={language}")
        browser.until("document.body.dataset.picture !== undefined")
        labels = LABELS[language]
        text = browser.ask("document.body.innerText")
        for word in ("alerts", "flow", "sources", "feeds", "source down", "consumer lagging", "idle"):
            assert labels[word] in text, (size, language, word)
        assert browser.ask("document.documentElement.scrollWidth <= window.innerWidth"), f"{size} overflows"
        assert browser.ask("document.querySelectorAll('article').length") == len(TITLES)
        assert browser.ask("document.querySelectorAll('polyline').length") >= 4
        assert browser.complaints() == []
        assert all(url.startswith((served.url, "data:,")) for url in browser.requests())
        picture = browser.screenshot(tmp_path / f"{size}-{language}.png")
        assert len(picture) > 20_000
        contrast = browser.ask(CONTRAST)
        assert contrast >= 4.5, f"{size}, {language}: a text has a contrast of {contrast:.1f} only"


def test_the_page_is_live_and_says_when_it_is_not(served: Served, browser: chromium.Browser) -> None:
    browser.show(1280, 900, dark=False)
    browser.open(f"{served.url}/console?lang=en")
    assert LABELS["en"]["waiting"] in browser.ask("document.body.innerText")
    served.show()
    browser.until("document.querySelectorAll('article').length === 5")
    before = browser.ask("document.body.dataset.picture")
    served.show()
    browser.until(f"document.body.dataset.picture !== {before!r}")
    assert browser.ask("document.getElementById('connection').hidden")
    browser.ask("document.getElementById('language').click()")
    browser.until("document.documentElement.lang === 'zh-CN'")
    browser.until("document.querySelectorAll('article').length === 5")
    served.stop()
    browser.until("!document.getElementById('connection').hidden")
    assert browser.ask("document.querySelectorAll('article').length") == 5  # what was last known stays
