"""Encrypted pages: the name is checked and sent although a pinned IP address is connected to."""

import datetime as dt
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from retrieval.sources.web_fetch import Fetcher, FetchError

NAME = "docs.example"
FIRST_DAY = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
LAST_DAY = dt.datetime(2120, 1, 1, tzinfo=dt.UTC)


def write_certificate(path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, FIRST_DAY, LAST_DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    write_certificate(tmp_path / "server.pem")
    return tmp_path / "server.pem"


@pytest.fixture
def server(certificate: Path) -> Iterator[tuple[int, list[str | None]]]:
    """The port, and the names that clients asked for while they shook hands."""
    names: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"secret")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 its name there
            """Say nothing."""

    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    tls.sni_callback = lambda _, name, __: names.append(name)
    listener = HTTPServer(("127.0.0.1", 0), Handler)
    listener.socket = tls.wrap_socket(listener.socket, server_side=True)
    thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
    thread.start()
    yield listener.server_address[1], names
    listener.shutdown()
    listener.server_close()
    thread.join()


def fetch(host: str, port: int, tls: ssl.SSLContext | None) -> bytes:
    fetcher = Fetcher(
        user_agent="test/1",
        timeout_seconds=5,
        allow_private=True,
        resolve=lambda *_: ["127.0.0.1"],
        tls=tls,
    )
    try:
        return fetcher.get(f"https://{host}:{port}/", max_bytes=100).body
    finally:
        fetcher.close()


def test_the_name_is_asked_for_and_its_certificate_is_good(
    certificate: Path, server: tuple[int, list[str | None]]
):
    port, names = server

    assert fetch(NAME, port, ssl.create_default_context(cafile=str(certificate))) == b"secret"
    assert names == [NAME]


def test_a_certificate_of_another_name_is_refused(
    certificate: Path, server: tuple[int, list[str | None]]
):
    with pytest.raises(FetchError, match="cannot be reached"):
        fetch("other.example", server[0], ssl.create_default_context(cafile=str(certificate)))


def test_a_certificate_that_nobody_vouches_for_is_refused(server: tuple[int, list[str | None]]):
    with pytest.raises(FetchError, match="cannot be reached"):
        fetch(NAME, server[0], None)
