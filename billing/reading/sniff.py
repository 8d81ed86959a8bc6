"""Detects the format of a body by its content; the sender's content type is often wrong."""

import re
from collections.abc import Callable
from typing import Literal

from billing.reading import ami, kamailio, parameter

Kind = Literal["parameter", "xml", "json", "form", "ami", "kamailio_log", "csv"]
HEAD_BYTES = 64 * 1024  # enough to detect the format

_XML = re.compile(rb"<[?!A-Za-z_]")
_FORM = re.compile(rb"[A-Za-z_][\w.-]*=[^&\s]*(?:&[^=&\s]+=[^&\s]*)+\s*")


def kind_of(head: bytes) -> Kind:
    """Return the format of a body that starts with `head`."""
    head = head.lstrip()
    return next((kind for kind, looks_so in _LOOKS if looks_so(head)), "csv")


_LOOKS: tuple[tuple[Kind, Callable[[bytes], object]], ...] = (
    ("parameter", lambda head: head.startswith(parameter.PREFIX)),
    ("xml", _XML.match),
    ("json", lambda head: head[:1] in (b"{", b"[")),
    ("ami", ami.EVENT.search),
    ("kamailio_log", kamailio.LOG_LINE.search),
    ("form", _FORM.fullmatch),
)
