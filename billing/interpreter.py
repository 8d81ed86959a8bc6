"""How Python itself runs here: it seldom looks for garbage, and lets threads take turns quickly.

Both were measured with `make bench` (docs/decisions/0006).
"""

import gc
import sys

OBJECTS = 200_000  # made and not yet freed, before the youngest generation is walked
TURN_SECONDS = 0.0005  # the thread that commits waits this long for one that rates, not 5 ms


def tune() -> None:
    """For the whole process: records and events are trees without cycles, freed by counting."""
    gc.set_threshold(OBJECTS, 20, 100)
    sys.setswitchinterval(TURN_SECONDS)


def keep_for_good() -> None:
    """What is there now (a catalogue of prices) stays: never walk it again."""
    gc.collect()
    gc.freeze()
