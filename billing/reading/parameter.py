"""Extracts the record from `cdr=`, which FreeSWITCH %-encodes or sends as base64 with raw plus."""

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

PREFIX = b"cdr="
_BASE64 = re.compile(rb"[A-Za-z0-9+/_\s-]+={0,2}")


def content_of(body: bytes) -> bytes:
    """Return the bytes of the record in a body that starts with `cdr=`.

    Works on raw bytes: a form parser would turn base64's plus signs into spaces.
    """
    value = body[len(PREFIX) :].partition(b"&")[0]
    content = unquote_to_bytes(value)
    if _BASE64.fullmatch(content.strip()):
        # Restore plus signs that became spaces on the way.
        packed = content.strip().replace(b" ", b"+").translate(None, b"\r\n\t\v\f")
        packed = packed.replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
        try:
            return base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
        except binascii.Error:
            return content
    if b"%20" not in value and b"+" in value:  # not encoded by FreeSWITCH
        return unquote_to_bytes(value.replace(b"+", b" "))
    return content
