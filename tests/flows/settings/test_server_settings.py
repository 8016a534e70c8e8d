"""Who may come in: nobody from another machine without a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.errors import SettingsError
from flows.settings.server import Servers
from flows.settings.settings import load_settings


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "docs.example"])  # noqa: S104
def test_a_host_that_others_can_reach_needs_a_password(tmp_path: Path, host: str):
    file = tmp_path / "driftline.toml"
    file.write_text(f'[servers]\nhost = "{host}"\n[kb.docs.source]\npath = "docs"\n')

    with pytest.raises(SettingsError) as refused:
        load_settings(file)

    assert repr(host) in str(refused.value)
    assert "auth_variable must name an environment variable" in str(refused.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "::1"])
def test_loopback_needs_none(host: str):
    assert Servers(host=host).names == ()


def test_with_a_password_named_any_host_is_taken():
    everywhere = Servers(host="0.0.0.0", auth_variable="SECRET", hosts=("docs.example",))  # noqa: S104

    assert everywhere.names == ("docs.example",)
    assert everywhere.reachable == "127.0.0.1"
    assert Servers(host="10.0.0.7", auth_variable="SECRET").names == ("10.0.0.7",)
    assert Servers(host="::", auth_variable="SECRET").reachable == "[::1]"
