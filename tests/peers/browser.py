"""A real browser: Debian's headless Chromium, steered by Playwright, and what a person does with it."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Page, async_playwright

CHROMIUM: Final = Path("/usr/bin/chromium")
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
)


def missing() -> str | None:
    """Returns why Chromium cannot run here, or None if it can."""
    if importlib.util.find_spec("playwright") is None:
        return "playwright is not installed"
    return None if CHROMIUM.exists() else f"{CHROMIUM} is not installed (Debian: chromium)"


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A running browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


async def consent_at_oidc_provider(page: Page, authorization_url: str, *, account: str) -> None:
    """Signs in and consents at the `OidcProvider` peer; the page then is on its way to the callback."""
    await page.goto(authorization_url)
    await page.fill("input[name=login]", account)
    await page.fill("input[name=password]", "any")
    await page.click("button[type=submit]")
    await page.wait_for_load_state()
    await page.click("button[type=submit]")


async def consent_at_sandbox(
    page: Page, authorization_url: str, *, account: str, password: str, untick: tuple[str, ...] = ()
) -> None:
    """
    Signs in at the sandbox's identity provider and consents to all but *untick*, if it asks; the page then is on its
    way to the callback.
    """
    await page.goto(authorization_url)
    await page.get_by_label("Email address").fill(account)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_load_state()
    allow = page.get_by_role("button", name="Allow")
    if await allow.count():
        for scope in untick:
            await page.locator(f'input[name=scope][value="{scope}"]').uncheck()
        await allow.click()
