"""Web addresses: one spelling a page, and whom a source may never connect to."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.sources.web_address import (
    UnsafeAddressError,
    is_allowed,
    normal_address,
    site_of,
)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("HTTP://Example.ORG", "http://example.org/"),
        ("http://example.org:80/", "http://example.org/"),
        ("https://example.org:443/a", "https://example.org/a"),
        ("https://example.org:80/a", "https://example.org:80/a"),
        ("http://example.org/a#part", "http://example.org/a"),
        ("http://example.org/a/./b/../c", "http://example.org/a/c"),
        ("http://example.org/../../a", "http://example.org/a"),
        ("http://example.org/a/%2e%2e/b", "http://example.org/b"),
        ("http://example.org/a/..", "http://example.org/"),
        ("http://example.org/%7euser", "http://example.org/~user"),
        ("http://example.org/%c3%a9", "http://example.org/%C3%A9"),
        ("http://example.org/é", "http://example.org/%C3%A9"),
        ("http://example.org/a%2fb", "http://example.org/a%2Fb"),
        ("http://example.org/100%", "http://example.org/100%25"),
        ("http://example.org/a b?c d", "http://example.org/a%20b?c%20d"),
        ("http://example.org/?b=2&a=1", "http://example.org/?b=2&a=1"),
        ("http://example.org./a", "http://example.org/a"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://[2001:DB8:0::1]/", "http://[2001:db8::1]/"),
        ("  http://example.org/a\n", "http://example.org/a"),
    ],
)
def test_one_page_has_one_spelling(text: str, normal: str):
    assert normal_address(text) == normal


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_a_normal_address_is_its_own_normal_form(path: str):
    try:
        normal = normal_address(f"http://example.org/{path}")
    except UnsafeAddressError:
        return

    assert normal_address(normal) == normal
    assert normal.isascii()


@pytest.mark.parametrize(
    "text",
    [
        "file:///etc/passwd",
        "gopher://example.org/",
        "ftp://example.org/",
        "javascript:alert(1)",
        "data:text/html,x",
        "mailto:someone@example.org",
        "//example.org/a",
        "http:///a",
        "http://",
        "http://user@example.org/",
        "http://user:secret@example.org/",
        "http://example.org@127.0.0.1/",
        "http://example.org\\@127.0.0.1/",
        "http://2130706433/",
        "http://017700000001/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.1/",
        "http://127.0.0.0x1/",
        "http://127.0.0.1.1/",
        "http://0/",
        "http://[::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://[::1/",
        "http://[127.0.0.1]/",
        "http://example.org:0/",
        "http://example.org:99999/",
        "http://example.org:port/",
        "http://exa mple.org/",
        "http://example..org/",
        "http://-example.org/",
        "http://exam%70le.org/",
        "http://example.org/\x00",
        "http://example.org/" + "a" * 5_000,
    ],
)
def test_an_address_that_is_not_plainly_the_web_is_refused(text: str):
    with pytest.raises(UnsafeAddressError):
        normal_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1/",
        "http://\uff11\uff12\uff17.\uff10.\uff10.\uff11/",
        "http://①②⑦.⓪.⓪.①/",
        "http://127。0。0。1/",
    ],
)
def test_digits_of_other_scripts_are_the_address_they_spell(text: str):
    assert normal_address(text) == "http://127.0.0.1/"


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0",  # noqa: S104 to refuse it
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::10.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:0:7f00:1::80ff:fffe",
        "2001:db8::1",
        "2002:0a00:0001::1",
        "2002:7f00:0001::1",
        "2002:a9fe:a9fe::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_an_address_inside_is_not_connected_to(text: str):
    assert not is_allowed(ipaddress.ip_address(text), allow_private=False)


@pytest.mark.parametrize(
    "text", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::1.1.1.1", "::ffff:1.1.1.1"]
)
def test_a_public_address_is_connected_to(text: str):
    assert is_allowed(ipaddress.ip_address(text), allow_private=False)


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("10.0.0.1", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("fd12::1", True),
        ("169.254.169.254", False),
        ("::ffff:169.254.169.254", False),
        ("fd00:ec2::254", False),
        ("fe80::1", False),
        ("0.0.0.0", False),  # noqa: S104 to refuse it
        ("224.0.0.1", False),
    ],
)
def test_an_intranet_is_allowed_on_demand_but_never_its_metadata(text: str, *, allowed: bool):
    assert is_allowed(ipaddress.ip_address(text), allow_private=True) is allowed


def test_a_site_is_scheme_host_and_port():
    assert site_of("http://example.org/a") != site_of("https://example.org/a")
    assert site_of("http://example.org/a") != site_of("http://example.org:81/a")
    assert site_of("http://example.org/a") == site_of("http://example.org/b?c")
