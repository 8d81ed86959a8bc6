"""Makes events fit for every read model: whatever is appended can be projected.

A text column takes no NUL, UTF-8 no lone surrogate, and an index entry at most 2,704 bytes.
The store asks here before it encodes an event and after it decodes one, so that no sender, form or
spreadsheet can stop a reader, and logs written before this rule are read by it too.
"""

import re
from typing import Any

import msgspec

LONGEST_TEXT = 400  # bytes of UTF-8: three such texts fit into one entry of an index
LONGEST_PROSE = 4_000  # bytes, of texts that no index holds
PROSE = frozenset({"reason", "note", "detail"})
UNCUT = frozenset({"key", "call_id"})  # they distinguish records; their stream has its own bound
UNTOUCHED = frozenset({"raw"})  # what the sender wrote is kept as it is; no column holds it
NUL_ESCAPED = b"\\u0000"  # as JSON writes it
SUSPECT_BYTES = 2_500  # an event below this size holds no text that an index refuses
LONG_RUN = re.compile(rb'[^"]{%d}' % (LONGEST_TEXT + 1))


def fit_text(text: str, most_bytes: int = LONGEST_TEXT) -> str:
    """The text without NUL, lone surrogates replaced, cut to `most_bytes` of UTF-8."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    encoded = text.encode(errors="replace")
    if len(encoded) > most_bytes:
        return encoded[:most_bytes].decode(errors="ignore")
    return text if text.isascii() else encoded.decode()


def fit(value: Any, name: str = "", *, cut: bool = True) -> Any:
    """A struct, tuple, dict or text with every text in it fit; `name` is its field.

    With `cut` false, texts keep their length: so an event that is read again stays what it was.
    """
    if isinstance(value, str):
        if name in UNTOUCHED:
            return value.encode(errors="replace").decode()
        most_bytes = LONGEST_PROSE if name in PROSE else LONGEST_TEXT
        whole = not cut or name in UNCUT
        return fit_text(value, len(value) * 4 if whole else most_bytes)
    if isinstance(value, msgspec.Struct):
        fields = ((field, getattr(value, field)) for field in value.__struct_fields__)
        fitted = {field: fit(part, field, cut=cut) for field, part in fields}
        return msgspec.structs.replace(value, **fitted)
    if isinstance(value, (tuple, list)):
        return type(value)(fit(part, name, cut=cut) for part in value)
    if isinstance(value, dict):
        return {fit(key, name, cut=cut): fit(part, name, cut=cut) for key, part in value.items()}
    return value


def must_fit(event: Any, encoded: bytes) -> bool:
    """Whether an event about to be appended may hold a text that has to be made fit.

    `encoded` is its JSON. A raw record is left out of the size: it is long and no column holds it.
    """
    size = len(encoded) - 2 * len(getattr(event, "raw", ""))
    long = size > SUSPECT_BYTES and LONG_RUN.search(encoded) is not None
    return long or NUL_ESCAPED in encoded
