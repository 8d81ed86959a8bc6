"""The process that reads one sheet: the file is standard input, rows go to standard output.

It takes no more time and memory than its limits, whatever the file holds: a file that needs more
ends this process, and nothing else.
"""

import os
import resource
import sys

import msgspec

from billing.sheets.messages import Answer, Question
from billing.sheets.parsing import parse_sheet
from billing.sheets.row import Row
from billing.values import Refused

CPU_SECONDS = 60  # 200,000 rows of five columns need 8 on a machine that is busy
MEMORY_BYTES = 512_000_000  # of address space; 200,000 rows need 50,000,000
ROWS_AT_ONCE = 500
CHARACTERS_AT_ONCE = 200_000


def main() -> int:
    """Read the sheet as the first argument says."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    question = msgspec.json.decode(sys.argv[1], type=Question)
    try:
        _answer(question)
    except Refused as refusal:
        values = {name: str(value) for name, value in refusal.values.items()}
        _say(Answer(refused=(refusal.message, values)))
    except MemoryError:
        return 1
    return 0


def _answer(question: Question) -> None:
    """Send the rows, some at a time. Raises Refused."""
    rows: list[Row] = []
    size = 0
    with os.fdopen(sys.stdin.fileno(), "rb", closefd=False) as file:
        for row in parse_sheet(file, question.file_name, question.most_rows):
            rows.append(row)
            size += sum(map(len, row.cells))
            if len(rows) >= ROWS_AT_ONCE or size > CHARACTERS_AT_ONCE:
                _say(Answer(rows=rows))
                rows, size = [], 0
    _say(Answer(rows=rows, is_last=True))


def _say(answer: Answer) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
