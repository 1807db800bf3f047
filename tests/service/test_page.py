"""The two pages, in a real browser that has no network beyond the service."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from mgeo.api import create_app
from mgeo.model import load_model
from mgeo.server import start_matcher
from mgeo.state import State
from playwright.sync_api import Page, expect, sync_playwright

from tests.service.helpers import stub_settings

_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A service on a real port, in a thread with its own loop."""
    started = threading.Event()
    found: list[str] = []
    stopping: list[uvicorn.Server] = []

    async def serve() -> None:
        settings, state = stub_settings(), State()
        state.becomes_ready(start_matcher(settings, load_model(settings)))
        server = uvicorn.Server(uvicorn.Config(create_app(settings, state), port=0, log_config=None))
        stopping.append(server)
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        found.append(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")
        started.set()
        await task

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert started.wait(30)
    yield found[0]
    stopping[0].should_exit = True
    thread.join(30)


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        yield browser.new_page(locale="en-US", viewport={"width": 1100, "height": 1000})
        browser.close()


@pytest.fixture
def page(browser_page: Page) -> Iterator[Page]:
    """Fails the test when the page logs an error or asks anybody but the service."""
    errors: list[str] = []

    def complain(problem: object) -> None:
        errors.append(str(problem))

    browser_page.on("pageerror", complain)
    browser_page.on("requestfailed", complain)
    yield browser_page
    browser_page.remove_listener("pageerror", complain)
    browser_page.remove_listener("requestfailed", complain)
    assert not errors


def picture(page: Page, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def test_two_addresses_get_score_verdict_and_differing_elements(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_label("First address").fill("文三路88号2号楼301室")
    page.get_by_label("Second address").fill("文三路88号3号楼301室")
    page.get_by_role("button", name="Compare").click()
    pair = {"a": "文三路88号2号楼301室", "b": "文三路88号3号楼301室"}
    score = page.request.post(f"{address}/similarity", data=pair).json()["score"]
    expect(page.locator("#result output")).to_have_text(f"{score:.2f}")
    expect(page.locator("#result strong")).to_have_text("Partial")
    expect(page.locator("tr.differs")).to_have_count(1)
    expect(page.locator("tr.differs")).to_contain_text("Building")
    expect(page.locator("tr.differs td")).to_have_text(["2号楼", "3号楼"])
    picture(page, "compare")


def test_enter_compares_and_equal_addresses_match(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_label("First address").fill("文三路88号")
    page.get_by_label("Second address").fill("文三路88号")
    page.get_by_label("Second address").press("Enter")
    expect(page.locator("#result strong")).to_have_text("Match")
    expect(page.locator("tr.differs")).to_have_count(0)
    expect(page.locator(".meaning")).to_contain_text("No element differs.")


def test_an_empty_address_is_asked_for(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#result .error")).to_have_text("Please write both addresses.")


def test_a_refusal_is_shown_as_the_service_words_it(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_label("First address").fill("😀")
    page.get_by_label("Second address").fill("文三路")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#result .error")).to_contain_text("must contain at least one letter")


def test_markup_in_an_address_stays_text(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_label("First address").fill("<img src=x onerror=alert(1)>路1号")
    page.get_by_label("Second address").fill("文三路")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#result strong")).to_be_visible()
    expect(page.locator("#result img")).to_have_count(0)


def test_an_example_fills_both_fields_and_compares(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("button", name="Try an example").click()
    expect(page.get_by_label("First address")).to_have_value("北京市朝阳区建国路88号")
    expect(page.locator("#result output")).to_be_visible()


def test_the_documentation_is_rendered_without_internet(page: Page, address: str) -> None:
    page.goto(f"{address}/docs")
    expect(page.locator("h1")).to_have_text("MGeo API")
    expect(page.locator("details")).to_have_count(7)
    page.locator("summary", has_text="/similarity").click()
    box = page.locator("details", has_text="/similarity").first
    expect(box).to_contain_text("at most 512 characters")
    box.get_by_role("button", name="Send").click()
    expect(box.locator("pre")).to_contain_text("verdict")
    picture(page, "docs")
