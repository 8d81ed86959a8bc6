"""The submission interface: POST /v1/cdr with the Basic credentials of a device.

Phone systems send again after any status but 2xx, so 2xx is sent only after the commit, for all
records that are stored: duplicates and suspended ones too.
"""

import asyncio
import logging
from collections import Counter
from datetime import UTC, datetime

import msgspec
from sanic import HTTPResponse, Request, Sanic
from sanic.exceptions import SanicException

from billing.aggregates.event import Envelope
from billing.commands.calls import Receipt, SubmitCalls
from billing.config import Config
from billing.database import Database, is_away, tell_away
from billing.doors.addresses import ip_address_of
from billing.doors.bodies import in_memory
from billing.doors.door import Door
from billing.doors.limits import Limits
from billing.ingest.batcher import Batcher, Busy
from billing.ingest.doorkeeper import Doorkeeper, Throttled, credentials_of
from billing.ingest.submission_log import Noted, SubmissionLog
from billing.log.rehearsal import Rehearsal
from billing.log.store import Store
from billing.rating.cdr import CallRecord
from billing.reading import SourceProfile, Unacceptable, profile_of, read_body
from billing.values import Refused, new_id

MOST_RECORDS = 5_000  # per body
MOST_BYTES = 8 * 1024 * 1024  # per body
QUICK_BYTES = 64 * 1024  # larger bodies are parsed in a thread
CHALLENGE = {"www-authenticate": 'Basic realm="cdr"'}

logger = logging.getLogger("billing.ingest")


class Result(msgspec.Struct, omit_defaults=True):
    """The outcome of one record, by its index in the body."""

    index: int
    status: str
    key: str
    cdr_id: str
    reason: str = ""


class Answer(msgspec.Struct):
    """The response to a submission: counts by status, and a result for each record."""

    batch: str
    received: int
    accepted: int
    duplicate: int
    conflict: int
    suspended: int
    errors: bool
    results: list[Result]


class Problem(msgspec.Struct, omit_defaults=True):
    """RFC 9457 problem details."""

    title: str
    status: int
    detail: str = ""


def create_app(config: Config, database: Database) -> Sanic:  # type: ignore[type-arg]
    """Build the Sanic application of the submission interface."""
    app = Sanic("contarifa-cdr", configure_logging=False)
    app.config.AUTO_EXTEND = False
    app.config.TOUCHUP = False  # rewrites code once per process, so a second start would fail
    app.config.REQUEST_MAX_SIZE = MOST_BYTES
    app.config.PROXIES_COUNT = config.proxies or None
    app.ctx.door = Door(Limits(), proxies=config.proxies)
    for path, name in (("/v1/cdr", "submit"), ("/v1/cdr/<source>", "submit_from")):
        app.add_route(submit, path, methods=["POST"], name=name, stream=True)  # body: after _admit
    app.add_route(health, "/healthz", methods=["GET"])
    app.add_route(tell_readiness, "/readyz", methods=["GET"])
    app.exception(Exception)(answer_exception)

    @app.before_server_start
    async def start(app: Sanic) -> None:  # type: ignore[type-arg]
        app.ctx.store = Store(database.url)
        app.ctx.pool = await database.open_async()
        app.ctx.doorkeeper = Doorkeeper(app.ctx.pool)
        app.ctx.batcher = Batcher(app.ctx.store)
        app.ctx.pool.when_lost = app.ctx.batcher.give_up
        app.ctx.rehearsal = Rehearsal(database.url)
        app.ctx.log = SubmissionLog(app.ctx.pool)
        app.ctx.log.start()
        await asyncio.to_thread(app.ctx.batcher.start)
        logger.info("submission interface on http://%s:%s", config.bind_address, config.cdr_port)

    @app.after_server_stop
    async def stop(app: Sanic) -> None:  # type: ignore[type-arg]
        # The batcher stops after the requests in progress, which wait for it.
        await asyncio.to_thread(app.ctx.batcher.close)
        await app.ctx.log.close()
        await app.ctx.pool.close()
        app.ctx.store.close()

    app.on_response(note_submission)  # type: ignore[no-untyped-call]
    return app


async def note_submission(request: Request, response: HTTPResponse) -> None:
    """Log the outcome of a submission for the page of the device."""
    if request.method == "POST":
        request.app.ctx.log.add(request, response)


async def health(_: Request) -> HTTPResponse:
    """Liveness check: the process answers."""
    return HTTPResponse("ok\n", content_type="text/plain")


async def tell_readiness(request: Request) -> HTTPResponse:
    """Whether a submission would be stored now, and why not; within two seconds."""
    problem = await request.app.ctx.rehearsal.problem()
    if request.app.ctx.batcher.is_stuck:
        problem = "the writer waits"
    if problem:
        headers = {"retry-after": "2"}
        return HTTPResponse(f"{problem}\n", 503, headers, content_type="text/plain")
    return HTTPResponse("ready\n", content_type="text/plain")


async def submit(request: Request, source: str = "") -> HTTPResponse:  # noqa: ARG001 -- senders may label their URL; the format is detected
    """Accept the records of a body; responds 200 with the status of each, after the commit."""
    noted = request.ctx.noted = Noted()
    device_id = await _admit(request, noted)
    if device_id is None:
        return _problem(401, "Wrong account or password", headers=CHALLENGE)
    envelope = Envelope(
        recorded_at=datetime.now(UTC),
        actor=f"device:{device_id}",
        address=ip_address_of(request),
        request_id=new_id(),
    )
    async with in_memory(request, MOST_BYTES):
        receipts = await _store(request, device_id, envelope)
    noted.counts = Counter(receipt.status for receipt in receipts)
    noted.detail = ", ".join(sorted({receipt.reason for receipt in receipts if receipt.reason}))
    return _answer(envelope.request_id, receipts)


async def _store(request: Request, device_id: str, envelope: Envelope) -> list[Receipt]:
    batcher = request.app.ctx.batcher
    profile = profile_of(await batcher.registration(device_id, ip_address_of(request)))
    if len(request.body) > QUICK_BYTES:
        records = await asyncio.to_thread(_read, request, profile, envelope.recorded_at)
    else:
        records = _read(request, profile, envelope.recorded_at)
    command = SubmitCalls(device_id=device_id, records=records, envelope=envelope)
    receipts: list[Receipt] = await batcher.submit(command)
    return receipts


def _read(request: Request, profile: SourceProfile, received_at: datetime) -> list[CallRecord]:
    return read_body(
        request.body,
        content_encoding=request.headers.get("content-encoding", ""),
        profile=profile,
        received_at=received_at,
        most_records=MOST_RECORDS,
    )


async def _admit(request: Request, noted: Noted) -> str | None:
    found = credentials_of(request.headers.get("authorization", ""))
    if found is None:
        return None
    account, password = found
    noted.account = account
    device: str | None = await request.app.ctx.doorkeeper.admit(
        account, password, ip_address_of(request)
    )
    noted.device_id = device or ""
    return device


def _answer(batch: str, receipts: list[Receipt]) -> HTTPResponse:
    counts = dict.fromkeys(("accepted", "duplicate", "conflict", "suspended"), 0)
    for receipt in receipts:
        counts[receipt.status] += 1
    results = [
        Result(index, receipt.status, receipt.key, receipt.cdr_id, receipt.reason)
        for index, receipt in enumerate(receipts)
    ]
    answer = Answer(
        batch=batch,
        received=len(receipts),
        errors=counts["conflict"] + counts["suspended"] > 0,
        results=results,
        **counts,
    )
    headers = {f"x-cdr-{name}": str(count) for name, count in counts.items()}
    return HTTPResponse(
        msgspec.json.encode(answer), content_type="application/json", headers=headers
    )


def _problem(
    status: int, title: str, detail: str = "", headers: dict[str, str] | None = None
) -> HTTPResponse:
    return HTTPResponse(
        msgspec.json.encode(Problem(title, status, detail)),
        status=status,
        content_type="application/problem+json",
        headers=headers,
    )


async def answer_exception(_: Request, error: Exception) -> HTTPResponse:
    """Respond with the reason; nothing that is not stored gets a 2xx."""
    match error:
        case Unacceptable(status=status):
            return _problem(status, "This body can't be taken in", str(error))
        case Throttled(seconds=seconds):
            return _problem(
                429,
                "Too many wrong passwords",
                f"Try again in {seconds} s.",
                {"retry-after": str(seconds)},
            )
        case Refused():
            return _problem(403, "Not permitted", str(error))
        case Busy():
            return _problem(503, "Busy", str(error), {"retry-after": "2"})
        case SanicException(status_code=status, headers=headers):
            return _problem(status, str(error), headers=headers)
        case _:
            if is_away(error):
                tell_away(error)
            else:
                logger.error("submission failed", exc_info=error)
            return _problem(
                503, "Not stored", "The database is away. Send it again.", {"retry-after": "2"}
            )
