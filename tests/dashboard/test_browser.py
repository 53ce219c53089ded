"""Each page, filter, download, upload and URL in a real browser, on a desk and on a phone."""

import csv
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")
from browsing import chromium
from playwright.sync_api import Browser, Page, expect
from serving import (
    CHROMIUM,
    NO_BROWSER,
    PictureServer,
    free_port,
    serving_page,
    serving_pictures,
)

from fashionrec.dashboard.warehouse import Warehouse

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)

SIZES = {"desk": (1280, 900), "phone": (390, 844)}
PAGES = {
    "products": ("/", "Explore the catalogue"),
    "explore": ("/explore", "Explore the catalogue"),
    "composition": ("/?view=Composition", "Shares by gender"),
    "hierarchy": ("/?view=Hierarchy", "Genders and categories as a sunburst"),
    "years": ("/?view=Years", "Growth per year"),
    "seasons": ("/?view=Seasons+and+use", "Season and gender"),
    "names": ("/?view=Names", "Words of product names"),
    "flow": ("/?view=Flow", "From the catalogue to recommendations"),
    "similar": ("/similar", "Find similar"),
    "upload": ("/similar?by=Upload", "A picture: JPEG, PNG or WebP"),
    "link": ("/similar?by=Link", "The URL of a picture"),
    "report": ("/quality", "There is no evaluation yet"),
    "confusions": ("/quality?view=Confusions", "Confusions of article types"),
    "mistakes": ("/quality?view=Mistakes", "Likely errors of the catalogue first"),
    "map": ("/quality?view=Map", "Map of the embeddings"),
    "nights": ("/nights", "Rejects of the catalogue as it stands"),
}
ON_A_PHONE = ("products", "hierarchy", "similar", "mistakes", "nights")
HOSTILE = (
    "gender=<script>alert(1)</script>&gender=%00&view=../../etc/passwd&page=-5&product=1e9"
    "&by=%F0%9F%92%A3&compare=NaN&season=" + "x" * 5_000 + "&gender=".join(map(str, range(300)))
)


@pytest.fixture(scope="module")
def allowed() -> Iterator[PictureServer]:
    """A company's own image server, which fetch.allow_hosts names."""
    with serving_pictures() as server:
        yield server


@pytest.fixture
def inner() -> Iterator[PictureServer]:
    """A server on this machine that nobody may be led to."""
    with serving_pictures() as server:
        yield server


@pytest.fixture(scope="module")
def site(
    shop: Warehouse, allowed: PictureServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of the page."""
    folder, port = tmp_path_factory.mktemp("site"), free_port()
    host = f'fetch.allow_hosts=["127.0.0.1:{allowed.server_port}"]'
    with serving_page(shop.path, folder, port, "--set", host) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def open_page(browser: Browser, site: str) -> Iterator["Opener"]:
    opener = Opener(browser, site)
    yield opener
    opener.close()


class Opener:
    """Opens pages, and sees to it that nothing goes wrong in them, nor leads to another site."""

    def __init__(self, browser: Browser, site: str) -> None:
        self._browser, self._site = browser, site
        self.faults: list[str] = []
        self._open: list[Page] = []

    def __call__(self, path: str, size: str = "desk") -> Page:
        width, height = SIZES[size]
        page = self._browser.new_page(viewport={"width": width, "height": height})
        page.on("console", lambda message: self._console(message.type, message.text))
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("response", lambda answer: self._answer(answer.status, answer.url))
        page.on("request", lambda request: self._request(request.url))
        page.set_default_timeout(30_000)
        self._open.append(page)
        page.goto(self._site + path)
        return page

    def _console(self, kind: str, text: str) -> None:
        if kind == "error" and "Failed to load resource" not in text:  # these are `_answer`'s
            self.faults.append(text)

    def _answer(self, status: int, url: str) -> None:
        # Streamlit looks for its server below a page's own address first.
        if status >= 400 and "/_stcore/" not in url:
            self.faults.append(f"{status} {url}")

    def _request(self, url: str) -> None:
        if not url.startswith((self._site, self._site.replace("http", "ws"), "data:", "blob:")):
            self.faults.append(f"leads away: {url}")

    def close(self) -> None:
        for page in self._open:
            expect(page.get_by_test_id("stException")).to_have_count(0)
            page.close()
        assert self.faults == []


def settled(page: Page) -> Page:
    """Wait until the script has ended, twice in a row: a click starts it a little later."""
    state = "document.querySelector('[data-testid=stApp]')?.dataset.testScriptState"
    for _ in range(2):
        page.wait_for_timeout(150)
        page.wait_for_function(f"{state} === 'notRunning'")
    return page


def downloaded(page: Page, name: str) -> list[dict[str, str]]:
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").first.click()
    assert download.value.suggested_filename == name
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.parametrize(
    ("name", "size"),
    [*((name, "desk") for name in PAGES), *((name, "phone") for name in ON_A_PHONE)],
)
def test_a_page(open_page: Opener, name: str, size: str) -> None:
    path, told = PAGES[name]
    page = open_page(path, size)
    expect(page.get_by_text(told).first).to_be_visible()
    settled(page)
    too_wide = "document.querySelector('[data-testid=stMain]')"
    assert page.evaluate(f"{too_wide}.scrollWidth - {too_wide}.clientWidth") <= 1
    if folder := os.environ.get("FASHIONREC_SCREENSHOTS"):
        page.wait_for_timeout(500)
        page.screenshot(path=f"{folder}/{name}-{size}.png")


@pytest.mark.parametrize("path", ["/", "/explore", "/similar", "/quality", "/nights"])
def test_a_hostile_url_crashes_nothing(open_page: Opener, path: str) -> None:
    page = open_page(f"{path}?{HOSTILE}")
    expect(page.locator("h1")).to_be_visible()
    settled(page)


def test_filters_narrow_each_other_and_live_in_the_url(open_page: Opener, shop: Warehouse) -> None:
    page = settled(open_page("/"))
    page.get_by_label("Gender").click()
    page.get_by_role("option", name=re.compile(r"^Men \(")).click()
    page.keyboard.press("Escape")
    page.wait_for_url("**/?gender=Men")
    men = shop.rows("SELECT count(*) AS n FROM products WHERE gender = 'Men'")["n"].iloc[0]
    expect(page.get_by_test_id("stMetricValue").first).to_have_text(f"{men:,}")
    page.get_by_label("Article type").click()
    of_men = shop.rows(
        "SELECT article_type, count(*) AS n FROM products WHERE gender = 'Men' GROUP BY ALL"
    )
    expect(page.get_by_role("option").first).to_be_visible()
    shown = set(page.get_by_role("option").all_inner_texts()) - {"Select all"}  # those in sight
    labels = {f"{row.article_type} ({row.n:,})" for row in of_men.itertuples()}
    assert shown
    assert shown <= labels
    page.keyboard.press("Escape")
    page.reload()
    expect(page.get_by_test_id("stMetricValue").first).to_have_text(f"{men:,}")
    page.get_by_role("button", name="Clear all filters").click()
    page.wait_for_url(lambda url: "gender" not in url)


def test_no_product_fits(open_page: Opener) -> None:
    page = settled(open_page("/"))
    page.get_by_label("Search by name or id").fill("no such thing")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No product fits these filters.")).to_be_visible()


def test_a_search_begins_at_its_first_page(open_page: Opener) -> None:
    page = settled(open_page("/?page=2"))
    expect(page.get_by_text(re.compile(r"page 2 of"))).to_be_visible()
    page.get_by_label("Search by name or id").fill("e")
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile(r"page 1 of"))).to_be_visible()


def test_both_addresses_of_the_first_page_keep_filters(open_page: Opener) -> None:
    for path in ("/", "/explore"):
        page = open_page(f"{path}?gender=Men&view=Flow")
        expect(page.get_by_role("button", name="Clear all filters")).to_be_visible()
        expect(page.get_by_text("From the catalogue to recommendations")).to_be_visible()
        expect(page.get_by_role("link", name="Explore")).to_have_count(1)
        assert page.url.endswith(f"{path}?gender=Men&view=Flow")


def test_a_product_that_is_none(open_page: Opener) -> None:
    page = open_page("/similar?product=987654321")
    expect(page.get_by_text("There is no product 987654321.")).to_be_visible()


def test_a_figures_data_and_picture_are_downloaded(open_page: Opener, shop: Warehouse) -> None:
    page = settled(open_page("/?view=Composition&gender=Women"))
    rows = downloaded(page, "products-by-article-type.csv")
    wanted = shop.rows(
        "SELECT article_type, count(*) AS products FROM products WHERE gender = 'Women' "
        "GROUP BY ALL ORDER BY products DESC, article_type"
    )
    assert [(row["article_type"], int(row["products"])) for row in rows] == list(
        wanted.itertuples(index=False, name=None)
    )
    chart = page.get_by_test_id("stPlotlyChart").first
    chart.hover()
    with page.expect_download() as download:
        page.locator("[data-title='Download plot as a PNG']").first.click()
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


def test_from_the_grid_to_similar_products_and_a_comparison(open_page: Opener) -> None:
    page = settled(open_page("/"))
    page.get_by_test_id("stPageLink").locator("a").first.click()
    page.wait_for_url("**/similar?product=*")
    expect(page.get_by_role("heading", name="Similar", exact=True)).to_be_visible()
    expect(page.get_by_text("The model", exact=False).first).to_be_visible()
    first = page.url
    page.get_by_role("button", name="Compare").first.click()
    page.wait_for_url(f"{first}&compare=*")
    expect(page.get_by_text("Side by side")).to_be_visible()
    settled(page).reload()
    expect(page.get_by_text("Side by side")).to_be_visible()


def a_product(shop: Warehouse) -> tuple[int, bytes]:
    """A product whose picture no other has."""
    sql = "SELECT min(product_id) AS id FROM images GROUP BY sha256 HAVING count(*) = 1 ORDER BY id"
    product_id = int(shop.rows(sql)["id"].iloc[0])
    return product_id, shop.contents([product_id])[product_id]


def test_an_uploaded_picture(open_page: Opener, shop: Warehouse, tmp_path: Path) -> None:
    product_id, content = a_product(shop)
    page = settled(open_page("/similar?by=Upload"))
    (tmp_path / "x.jpg").write_bytes(content)
    page.locator("input[type=file]").set_input_files(tmp_path / "x.jpg")
    expect(page.get_by_text("Most similar products")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("1.000")).to_be_visible()
    expect(page.get_by_role("button", name=f"{product_id}")).to_be_visible()


def test_what_is_uploaded_and_no_picture_is_refused(open_page: Opener, tmp_path: Path) -> None:
    page = settled(open_page("/similar?by=Upload"))
    (tmp_path / "x.jpg").write_bytes(b"GIF89a" + b"\x00" * 50)
    page.locator("input[type=file]").set_input_files(tmp_path / "x.jpg")
    expect(page.get_by_text("This picture cannot be used")).to_be_visible()


def test_a_picture_at_a_url(open_page: Opener, shop: Warehouse, allowed: PictureServer) -> None:
    product_id, allowed.picture = a_product(shop)
    page = settled(open_page("/similar?by=Link"))
    page.get_by_label("The URL of a picture").fill(f"http://127.0.0.1:{allowed.server_port}/x.jpg")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("button", name=f"{product_id}")).to_be_visible(timeout=60_000)


def test_a_url_inside_is_refused(open_page: Opener, inner: PictureServer) -> None:
    page = settled(open_page("/similar?by=Link"))
    page.get_by_label("The URL of a picture").fill(f"http://127.0.0.1:{inner.server_port}/x.jpg")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("This URL was not fetched")).to_be_visible()
    assert inner.connections == 0


def test_the_map_shows_pictures(open_page: Opener) -> None:
    page = settled(open_page("/quality?view=Map"))
    page.locator("[data-testid=stVegaLiteChart] path[aria-roledescription=circle]").first.hover()
    expect(page.locator("#vg-tooltip-element img")).to_be_visible()
