from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from slipway.errors import UserError
from slipway.settings import Settings


def test_nothing_set_gives_one_installation_per_user() -> None:
    settings = Settings.from_environment({})
    assert settings.home == Path.home() / ".slipway"
    assert settings.instance == "slipway"
    assert settings.registry == "127.0.0.1:5050"
    assert settings.prefect_api == "http://127.0.0.1:4200/api"
    assert settings.ledger_url == f"sqlite:///{settings.home}/ledger.db"


def test_a_child_process_gets_the_very_same_settings() -> None:
    given = {
        "SLIPWAY_HOME": "/srv/slipway",
        "SLIPWAY_CACHE": "/var/cache/slipway",
        "SLIPWAY_INSTANCE": "second",
        "SLIPWAY_REGISTRY_PORT": "5151",
        "SLIPWAY_PREFECT_PORT": "4300",
        "SLIPWAY_PORT_OFFSET": "100",
        "SLIPWAY_REGISTRY": "registry.example.com",
        "SLIPWAY_ENVIRONMENTS": "/etc/environments.yaml",
        "SLIPWAY_LEDGER": "postgresql://db/ledger",
        "SLIPWAY_WEBHOOK_PORT": "8199",
    }
    settings = Settings.from_environment(given)
    assert settings.as_environment() == given
    assert len(given) == len(fields(Settings)), "a setting that a child does not get"
    assert Settings.from_environment(settings.as_environment()) == settings


def test_empty_variables_count_as_unset() -> None:
    settings = Settings.from_environment({"SLIPWAY_INSTANCE": "", "SLIPWAY_REGISTRY_PORT": "", "SLIPWAY_HOME": ""})
    assert settings == Settings.from_environment({})


def test_folders_are_absolute_wherever_a_command_runs() -> None:
    settings = Settings.from_environment({"SLIPWAY_HOME": "here", "SLIPWAY_CACHE": "there"})
    assert settings.home.is_absolute()
    assert settings.cache.is_absolute()


def test_an_external_registry_takes_the_place_of_the_local_one() -> None:
    assert Settings.from_environment({"SLIPWAY_REGISTRY": "ghcr.io"}).registry == "ghcr.io"


def test_the_ledgers_password_is_not_shown_with_the_settings() -> None:
    assert "hunter2" not in repr(Settings.from_environment({"SLIPWAY_LEDGER": "postgresql://bob:hunter2@db/x"}))


@pytest.mark.parametrize("value", ["eighty", "-1", "²", "1.5", "70000"])
def test_a_port_that_is_none_names_its_variable(value: str) -> None:
    with pytest.raises(UserError, match="SLIPWAY_PREFECT_PORT is"):
        Settings.from_environment({"SLIPWAY_PREFECT_PORT": value})
