"""Says in words how a call was priced: one sentence for each code of the rating chain's steps."""

from collections.abc import Sequence

from billing.web.i18n import gettext

SENTENCES: dict[str, str] = {}


def explain(steps: Sequence[Sequence[str]]) -> list[str]:
    """A sentence a step; a code of a newer program is shown as it stands."""
    return [_sentence(str(code), [str(value) for value in values]) for code, *values in steps]


def _sentence(code: str, values: list[str]) -> str:
    if code not in SENTENCES:
        return " ".join([code, *values])
    return gettext(SENTENCES[code]) % tuple(values)
