"""Starts the process that sends letters, with an end to its time and nothing it need not know."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from flows.telling.letters import Letter, Receipt, packed, receipts_in

# A service has 8 s to answer (apprise: 4 to connect, 4 to read), some are sent to in two steps.
SECONDS_A_LETTER = 20.0
# The start: an interpreter and apprise, on a machine that is busy.
SECONDS_TO_START = 40.0
_KNOWN = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "SYSTEMROOT", "TMPDIR", "PYTHONPATH"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
)
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_UNTOLD = "the process that sends messages ended before it"


def send(letters: Sequence[Letter]) -> tuple[Receipt, ...]:
    """Send the letters of one target; return a receipt for each, in their order.

    Raises nothing that a service did. Through a proxy nobody can say which address is reached at
    last: those of the environment are used for a target that may have private addresses alone.
    """
    if not letters:
        return ()
    sent = _sent(letters, proxied=all(letter.allow_private for letter in letters))
    received = {receipt.number: receipt for receipt in sent}
    return tuple(received.get(n, Receipt(n, _UNTOLD)) for n in range(len(letters)))


def passed_on(environment: Mapping[str, str], *, proxied: bool) -> dict[str, str]:
    """Return the variables that the process is to have: none that may hold another's secret.

    >>> given = {"PATH": "/bin", "https_proxy": "http://203.0.113.7:3128", "TEAM_URL": "json://x"}
    >>> passed_on(given, proxied=False)
    {'PATH': '/bin'}
    >>> sorted(passed_on(given, proxied=True))
    ['PATH', 'https_proxy']
    """
    names = (*_KNOWN, *_PROXIES) if proxied else _KNOWN
    return {name: environment[name] for name in names if name in environment}


def _sent(letters: Sequence[Letter], *, proxied: bool) -> tuple[Receipt, ...]:
    process = subprocess.Popen(
        # -P: a folder that a person happens to stand in brings no modules.
        [sys.executable, "-P", "-m", "flows.telling.notify"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # what a service's library says there may hold a secret
        env=passed_on(os.environ, proxied=proxied),
        text=True,
        encoding="utf-8",
    )
    limit = SECONDS_TO_START + SECONDS_A_LETTER * len(letters)
    try:
        answered, _ = process.communicate(packed(letters), timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        answered, _ = process.communicate()
    return receipts_in(answered)
