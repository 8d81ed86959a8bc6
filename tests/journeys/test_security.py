"""Two-factor and API tokens in a real Chromium: set up, used, recovered, revoked."""

import re
from datetime import UTC, datetime

import httpx
import pyotp
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.journeys.conftest import DESK, IN_BROWSER, PHONE, Opened
from tests.web.serving import PASSWORD

pytestmark = IN_BROWSER


def code_of(page: Page, steps: int) -> str:
    """Return the code of an app with the secret on the page, now or some steps later."""
    secret = page.locator("#secret").inner_text().replace(" ", "")
    return pyotp.TOTP(secret).at(datetime.now(UTC), counter_offset=steps)


def enrol(page: Page) -> tuple[str, list[str]]:
    """Set up two-factor; return the code for the next sign-in, and the recovery codes."""
    page.goto("/my-account")
    page.get_by_role("link", name="Set up two-factor").click()
    page.get_by_role("button", name="Start").click()
    expect(page.locator(".scan svg path").last).to_be_visible()
    following = code_of(page, 1)
    page.get_by_label("Code", exact=True).fill(code_of(page, 0))
    page.get_by_role("button", name="Switch two-factor on").click()
    expect(page.locator("h1")).to_have_text("Two-factor is on")
    codes = page.locator(".codes code").all_inner_texts()
    page.get_by_role("link", name="I have kept them").click()
    expect(page.locator("#second")).to_contain_text("On")
    return following, codes


def give_password(page: Page) -> None:
    page.locator("details.menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("[name=name]")).to_be_focused()
    page.fill("[name=name]", "marta")
    page.fill("[name=password]", PASSWORD)
    page.click("button.btn-primary")
    expect(page.locator("h1")).to_have_text("One more step")


def test_a_phone_with_the_secret_opens_the_door_and_a_recovery_code_does_once(
    open_page: Opened, site: str
) -> None:
    page = open_page()
    following, codes = enrol(page)
    assert len(set(codes)) == 10
    give_password(page)
    page.goto("/companies")
    expect(page).to_have_url(re.compile("/sign-in"))
    page.goto("/sign-in/code")
    page.get_by_label("Code", exact=True).fill("12 34")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Code", exact=True).fill(following)
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("h1")).to_have_text("Overview")
    give_password(page)
    page.get_by_role("link", name="Use a recovery code").click()
    page.get_by_label("Recovery code").fill(codes[3])
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("status")).to_contain_text("You used a recovery code")
    page.goto("/my-account")
    expect(page.locator(".part-card")).to_contain_text("9 recovery codes are left")
    page.context.add_cookies([{"name": "language", "value": "es", "url": site}])
    page.goto("/my-account")
    expect(page.locator(".part-card")).to_contain_text("Quedan 9 códigos de recuperación")
    page.context.add_cookies([{"name": "language", "value": "en", "url": site}])
    page.goto("/sign-ins")
    expect(page.locator("#results")).to_contain_text("With a recovery code")
    expect(page.locator("#results")).to_contain_text("Wrong code")


def test_a_token_is_made_used_and_revoked(open_page: Opened, site: str) -> None:
    page = open_page()
    page.goto("/my-account")
    page.get_by_role("link", name="Create a token").click()
    page.get_by_label("Program").fill("Portal")
    page.get_by_label("Read accounts, balances and recharges").check()
    page.get_by_role("button", name="Create the token").click()
    headers = {"authorization": f"Bearer {page.locator('#token').inner_text()}"}
    answer = httpx.get(f"{site}/api/v1/accounts/company:clinica", headers=headers)
    assert answer.json()["currency"] == "EUR"
    assert httpx.get(f"{site}/api/v1/calls", headers=headers).status_code == 403
    page.get_by_role("link", name="I have kept it").click()
    expect(page.locator("tr", has_text="Portal")).to_contain_text("127.0.0.1")
    page.locator("tr", has_text="Portal").get_by_role("button", name="Revoke").click()
    expect(page.locator("tr", has_text="Portal")).to_contain_text("Revoked")
    assert httpx.get(f"{site}/api/v1/accounts", headers=headers).status_code == 401


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [DESK, PHONE], ids=["desk", "phone"])
def test_the_pages_of_ones_account_can_be_used_by_everybody(
    theme: str, width: dict[str, int], open_page: Opened
) -> None:
    page = open_page(theme=theme, viewport=width)

    def look() -> None:
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, page.url

    for path in ("/my-account", "/my-account/tokens/new", "/my-account/two-factor"):
        page.goto(path)
        look()
    page.get_by_role("button", name="Start").click()
    look()
    page.get_by_label("Code", exact=True).fill(code_of(page, 0))
    page.get_by_role("button", name="Switch two-factor on").click()
    look()
    for path in ("/my-account", "/my-account/two-factor/off", "/administrators/marta"):
        page.goto(path)
        look()
    page.goto("/password")
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("[name=name]")).to_be_focused()
    page.fill("[name=name]", "marta")
    page.fill("[name=password]", PASSWORD)
    page.click("button.btn-primary")
    look()
