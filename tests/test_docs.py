"""The documentation is complete: settings, commands, routes of the API, decisions, links."""

import argparse
import re
from pathlib import Path

import pytest
from sanic import Sanic

from billing.cli.main import parser
from billing.config import SETTINGS, Config, read_config
from billing.database import Database
from billing.web.app import create_app

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
DECISIONS = DOCS / "decisions"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
MOST_BYTES = 250_000  # of a picture, which every clone fetches


def rows(path: Path) -> list[list[str]]:
    """Yield the cells of every row of a page's tables."""
    lines = [line for line in path.read_text().splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def commands(top: argparse.ArgumentParser, words: str = "billing") -> set[str]:
    """Yield every command with its words: `billing admin add`."""
    subs = [each for each in top._actions if isinstance(each, argparse._SubParsersAction)]  # noqa: SLF001 -- argparse has no public list
    if not subs:
        return {words}
    nested = [commands(each, f"{words} {name}") for name, each in subs[0].choices.items()]
    return set().union(*nested)


def test_every_setting_has_its_row_with_its_default() -> None:
    told = {row[0].strip("`"): row[1].strip("`") for row in rows(DOCS / "settings.md")}
    assert set(SETTINGS.values()) == told.keys() - {"variable"}
    for field, name in SETTINGS.items():
        default = getattr(Config(), field)
        if default is False:
            default = "no"
        assert told[name] == str(default), name
    read_config({name: value for name, value in told.items() if name in SETTINGS.values()})


def test_every_command_has_its_row() -> None:
    told = [row[0] for row in rows(DOCS / "commands.md")]
    for command in commands(parser()):
        assert any(re.match(rf"`{command}[` ]", cell) for cell in told), command


def test_every_option_of_a_command_is_told() -> None:
    text = (DOCS / "commands.md").read_text()
    for option in set(re.findall(r"--[a-z]+", all_help(parser()))) - {"--help"}:
        assert option in text, option


def all_help(top: argparse.ArgumentParser) -> str:
    """Return the help of a command and of all its subcommands."""
    subs = [each for each in top._actions if isinstance(each, argparse._SubParsersAction)]  # noqa: SLF001 -- argparse has no public list
    below = [all_help(each) for sub in subs for each in sub.choices.values()]
    return "\n".join([top.format_help(), *below])


def test_every_route_of_the_api_is_told() -> None:
    app = create_app(Config(), Database(""))
    app.router.finalize()
    text = (DOCS / "api.md").read_text()
    routes = [route for route in app.router.routes if route.path.startswith("api/")]
    assert len(routes) > 4
    for route in routes:
        path = re.sub(r"<(\w+)[^>]*>", lambda found: found[1].upper(), route.path)
        for method in route.methods:
            assert f"`{method} /{path}`" in text, path
    scopes = {getattr(route.handler, "scope", "") for route in app.router.routes} - {""}
    Sanic.unregister_app(app)
    assert {row[0].strip("`") for row in rows(DOCS / "api.md")} >= scopes


def test_every_decision_is_indexed_with_date_and_status() -> None:
    told = {}
    for number, date, status, title in rows(DECISIONS / "README.md")[1:]:
        found = re.fullmatch(r"\[(\d{4})\]\((.+)\)", number)
        assert found
        assert found[2].startswith(found[1])
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", date)
        assert re.fullmatch(r"accepted|superseded by \d{4}", status)
        told[found[2]] = title
    files = [path for path in DECISIONS.glob("*.md") if path.name != "README.md"]
    assert told == {path.name: path.read_text().splitlines()[0][2:] for path in files}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", path.read_text()):
        if not target.startswith(("/", "http")):  # a page of the product, or another site
            assert (path.parent / target).exists(), target


def test_every_page_for_readers_is_reached_from_the_readme() -> None:
    text = (ROOT / "README.md").read_text()
    for page in DOCS.glob("*.md"):
        linked = f"docs/{page.name}" in text or page.stem in (DOCS / "developer.md").read_text()
        assert linked, page.name


def test_pictures_are_small() -> None:
    pictures = list(DOCS.rglob("*.png"))
    assert pictures
    assert [path for path in pictures if path.stat().st_size > MOST_BYTES] == []
