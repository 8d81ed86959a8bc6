"""Settings come from the environment, and a wrong one is named."""

from pathlib import Path

import pytest

from billing.config import SETTINGS, Config, read_config
from billing.values import Refused


def test_without_settings_the_defaults_hold() -> None:
    assert read_config({"PATH": "/bin", "BILLING_BIND": ""}) == Config()


def test_every_setting_is_read() -> None:
    given = {
        "DATABASE_URL": "postgresql://x/y",
        "BILLING_DATA_DIR": "/tmp/elsewhere",  # noqa: S108 -- only a name
        "BILLING_BIND": "192.0.2.1",
        "BILLING_WEB_PORT": "80",
        "BILLING_CDR_PORT": "81",
        "BILLING_TIME_ZONE": "America/Lima",
        "BILLING_COOKIE_SECURE": "yes",
        "BILLING_PROXIES": "1",
        "BILLING_SMTP_URL": "smtps://billing:s3cret@mail.example.com:465",
        "BILLING_MAIL_FROM": "billing@example.com",
        "BILLING_METRICS_TOKEN": "s3cret",
        "BILLING_PUBLIC_URL": "https://billing.example.com",
    }
    assert set(given) == set(SETTINGS.values())
    config = read_config(given)
    assert (config.web_port, config.cdr_port, config.cookie_secure) == (80, 81, True)
    assert config.proxies == 1
    assert (config.time_zone, config.data_dir) == ("America/Lima", Path("/tmp/elsewhere"))  # noqa: S108 -- only a name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BILLING_WEB_PORT", "70000"),
        ("BILLING_CDR_PORT", "x"),
        ("BILLING_TIME_ZONE", "Mars/Olympus"),
        ("BILLING_COOKIE_SECURE", "maybe"),
        ("BILLING_PROXIES", "-1"),
        ("BILLING_SMTP_URL", "mail.example.com"),
        ("BILLING_PUBLIC_URL", "http://billing.example.com"),
        ("BILLING_PUBLIC_URL", "https://billing.example.com:99999"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(Refused, match=f"The setting {name} can't be '{value}'"):
        read_config({name: value})
