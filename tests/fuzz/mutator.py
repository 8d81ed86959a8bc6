"""Makes hostile bodies of honest ones: the same for the same seed."""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

LONGEST = 4 * 1024  # bytes of most bodies
LONGEST_OF_FEW = 256 * 1024
FEW = 0.005  # of bodies may be so long
TOKENS = (
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",  # a lone surrogate, as no UTF-8 has it
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    "\u202e\u0663\u00b2\u0130\ufb03".encode(),
    "😀".encode(),
    b"\r",
    b"\r\n\r\n",
    b"\x0b\x0c\x1c\x85",
    b'"',
    b'""',
    b"'",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"&#0;",
    b"&amp;",
    b"<",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b"%00",
    b"%ed%a0%80",
    b"%",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b";",
    b",",
    b"=",
    b"&",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"NaN",
    b"-Infinity",
    b"1e999990",
    b"-1e-999990",
    b"-0",
    b"0x10",
    b"1_000",
    b"9" * 25,
    b"9" * 400,
    b"9" * 5_000,
    b"9223372036854775808",
    b"0.000000000000000000001",
    b"1,234,567.89",
    b"0000-00-00 00:00:00",
    b"1970-01-01T00:00:00Z",
    b"2026-02-30",
    b"2026-10-25T02:30:00",
    b"9999-12-31T23:59:59+14:00",
    b"0001-01-01T00:00:00-14:00",
    b"2026-11-23T01:16:09.999999999+99:99",
    b"=1+1",
    b"+34",
    b"0034 600-9",
    b"5690-5699",
    b"sip:%40@[::1];x=y",
    b"00:00:00",
    b"24:00",
)
NUMBER = re.compile(rb"[0-9]+(?:\.[0-9]+)?")
Step = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


def bodies(corpus: Sequence[bytes], seed: int, longest: int = LONGEST) -> Iterator[bytes]:
    """Yield bodies without an end: each one of the corpus, changed one to six times.

    Most have `longest` bytes at most, if those of the corpus do; a few more.
    """
    dice = random.Random(seed)  # noqa: S311 -- reproducible
    while True:
        body = dice.choice(corpus)
        most = LONGEST_OF_FEW if dice.random() < FEW else max(longest, len(body))
        for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 4, 6))):
            body = dice.choice(STEPS)(dice, body, corpus)[:most]
        yield body


def _slice(dice: random.Random, body: bytes) -> tuple[int, int]:
    """A part of the body, rather a short one: where it begins and ends."""
    begin = dice.randrange(len(body) + 1)
    length = dice.choice((1, 2, 4, 8, 30, 200, len(body)))
    return begin, min(len(body), begin + dice.randrange(length + 1))


def _insert(dice: random.Random, body: bytes, _: Sequence[bytes]) -> bytes:
    place = dice.randrange(len(body) + 1)
    return body[:place] + dice.choice(TOKENS) + body[place:]


def _replace(dice: random.Random, body: bytes, _: Sequence[bytes]) -> bytes:
    begin, end = _slice(dice, body)
    return body[:begin] + dice.choice(TOKENS) + body[end:]


def _change_number(dice: random.Random, body: bytes, _: Sequence[bytes]) -> bytes:
    found = list(islice(NUMBER.finditer(body, dice.randrange(len(body) + 1)), 50))
    if not found:
        return body
    number = dice.choice(found)
    return body[: number.start()] + dice.choice(TOKENS) + body[number.end() :]


def _flip(dice: random.Random, body: bytes, _: Sequence[bytes]) -> bytes:
    changed = bytearray(body)
    for _times in range(dice.choice((1, 1, 2, 8))):
        if changed:
            changed[dice.randrange(len(changed))] = dice.randrange(256)
    return bytes(changed)


def _delete(dice: random.Random, body: bytes, _: Sequence[bytes]) -> bytes:
    begin, end = _slice(dice, body)
    return body[:begin] + body[end:]


def _cut(dice: random.Random, body: bytes, _: Sequence[bytes]) -> bytes:
    return body[: dice.randrange(len(body) + 1)]


def _repeat(dice: random.Random, body: bytes, _: Sequence[bytes]) -> bytes:
    begin, end = _slice(dice, body)
    times = dice.choice((2, 2, 3, 10, 100, 1_000, 20_000))
    part = body[begin:end]
    times = min(times, LONGEST_OF_FEW // (len(part) or 1))
    return body[:begin] + part * times + body[end:]


def _copy(dice: random.Random, body: bytes, _: Sequence[bytes]) -> bytes:
    begin, end = _slice(dice, body)
    place = dice.randrange(len(body) + 1)
    return body[:place] + body[begin:end] + body[place:]


def _splice(dice: random.Random, body: bytes, corpus: Sequence[bytes]) -> bytes:
    other = dice.choice(corpus)
    begin, end = _slice(dice, other)
    place, rest = _slice(dice, body)
    return body[:place] + other[begin:end] + body[rest:]


STEPS: tuple[Step, ...] = (
    _insert,
    _replace,
    _replace,
    _change_number,
    _change_number,
    _flip,
    _delete,
    _cut,
    _repeat,
    _copy,
    _splice,
)
