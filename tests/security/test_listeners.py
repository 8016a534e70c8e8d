"""Whatever listens, listens on loopback; elsewhere where it was told to, and with a password."""

import ast
from pathlib import Path

import pytest
from pydantic import ValidationError

from flows.fan_out import _runner_of
from flows.settings.scale import Scale
from flows.settings.server import Servers, is_loopback

ROOT = Path(__file__).parents[2]
EVERYWHERE = {"0.0.0.0", "::", ""}  # noqa: S104 - what must not stand anywhere


def test_servers_listen_on_loopback_by_default():
    assert is_loopback(Servers().host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "docs.example"])  # noqa: S104
def test_another_host_needs_a_password(host: str):
    with pytest.raises(ValidationError, match="auth_variable"):
        Servers(host=host)

    assert Servers(host=host, auth_variable="AUTH").host == host


def test_a_dask_cluster_of_ours_listens_on_loopback_without_a_dashboard():
    runner = _runner_of(Scale(runner="dask", workers=2))

    started = vars(runner)["cluster_kwargs"]
    assert started["host"] == "127.0.0.1"
    assert started["dashboard_address"] is None


def bound(tree: ast.AST) -> list[str]:
    """Return the hosts that stand in code beside a port: in calls and pairs."""
    pairs = [node for node in ast.walk(tree) if isinstance(node, ast.Tuple) and len(node.elts) == 2]
    hosts = [
        pair.elts[0].value
        for pair in pairs
        if isinstance(pair.elts[0], ast.Constant)
        and isinstance(pair.elts[0].value, str)
        and (isinstance(pair.elts[1], ast.Name) and "port" in pair.elts[1].id)
    ]
    named = [
        keyword.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "host" and isinstance(keyword.value, ast.Constant)
    ]
    return [*hosts, *map(str, named)]


def test_no_code_names_every_address_as_a_host():
    files = [
        file
        for part in ("flows", "retrieval", "monitors", "training")
        for file in (ROOT / part).rglob("*.py")
    ]

    open_to_all = [
        str(file.relative_to(ROOT))
        for file in files
        if EVERYWHERE & set(bound(ast.parse(file.read_text(encoding="utf-8"))))
    ]

    assert open_to_all == []
    assert bound(ast.parse("start(host='')\nlisten(('0.0.0.0', port))")) == ["0.0.0.0", ""]  # noqa: S104
