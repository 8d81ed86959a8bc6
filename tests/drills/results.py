"""What drills found, a JSON line each, so that the runs of several days can be added up."""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

import msgspec

FILE = "results.jsonl"
TIMES = "next record | page | read models"


class Struck(msgspec.Struct, frozen=True, kw_only=True, tag="struck", omit_defaults=True):
    """One strike. Seconds from the strike, or from the end of an outage; None: not measured."""

    drill: str
    what: str
    acknowledged: float | None = None  # a record that was sent since
    page: float | None = None  # a page that was requested since
    shown: float | None = None  # every read model has what the log had at the first record
    hands: int = 0  # what a person had to do
    run: int = 0  # one run of `make drills`


class Checked(msgspec.Struct, frozen=True, kw_only=True, tag="checked"):
    """A comparison after some strikes: what is new since the one before."""

    drill: str
    records: int  # acknowledged since
    lost: int
    doubled: int
    faults: tuple[str, ...]
    run: int = 0


Result = Struck | Checked


class Results:
    """The file, and what this run added to it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / FILE
        self._run = time.time_ns()
        self.added: list[Result] = []

    def add(self, result: Result) -> None:
        """Write one down."""
        result = msgspec.structs.replace(result, run=self._run)
        self.added.append(result)
        with self._file.open("ab") as file:
            file.write(msgspec.json.encode(result) + b"\n")


def read_results(folder: Path) -> list[Result]:
    """All that was ever written down in a folder; none if there is no file."""
    file = folder / FILE
    decoder = msgspec.json.Decoder(Result)
    lines = file.read_bytes().splitlines() if file.exists() else []
    return [decoder.decode(line) for line in lines]


def table(results: Sequence[Result]) -> str:
    """Two tables in Markdown: each kind of strike, and what the comparisons found.

    Strikes that no comparison followed don't count: that run was broken off.
    """
    struck = _compared(results)
    checked = [each for each in results if isinstance(each, Checked)]
    lines = [
        f"| strike | times | hands needed | {TIMES} |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for what in sorted({(each.drill, each.what) for each in struck}):
        some = [each for each in struck if (each.drill, each.what) == what]
        counts = [len(some), sum(each.hands for each in some)]
        lines.append(_line(what[1], counts, some))
    lines += [
        "",
        f"| drill | strikes | records | lost | doubled | other faults | hands needed | {TIMES} |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    drills = sorted({each.drill for each in results})
    for drill in [*drills, ""]:
        strikes = [each for each in struck if drill in (each.drill, "")]
        checks = [each for each in checked if drill in (each.drill, "")]
        counts = [
            len(strikes),
            sum(each.records for each in checks),
            sum(each.lost for each in checks),
            sum(each.doubled for each in checks),
            sum(len(each.faults) for each in checks),
            sum(each.hands for each in strikes),
        ]
        lines.append(_line(drill or "all", counts, strikes))
    return "\n".join(lines)


def _compared(results: Sequence[Result]) -> list[Struck]:
    """The strikes after which the same run of the drill compared."""
    waiting: dict[tuple[str, int], list[Struck]] = {}
    compared = []
    for each in results:
        if isinstance(each, Struck):
            waiting.setdefault((each.drill, each.run), []).append(each)
        else:
            compared += waiting.pop((each.drill, each.run), [])
    return compared


def _line(name: str, counts: Sequence[int], struck: Sequence[Struck]) -> str:
    """A row: figures, and the middle and the longest of the times until all was well."""
    cells = [name, *(f"{each:,}" for each in counts)]
    cells.append(_middle_and_most(each.acknowledged for each in struck))
    cells.append(_middle_and_most(each.page for each in struck))
    cells.append(_middle_and_most(each.shown for each in struck))
    return f"| {' | '.join(cells)} |"


def _middle_and_most(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{median(known):.1f}, {max(known):.1f}" if known else ""
