"""The long form: `FUZZ=1000000 make fuzz`, or `python -m tests.fuzz NAME…` for some parsers.

Each parser has a process of its own. Printed are the bodies, those refused, the slowest one (in
processor seconds, so that other work on the machine does not count) and the most memory. Fails for
any exception that is no refusal, any body over SLOWEST_S, any parser over MOST_MB; such a body goes
into the corpus, where the tests read it from then on.
"""

import contextlib
import hashlib
import logging
import os
import resource
import secrets
import subprocess
import sys
import time
import traceback
from itertools import islice

import msgspec

from tests.fuzz.mutator import bodies
from tests.fuzz.targets import CORPUS, TARGETS, Target

SLOWEST_S = 1.0
MOST_MB = 200
MOST_FOUND = 20  # bodies kept of one parser
HEAD = "parser              bodies  refused   slowest ms   most MB  found"


class Outcome(msgspec.Struct, kw_only=True):
    """What the bodies of one parser came to."""

    bodies: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    megabytes: float = 0.0
    found: int = 0


def main(names: list[str]) -> int:
    """Try the parsers one after the other; 1 if anything was found."""
    count, failed = int(os.environ.get("FUZZ", "1000")), False
    print(HEAD, flush=True)
    for name in names or TARGETS:
        seed = secrets.randbits(32)
        command = (sys.executable, "-m", "tests.fuzz.__main__", name, str(count), str(seed))
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False)  # noqa: S603 -- ourselves
        if done.returncode:
            failed = True
            print(f"{name:<16} ended with {done.returncode} (seed {seed})", flush=True)
            continue
        out = msgspec.json.decode(done.stdout, type=Outcome)
        failed = failed or bool(out.found) or out.megabytes > MOST_MB
        print(
            f"{name:<16} {out.bodies:>9,} {out.refused:>8,} {out.slowest_s * 1000:>12.1f}"
            f" {out.megabytes:>9.0f} {out.found:>6}",
            flush=True,
        )
    return int(failed)


def try_bodies(target: Target, count: int, seed: int) -> Outcome:
    """Give a parser the bodies of a seed; what it fails with is kept in the corpus."""
    outcome = Outcome()
    for body in islice(bodies(target.corpus(), seed), count):
        outcome.bodies += 1
        begin = time.perf_counter()
        try:
            target.parse(body)
        except target.refusals:
            outcome.refused += 1
        except Exception:  # noqa: BLE001 -- it is what is looked for
            _keep(target, body, outcome)
            traceback.print_exc()
        if time.perf_counter() - begin > outcome.slowest_s:
            seconds = _processor_seconds(target, body)
            outcome.slowest_s = max(outcome.slowest_s, seconds)
            if seconds > SLOWEST_S:
                _keep(target, body, outcome)
                print(f"{target.name}: {seconds:.1f} s for {len(body)} bytes", file=sys.stderr)
    outcome.megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return outcome


def _processor_seconds(target: Target, body: bytes) -> float:
    """Measure a body once more; the clock on the wall is cheap, but other work counts in it."""
    begin = time.process_time()
    with contextlib.suppress(Exception):
        target.parse(body)
    return time.process_time() - begin


def _keep(target: Target, body: bytes, outcome: Outcome) -> None:
    outcome.found += 1
    if outcome.found <= MOST_FOUND:
        name = f"found-{hashlib.sha256(body).hexdigest()[:12]}"
        (CORPUS / target.name / name).write_bytes(body)


if __name__ == "__main__":
    logging.disable()  # Sanic logs each form that it can't decode
    if len(sys.argv) == 4 and sys.argv[2].isdigit():
        out = try_bodies(TARGETS[sys.argv[1]], int(sys.argv[2]), int(sys.argv[3]))
        sys.stdout.buffer.write(msgspec.json.encode(out))
    else:
        sys.exit(main(sys.argv[1:]))
