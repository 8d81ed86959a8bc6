"""What the handlers of pages share: settings, connections, templates, services."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg_pool import AsyncConnectionPool
from sanic import Request

from billing.config import Config
from billing.database import limits
from billing.log.rehearsal import Rehearsal
from billing.log.store import Store
from billing.offload.process import Offload
from billing.web.kit.assets import Asset, load_assets
from billing.web.kit.pages import templates_for
from billing.web.services.arrivals import Arrivals
from billing.web.services.certificate import CertificateWatch
from billing.web.services.export_jobs import Exports
from billing.web.services.freshness import Freshness
from billing.web.services.import_plans import Plans
from billing.web.services.knowledge import Knowledge
from billing.web.services.passwords import Passwords
from billing.web.services.replay_jobs import Replays
from billing.web.services.sheets import Sheets

WRITERS = 4  # commands at a time: half the connections of the log, so that others still read it


class Site:
    """The shared objects of an application, made before the server starts."""

    def __init__(self, config: Config, pool: AsyncConnectionPool[Any], store: Store) -> None:
        self.config = config
        self.pool = pool
        self.store = store
        self.zone = ZoneInfo(config.time_zone)
        self.assets: dict[str, Asset] = load_assets()
        self.templates = templates_for(self.zone)
        self.passwords = Passwords()
        self.writers = ThreadPoolExecutor(WRITERS, "command")
        self.rehearsal = Rehearsal(store.url)
        self.arrivals = Arrivals(pool)
        self.certificate = CertificateWatch(config.public_url)
        self.freshness = Freshness(pool)
        self.exports = Exports(config.exports)
        self.plans = Plans()
        self.sheets = Sheets()
        self.offload = Offload(store.url)
        self.knowledge = Knowledge(store)
        self.replays = Replays(self.connect_background, store)

    def connect(self) -> psycopg.Connection[Any]:
        """Return a connection for blocking work of a page in a thread."""
        return limits.connect_page(self.store.url)

    def connect_background(self) -> psycopg.Connection[Any]:
        """Return a connection for files and replays, whose statements may take longer."""
        return limits.connect_background(self.store.url)

    async def connect_background_async(self) -> psycopg.AsyncConnection[Any]:
        """Return one for the event loop; files use none of the pool."""
        return await limits.connect_background_async(self.store.url)

    def stop_streams(self) -> None:
        """End open streams, before the server waits for running requests."""
        self.arrivals.stop()

    async def close(self) -> None:
        """Close what was opened."""
        await self.certificate.close()
        await self.arrivals.close()
        self.sheets.close()
        await self.exports.close()
        await self.replays.close()
        await self.pool.close()
        self.writers.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self.store.close)


def site_of(request: Request[Any, Any]) -> Site:
    """Return the site of a request."""
    site: Site = request.app.ctx.site
    return site
