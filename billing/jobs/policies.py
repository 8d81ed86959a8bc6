"""The job of what the system does by itself."""

import threading
from collections.abc import Callable

from billing.config import Config
from billing.policies.running import run_policies


def run(config: Config, told_to_stop: Callable[[], threading.Event]) -> None:
    """Watch the read models until told to stop."""
    run_policies(config, told_to_stop())
