"""`make drills`: break everything, count what is lost. See docs/drills.md.

`python -m tests.drills [KIND…]` does the drills, all or those named; `python -m tests.drills table`
prints the sum of all that was written down in the folder. DRILLS is the number of kills (100); the
other drills are done in proportion. DRILLS_FOLDER is where results and installations lie. Ctrl-C
ends it after a last comparison.
"""

import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.drills.drill import Plan
from tests.drills.kinds import KINDS
from tests.drills.results import Checked, Result, Results, Struck, read_results, table
from tests.embedded import end_all

FOLDER = Path(os.environ.get("DRILLS_FOLDER", "data/drills"))
KILLS = int(os.environ.get("DRILLS", "100"))
WHOLE = 1_000


def main() -> int:
    """The exit code: 1 if anything was lost, doubled, wrong, or needed a person."""
    words = sys.argv[1:] or list(KINDS)
    if words == ["table"]:
        print(table(read_results(FOLDER)))
        return 0
    results, ending = Results(FOLDER), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    for name in words:
        if not ending.is_set():
            run(name, results, ending)
    print(table(results.added))
    return 1 if any(map(is_bad, results.added)) else 0


def run(name: str, results: Results, ending: threading.Event) -> None:
    """One kind of drill, in a folder that goes when all was well."""
    drill, share = KINDS[name]
    count, seed = max(1, KILLS * share // WHOLE), int(time.time())
    print(f"{name}: {count} times, seed {seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=FOLDER.resolve()))
    folder.chmod(0o711)  # started by root the database runs as another user
    before = len(results.added)
    try:
        drill(Plan(folder, count, seed, results, ending))
    finally:
        end_all(folder)
    if any(map(is_bad, results.added[before:])):
        print(f"{name}: see {folder}", flush=True)
    else:
        shutil.rmtree(folder)


def is_bad(result: Result) -> bool:
    """Whether a result is what a drill is to find."""
    match result:
        case Struck(hands=hands):
            return hands > 0
        case Checked(lost=lost, doubled=doubled, faults=faults):
            return bool(lost or doubled or faults)


if __name__ == "__main__":
    sys.exit(main())
