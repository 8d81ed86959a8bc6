"""The part of Markdown that our own guide uses, as HTML: headings, paragraphs, lists, links."""

import re
from collections.abc import Iterator

from markupsafe import Markup, escape

HEADING = re.compile(r"(#{1,3}) +(.+)")
ITEM = re.compile(r"(?:-|\d+\.) +(.+)", re.DOTALL)
SPAN = re.compile(r"\*\*([^*]+)\*\*|\*([^*]+)\*|`([^`]+)`|\[([^\]\[]+)\]\((/[^\s)]*)\)")


def render_markdown(text: str) -> Markup:
    """Return the HTML of a text. Other Markdown is shown as it is written.

    Blocks are separated by empty lines; a list is a block. Links lead to this site only.
    """
    blocks = re.split(r"\n\s*\n", text.strip())
    return Markup("\n").join(_block(block) for block in blocks)


def _block(block: str) -> Markup:
    if found := HEADING.fullmatch(block):
        level = len(found[1])
        return Markup("<h{0}>{1}</h{0}>").format(level, _spans(found[2]))
    items = [ITEM.fullmatch(item) for item in _items(block)]
    if all(items):
        kind = "ol" if block[0].isdigit() else "ul"
        rows = Markup("").join(
            Markup("<li>{}</li>").format(_spans(item[1])) for item in items if item
        )
        return Markup("<{0}>{1}</{0}>").format(kind, rows)
    return Markup("<p>{}</p>").format(_spans(block))


def _items(block: str) -> list[str]:
    """Return the items of a block, each with its indented continuation lines."""
    return re.split(r"\n(?=\S)", block)


def _spans(text: str) -> Markup:
    return Markup("").join(_pieces(" ".join(text.split())))


def _pieces(text: str) -> Iterator[Markup]:
    at = 0
    for found in SPAN.finditer(text):
        yield escape(text[at : found.start()])
        bold, emphasis, code, label, address = found.groups()
        if address:
            yield Markup('<a href="{}">{}</a>').format(address, _spans(label))
        elif code:
            yield Markup("<code>{}</code>").format(code)
        else:
            tag = "strong" if bold else "em"
            yield Markup("<{0}>{1}</{0}>").format(tag, _spans(bold or emphasis))
        at = found.end()
    yield escape(text[at:])
