"""Open a page in headless Chromium and try everything that can be pressed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class OpenedPage:
    """What happened while the page was used."""

    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    broken_images: list[str] = field(default_factory=list)
    sections: list[str] = field(default_factory=list)
    enlarged: int = 0
    sorted_tables: int = 0
    wider_than_screen: bool = False


def use_page(chromium: str, path: Path, width: int = 1280, height: int = 900) -> OpenedPage:
    """Visit every section by its link, open every fold, enlarge every figure, sort every table."""
    from playwright.sync_api import sync_playwright

    found = OpenedPage()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.on("console", lambda message: found.problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: found.problems.append(str(error)))
        page.on("request", lambda request: found.requests.append(request.url))
        page.goto(path.resolve().as_uri())
        for link in page.locator("nav a").all():
            link.click()
            target = link.get_attribute("href") or ""
            assert page.locator(target).is_visible(), target
            found.sections.append(target.removeprefix("#"))
        page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
        found.broken_images = page.evaluate(
            "[...document.querySelectorAll('main img')].filter((i) => !i.naturalWidth || !i.alt).map((i) => i.alt)"
        )
        for button in page.locator("button.enlarge").all():
            button.scroll_into_view_if_needed()
            button.click(position={"x": 5, "y": 5})
            assert page.locator("#viewer").is_visible()
            page.keyboard.press("Escape")
            found.enlarged += 1
        for table in page.locator("table").all():
            heading = table.locator("th").first
            heading.locator("button").press("Enter")
            assert heading.get_attribute("aria-sort") == "ascending"
            found.sorted_tables += 1
        found.wider_than_screen = page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1")
        browser.close()
    found.requests = [url for url in found.requests if not url.startswith(("file:", "data:"))]
    return found
