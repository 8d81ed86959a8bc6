"""A real Chromium, signed in; any message on its console fails the test."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.web.conftest import database_url, installation, site
from tests.web.serving import PASSWORD

__all__ = ["database_url", "installation", "site"]

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1400, "height": 875}
Opened = Callable[..., Page]
IN_BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists() and not os.environ.get("CI"), reason="there is no Chromium here"
    ),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, site: str) -> Iterator[Opened]:
    """Open a signed-in page; the test fails if there was a message on the console."""
    said: list[str] = []
    contexts = []

    def opened(*, language: str = "en", theme: str = "light", **options: object) -> Page:
        context = browser.new_context(
            base_url=site,
            locale="en-GB",
            **{"viewport": DESK, **options},  # type: ignore[arg-type]
        )
        contexts.append(context)
        context.add_cookies(
            [
                {"name": "language", "value": language, "url": site},
                {"name": "theme", "value": theme, "url": site},
            ]
        )
        page = context.new_page()
        page.on("console", lambda message: said.append(f"{page.url} {message.text}"))
        page.on("pageerror", lambda error: said.append(f"{page.url} {error}"))
        page.goto("/calls")
        expect(page.locator("[name=name]")).to_be_focused()
        page.fill("[name=name]", "marta")
        page.fill("[name=password]", PASSWORD)
        page.click("button.btn-primary")
        expect(page.locator("tbody tr").first).to_be_visible()
        return page

    yield opened
    for context in contexts:
        context.close()
    # A refused form is a normal response, which the browser logs as well.
    assert [each for each in said if "status of 422" not in each] == []
