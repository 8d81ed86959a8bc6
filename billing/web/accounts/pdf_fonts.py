"""The fonts of PDFs: every script that a name can be written in is shown, and can be copied.

DejaVu, which the build copies in, has Latin, Greek, Cyrillic, Arabic and more. What it lacks is
drawn with the Asian fonts that PDF viewers have.
"""

from functools import lru_cache
from html import escape
from itertools import groupby
from pathlib import Path

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont

PLAIN, BOLD = "DejaVuSans", "DejaVuSans-Bold"
JAPANESE, KOREAN, CHINESE = "HeiseiKakuGo-W5", "HYGothic-Medium", "STSong-Light"
KANA = range(0x3040, 0x3100)
HANGUL = (range(0x1100, 0x1200), range(0x3130, 0x3190), range(0xAC00, 0xD7B0))
VENDOR = Path(__file__).parents[1] / "vendor"


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[int]:
    """Register all fonts once; return the code points that DejaVu has."""
    for name in (PLAIN, BOLD):
        pdfmetrics.registerFont(TTFont(name, VENDOR / f"{name}.ttf"))
    for name in (JAPANESE, KOREAN, CHINESE):
        pdfmetrics.registerFont(UnicodeCIDFont(name))
    pdfmetrics.registerFontFamily(PLAIN, normal=PLAIN, bold=BOLD, italic=PLAIN, boldItalic=BOLD)
    return frozenset(pdfmetrics.getFont(PLAIN).face.charToGlyph)


def marked(text: str) -> str:
    """Return a text as the markup of a paragraph, each run in a font that has its characters."""
    glyphs = _glyphs()
    asian = _asian_font(text)
    parts = []
    for known, run in groupby(text, lambda character: ord(character) in glyphs):
        shown = escape("".join(run), quote=False)
        parts.append(shown if known else f'<font name="{asian}">{shown}</font>')
    return "".join(parts)


def _asian_font(text: str) -> str:
    """Return the font for ideographs: Japanese with kana, Korean with hangul, else Chinese."""
    points = [ord(character) for character in text]
    if any(point in KANA for point in points):
        return JAPANESE
    if any(point in block for point in points for block in HANGUL):
        return KOREAN
    return CHINESE
