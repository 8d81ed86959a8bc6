"""The job that carries out policies: what the system does automatically."""

import threading
from collections.abc import Callable

from billing.config import Config
from billing.policies.running import run_policies


def run(config: Config, told_to_stop: Callable[[], threading.Event]) -> None:
    """Watch the read models until asked to stop."""
    run_policies(config, told_to_stop())
