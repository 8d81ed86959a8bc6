"""A database that is lost without a word: every job ends its wait for the answer."""

import os
import subprocess
import sys

import psycopg
import pytest

from billing.database import migrate
from billing.jobs.jobs import JOBS, PORTS
from tests.embedded import until
from tests.standby import open_network, open_primary

CONNECTED = "select count(*) from pg_stat_activity where application_name = 'contarifa'"


@pytest.mark.drill
def test_jobs_end_when_their_connections_are_half_open() -> None:
    with open_primary() as server, open_network(server) as network:
        migrate(server.url)
        names = sorted(JOBS.keys() - PORTS)
        environment = {**os.environ, "DATABASE_URL": network.url}
        jobs = [
            subprocess.Popen(  # noqa: S603 -- ourselves
                [sys.executable, "-m", "billing.jobs", name],
                env=environment,
                stdin=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            for name in names
        ]
        try:
            with psycopg.connect(server.url, autocommit=True) as connection:
                until(lambda: connection.execute(CONNECTED).fetchall()[0][0] >= 2 * len(jobs))
            network.forget()
            assert {
                name: job.wait(30) for name, job in zip(names, jobs, strict=True)
            } == dict.fromkeys(names, 1)
        finally:
            for job in jobs:
                job.kill()
                job.communicate()
