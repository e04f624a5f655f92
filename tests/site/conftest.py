"""Build the site once, serve it on this machine, open it in Chromium."""

import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
sys.path[:0] = [str(BOOK / "_ext"), str(BOOK)]

from metabook import interactive  # noqa: E402

CHROMIUM = shutil.which("chromium")
ARGUMENTS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run"
    " --disable-background-networking --disable-component-update --disable-sync"
)


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built site; building it is the first test."""
    command = [sys.executable, ROOT / "book" / "build.py"]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, f"the book does not build:\n{built.stderr}"
    return ROOT / "_build" / "html"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without reporting each of them."""

    def log_message(self, *args) -> None:
        pass


@pytest.fixture(scope="session")
def server(site):
    """The site's address on this machine."""
    handler = functools.partial(Quiet, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{service.server_port}"
        service.shutdown()


@pytest.fixture(scope="session")
def browser(site):
    """A fresh Chromium. Without one the tests are skipped, but not in CI."""
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS.split()
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def open_page(browser, server):
    """Opens a page of the site in a new tab that can reach this machine only.

    The tab gets two lists: ``tab.remote``, requests for elsewhere (all refused), and
    ``tab.errors``, what went wrong while the page loaded and was used.
    """

    def open_page(path: str, width: int = 1280, **options):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, **options
        )
        context.set_default_timeout(20_000)
        tab = context.new_page()
        tab.remote, tab.errors = [], []

        def guard(route):
            if route.request.url.startswith((server, "file:", "data:", "blob:")):
                route.continue_()
            else:
                tab.remote.append(route.request.url)
                route.abort()

        def note_answer(response):
            if response.status >= 400:
                tab.errors.append(f"{response.status} {response.url}")

        def note_message(message):
            if message.type == "error":
                tab.errors.append(message.text)

        context.route("**/*", guard)
        tab.on("response", note_answer)
        tab.on("console", note_message)
        tab.on("pageerror", lambda error: tab.errors.append(str(error)))
        tab.goto(path if "://" in path else f"{server}/{path}")
        return tab

    return open_page


def script(name: str) -> str:
    return f'<script defer src="{(interactive.FOLDER / name).as_uri()}"></script>'


def page_with(name: str, lang: str) -> str:
    """A whole page that has nothing but this figure."""
    figure = interactive.opening(name, "what one sees", lang)
    look = (BOOK / "_static" / "book.css").as_uri()
    return (
        f'<!DOCTYPE html><html lang="{lang}" data-theme="light"><head><title>x</title>'
        f'<meta charset="utf-8"><link rel="stylesheet" href="{look}">'
        + "".join(map(script, interactive.SCRIPTS[name]))
        + f"</head><body>{figure}caption</figcaption></figure></body></html>"
    )


@pytest.fixture
def show(open_page, tmp_path):
    """Opens a page with one figure from a file, as a reader without a server does."""
    tabs = []

    def show(name, lang="en", **options):
        file = tmp_path / f"{name}.html"
        file.write_text(page_with(name, lang), encoding="utf-8")
        tabs.append(open_page(file.as_uri(), **options))
        return tabs[-1]

    yield show
    for tab in tabs:
        assert (tab.remote, tab.errors) == ([], [])
        tab.context.close()
