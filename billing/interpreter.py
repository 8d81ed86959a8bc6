"""How Python itself runs here: it seldom looks for garbage, and lets threads take turns quickly.

Both were measured with `make bench` (docs/decisions/0006).
"""

import gc
import sys

OBJECTS = 200_000  # made and not yet freed, before the youngest generation is walked
OBJECTS_OF_PAGES = 10_000  # where somebody waits: pauses of 2 ms instead of 130
TURN_SECONDS = 0.0005  # the thread that commits waits this long for one that rates, not 5 ms


def tune() -> None:
    """For the whole process: records and events are trees without cycles, freed by counting."""
    gc.set_threshold(OBJECTS, 20, 100)
    sys.setswitchinterval(TURN_SECONDS)


def keep_for_good() -> None:
    """What is there now (a catalogue of prices) stays: never walk it again."""
    gc.collect()
    gc.freeze()


def answer_people() -> None:
    """For a process whose pages leave cycles behind: look for them often, and only among them."""
    gc.set_threshold(OBJECTS_OF_PAGES, 20, 100)
    keep_for_good()
