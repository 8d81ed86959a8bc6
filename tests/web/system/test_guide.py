"""The guide: a page for everybody, with links to every page of the menu."""

import re
from pathlib import Path

import httpx
import pytest

from billing.web.kit.access import EVERY_ROLE
from billing.web.kit.markdown import render_markdown
from billing.web.kit.pages import TEMPLATES
from billing.web.system.guide import guide_path
from tests.web.serving import SignIn, add_administrator


def test_the_guide_leads_to_every_page_of_the_menu() -> None:
    menu = (TEMPLATES / "parts" / "side.html").read_text()
    pages = set(re.findall(r'item\("(/[^"]*)"', menu))
    assert len(pages) > 10
    assert pages <= set(re.findall(r"\]\((/[^)]*)\)", guide_path().read_text()))


@pytest.mark.parametrize("role", EVERY_ROLE)
def test_everybody_reads_it_from_the_menu(
    role: str, database_url: str, empty_site: str, sign_in: SignIn
) -> None:
    add_administrator(database_url, "ana", role)
    client = sign_in(empty_site, "ana")
    assert 'href="/help"' in client.get("/calls").text
    page = client.get("/help").text
    assert "<h1>Uso del sistema</h1>" in page
    assert '<a href="/movements">recargas</a>' in page
    assert "This guide is in Spanish." in page
    loaded = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert [address for address in loaded if "://" in address] == []
    assert httpx.get(f"{empty_site}/help").status_code == 302


def test_markdown_becomes_html_and_nothing_else_does() -> None:
    text = "# A *b* & c\n\n- one **two**\n  three\n- `<x>`\n\n1. [go](/a?b=c)\n\n"
    text += "[no](https://x.test) <b>"
    assert render_markdown(text) == (
        "<h1>A <em>b</em> &amp; c</h1>\n"
        "<ul><li>one <strong>two</strong> three</li><li><code>&lt;x&gt;</code></li></ul>\n"
        '<ol><li><a href="/a?b=c">go</a></li></ol>\n'
        "<p>[no](https://x.test) &lt;b&gt;</p>"
    )


def test_the_guide_lies_in_the_repository_as_a_document() -> None:
    assert guide_path() == Path(__file__).parents[3] / "docs" / "uso-del-sistema.md"
