"""How often Python looks for garbage: rarely, for records and events are trees without cycles.

Measured: with the default thresholds half of the time of rating and of projecting went there,
walking the catalogue's prices again and again.
"""

import gc

OBJECTS = 200_000  # made and not yet freed, before the youngest generation is walked


def collect_rarely() -> None:
    """For the whole process; reference counting frees nearly everything by itself."""
    gc.set_threshold(OBJECTS, 20, 100)


def keep_for_good() -> None:
    """What is there now (a catalogue of prices) stays: never walk it again."""
    gc.collect()
    gc.freeze()
