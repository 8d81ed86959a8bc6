"""Settings of the Python interpreter: rare garbage collection, quick switches between threads.

Both were measured with `make bench` (docs/decisions/0006).
"""

import gc
import sys

OBJECTS = 200_000  # allocations minus releases before the youngest generation is collected
OBJECTS_OF_PAGES = 10_000  # for pages: pauses of 2 ms instead of 130
TURN_SECONDS = 0.0005  # longest wait for another thread; the default is 5 ms


def tune() -> None:
    """Set both for the whole process: records and events have no cycles, so counting frees them."""
    gc.set_threshold(OBJECTS, 20, 100)
    sys.setswitchinterval(TURN_SECONDS)


def freeze_heap() -> None:
    """Exclude all current objects (a catalogue of prices) from later collections."""
    gc.collect()
    gc.freeze()


def tune_for_pages() -> None:
    """Collect often in a process whose pages leave cycles, but skip the objects that exist now."""
    gc.set_threshold(OBJECTS_OF_PAGES, 20, 100)
    freeze_heap()
