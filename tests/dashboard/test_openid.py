"""The log-in by OpenID Connect, in a real browser, by a provider on this machine."""

from collections.abc import Iterator

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")
from browsing import chromium
from playwright.sync_api import Browser, Page, expect
from provider import CLIENT_ID, CLIENT_SECRET, Provider, providing
from serving import CHROMIUM, NO_BROWSER, free_port, serving_page

from fashionrec.dashboard.warehouse import Warehouse

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)

SECRETS = """\
[auth]
redirect_uri = "{site}/oauth2callback"
cookie_secret = "{cookie_secret}"
client_id = "{client_id}"
client_secret = "{client_secret}"
server_metadata_url = "{issuer}/.well-known/openid-configuration"
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with providing() as server:
        yield server


@pytest.fixture(scope="module")
def site(
    shop: Warehouse, provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a page that one domain of the provider's accounts may see."""
    folder, port = tmp_path_factory.mktemp("openid"), free_port()
    site = f"http://127.0.0.1:{port}"
    provider.redirect_uri = f"{site}/oauth2callback"
    secrets = SECRETS.format(
        site=site,
        cookie_secret="c" * 32,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        issuer=provider.issuer,
    )
    (folder / "secrets.toml").write_text(secrets)
    settings = ('dashboard.allow_emails=["@shop.example"]', "dashboard.secrets=secrets.toml")
    options = [part for setting in settings for part in ("--set", setting)]
    # As on a server: beyond this machine.
    with serving_page(shop.path, folder, port, "--host", "0.0.0.0", *options):
        yield site


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, site: str, provider: Provider) -> Iterator[Page]:
    """The page as somebody sees it who has never been there."""
    provider.spoil = ""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.goto(site)
    yield page
    context.close()


def log_in(page: Page, provider: Provider, email: str) -> None:
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{provider.issuer}/authorize?*")
    page.get_by_role("link", name=email).click()


def expect_nothing_shown(page: Page) -> None:
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    for path in ("similar", "quality", "nights", "explore"):
        expect(page.locator(f"a[href$='/{path}']")).to_have_count(0)
    expect(page.get_by_test_id("stMetric")).to_have_count(0)
    expect(page.get_by_test_id("stImage")).to_have_count(0)


@pytest.mark.parametrize("path", ["/", "/similar?product=1", "/nights", "/quality?view=Map"])
def test_nothing_is_shown_before_the_log_in(page: Page, site: str, path: str) -> None:
    page.goto(site + path)
    expect_nothing_shown(page)


def test_in_and_out_again(page: Page, site: str, provider: Provider) -> None:
    log_in(page, provider, "ann@shop.example")
    expect(page.get_by_role("heading", name="Explore the catalogue")).to_be_visible()
    expect(page.get_by_text("ann@shop.example")).to_be_visible()
    second = page.context.new_page()  # another tab
    second.goto(f"{site}/nights")
    expect(second.get_by_role("heading", name="Nights")).to_be_visible()
    second.close()
    ended = provider.ended
    page.get_by_role("button", name="Log out").click()
    expect_nothing_shown(page)
    assert provider.ended == ended + 1
    page.reload()
    expect_nothing_shown(page)


@pytest.mark.parametrize("email", ["bob@elsewhere.example", "mallory@shop.example"])
def test_an_account_that_is_not_allowed(page: Page, provider: Provider, email: str) -> None:
    log_in(page, provider, email)
    expect(page.get_by_text(f"{email} may not see this page.")).to_be_visible()
    expect(page.get_by_test_id("stMetric")).to_have_count(0)
    page.get_by_role("button", name="Log out").click()
    expect_nothing_shown(page)


@pytest.mark.parametrize("spoil", ["signature", "nonce", "aud", "iss", "exp"])
def test_a_bad_id_token_lets_nobody_in(
    page: Page, site: str, provider: Provider, spoil: str
) -> None:
    provider.spoil = spoil
    log_in(page, provider, "ann@shop.example")
    page.wait_for_url(f"{site}/")
    expect_nothing_shown(page)
    assert not [each for each in page.context.cookies() if "_streamlit_user" in each["name"]]


def test_a_cookie_of_ones_own_lets_nobody_in(page: Page, site: str) -> None:
    forged = '{"email": "ann@shop.example", "email_verified": true, "is_logged_in": true}'
    page.context.add_cookies([{"name": "_streamlit_user", "value": forged, "url": site}])
    page.reload()
    expect_nothing_shown(page)
