"""Letters to real servers on loopback: delivered, refused, and where they must never go."""

import subprocess
import sys
from collections.abc import Iterator
from email import message_from_string, policy

import pytest

from flows.telling.connect_guard import ConnectGuard, ForbiddenError
from flows.telling.letters import Letter, packed
from flows.telling.messenger import send
from tests.flows.telling.receivers import Receiver, mail_server, webhook

SECRET = "tok3n-of-nobody"  # noqa: S105 - planted


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook() as taken:
        yield taken


def letter(url: str, *, body: str = "docs is drifting.", allow_private: bool = True) -> Letter:
    return Letter(url, "driftline docs: watch", body, allow_private)


def reason_of(sent: Letter) -> str:
    (receipt,) = send([sent])
    return receipt.reason


def test_each_letter_is_delivered_in_order_and_one_that_is_refused_stops_no_other():
    with webhook() as first, webhook() as second:
        second.status = 403
        letters = [
            letter(f"json://127.0.0.1:{first.port}/{SECRET}", body="one"),
            letter(f"json://127.0.0.1:{second.port}/{SECRET}"),
            letter(f"json://127.0.0.1:{first.port}/{SECRET}", body="two"),
        ]

        receipts = send(letters)

    assert [each.reason for each in receipts] == ["", "the service refused it (HTTP 403)", ""]
    assert [each["message"] for each in first.bodies] == ["one", "two"]
    assert first.bodies[0]["title"] == "driftline docs: watch"


def test_mail_carries_the_text_and_no_markup_of_it():
    with mail_server() as taken:
        url = (
            f"mailto://127.0.0.1:{taken.port}?smtp=127.0.0.1&mode=insecure"
            "&from=driftline@example.org&to=team@example.org"
        )

        reason = reason_of(letter(url, body="a & b <script>alert(1)</script>"))

    assert reason == ""
    mail = message_from_string(taken.bodies[0]["mail"], policy=policy.default)
    assert mail["Subject"] == "driftline docs: watch"
    html = mail.get_body(("html",))
    assert html is None or "<script>" not in html.get_content()


def test_a_private_address_is_reached_only_where_the_target_says_so(receiver: Receiver):
    url = f"json://127.0.0.1:{receiver.port}/"

    refused = reason_of(letter(url, allow_private=False))

    assert "not a public address" in refused
    assert receiver.asked == []
    assert reason_of(letter(url)) == ""


def test_a_name_that_leads_to_a_private_address_is_refused_where_it_is_connected_to(
    receiver: Receiver,
):
    """What a name server answers is looked at last of all: there is no moment to change it in."""
    assert "not a public address" in reason_of(
        letter(f"json://localhost:{receiver.port}/", allow_private=False)
    )
    assert receiver.asked == []


@pytest.mark.parametrize("redirect", ["", "?redirect=yes"], ids=["by-default", "asked-for"])
def test_a_redirect_is_not_followed(receiver: Receiver, redirect: str):
    receiver.status, receiver.location = 302, f"http://127.0.0.1:{receiver.port}/elsewhere"

    reason = reason_of(letter(f"json://127.0.0.1:{receiver.port}/hook{redirect}"))

    assert reason == "the service answered with a redirect (HTTP 302), which is not followed"
    assert receiver.asked == ["/hook"]


def test_proxies_of_the_environment_are_used_for_private_targets_alone(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{receiver.port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    elsewhere = "json://192.0.2.1/hook"  # TEST-NET-1: reached by nobody

    through, around = (letter(elsewhere, allow_private=private) for private in (True, False))

    assert reason_of(through) == ""
    assert receiver.asked == ["http://192.0.2.1/hook"]
    assert "not a public address" in reason_of(around)
    assert len(receiver.asked) == 1


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", f"nosuch://{SECRET}/x", "json://", "file:///etc/passwd"],
    ids=["empty", "no-url", "no-service", "no-host", "file"],
)
def test_what_is_no_url_of_a_service_is_said_without_it(url: str):
    reason = reason_of(letter(url))

    assert "of no service that apprise knows" in reason
    assert SECRET not in reason


@pytest.mark.parametrize("scheme", ["syslog", "dbus", "gnome"])
def test_nothing_is_started_or_written_on_this_machine(scheme: str):
    assert reason_of(letter(f"{scheme}://")) != ""


def test_a_service_that_never_answers_is_ended(receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("flows.telling.messenger.SECONDS_TO_START", 0.0)
    monkeypatch.setattr("flows.telling.messenger.SECONDS_A_LETTER", 0.01)

    reason = reason_of(letter(f"json://127.0.0.1:{receiver.port}/"))

    assert reason == "the process that sends messages ended before it"


def test_the_process_says_nothing_that_holds_a_part_of_a_url(receiver: Receiver):
    receiver.status = 500
    url = f"json://ada:{SECRET}@127.0.0.1:{receiver.port}/{SECRET}?+X-Key={SECRET}"

    done = subprocess.run(
        [sys.executable, "-m", "flows.telling.notify"],
        input=packed([letter(url), letter(f"json://{SECRET}.invalid/{SECRET}")]),
        capture_output=True,
        text=True,
        check=True,
    )

    assert receiver.asked == [f"/{SECRET}"]
    assert "HTTP 500" in done.stdout
    assert SECRET not in done.stdout
    assert SECRET not in repr(letter(url))


@pytest.mark.parametrize(
    ("address", "private", "allowed"),
    [
        (("8.8.8.8", 443), False, True),
        (("2001:4860:4860::8888", 443, 0, 0), False, True),
        (("127.0.0.1", 80), False, False),
        (("127.0.0.1", 80), True, True),
        (("10.0.0.7", 80), False, False),
        (("::ffff:10.0.0.7", 80, 0, 0), False, False),
        (("169.254.169.254", 80), True, False),
        (("fd00:ec2::254", 80, 0, 0), True, False),
        (("fe80::1%eth0", 80, 0, 1), True, False),
        (("0.0.0.0", 80), True, False),  # noqa: S104 - refused
        (("hooks.example.org", 443), True, False),
        ("/run/dbus/system_bus_socket", True, False),
        (b"/run/dbus/system_bus_socket", True, False),
        ((16, 0), True, False),
        (None, False, True),
    ],
    ids=str,
)
def test_the_guard_looks_at_the_very_address_that_is_connected_to(
    address: object,
    private: bool,  # noqa: FBT001 - a column of the table
    allowed: bool,  # noqa: FBT001
):
    guard = ConnectGuard(allow_private=private)

    for event in ("socket.connect", "socket.sendto"):
        if allowed:
            guard(event, (None, address))
        else:
            with pytest.raises(ForbiddenError):
                guard(event, (None, address))

    assert len(guard.refused) == (0 if allowed else 2)


@pytest.mark.parametrize("event", ["os.system", "subprocess.Popen", "syslog.syslog"])
def test_the_guard_lets_no_program_start(event: str):
    with pytest.raises(ForbiddenError):
        ConnectGuard(allow_private=True)(event, ("sh", ["sh"], None))
