"""The child process: reads one task from standard input, writes its answer to standard output."""

import sys

import msgspec
import psycopg

from billing.commands.rate_groups import ImportDeck, copy_rate_group, import_deck, undo_import
from billing.decks import uploads
from billing.interpreter import tune
from billing.log.store import Store
from billing.offload.preview import preview
from billing.offload.tasks import Answer, Apply, Copy, Preview, Seed, Task, Undo
from billing.values import Refused


def main() -> int:
    """Carry out the task."""
    tune()
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    try:
        answer = carry_out(task)
    except Refused as refusal:
        values = {name: str(value) for name, value in refusal.values.items()}
        answer = Answer(refused=(refusal.message, values))
    sys.stdout.buffer.write(msgspec.json.encode(answer))
    return 0


def carry_out(task: Task) -> Answer:
    """Carry out a task. Raises Refused."""
    match task.request:
        case Preview() as request:
            return Answer(previewed=preview(task.url, request))
        case Apply() as request:
            return Answer(position=_apply(task.url, request))
        case Undo(command=command, envelope=envelope):
            return Answer(position=undo_import(Store(task.url), command, envelope))
        case Copy(command=command, envelope=envelope):
            return Answer(position=copy_rate_group(Store(task.url), command, envelope))
        case Seed() as request:
            from billing.offload.seeding import seed  # noqa: PLC0415 -- slow, only seeds need it

            return seed(Store(task.url), request)


def _apply(url: str, request: Apply) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        found = uploads.prepared_of(connection, request.group_id, request.upload_id)
    if found is None:
        raise Refused("Run the preview first.")
    prepared, file_name = found
    command = ImportDeck(
        group_id=request.group_id,
        import_id=request.upload_id,
        file_name=file_name,
        rates=prepared.rates,
        ended=prepared.ended,
    )
    return import_deck(Store(url), command, request.envelope)


if __name__ == "__main__":
    sys.exit(main())
