"""Work is sent where an operator allows it, whatever a name or an address pretends to be."""

from __future__ import annotations

import pytest

from serving.handlers.allowed import Allowed

HOOKS = Allowed.of(["https://hooks.example.com", "http://10.1.2.3:8080", "partner.example", "192.168.0.0/16"])


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/send?list=1#top",
        "https://hooks.example.com:443/",
        "https://HOOKS.example.com./send",
        "http://10.1.2.3:8080/send",
        "https://partner.example/a",
        "http://partner.example:8080/a",
        "http://192.168.7.7:9000/",
    ],
)
def test_what_is_listed_is_allowed(url):
    assert HOOKS.origin_of(url)[2] in (443, 8080, 9000)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/send",  # another scheme
        "https://hooks.example.com:8443/",
        "https://evil.hooks.example.com/",
        "https://hooks.example.com.evil.example/",
        "https://evil.example/hooks.example.com",
        "https://evil.example\\@hooks.example.com/",
        "http://10.1.2.3/",
        "http://10.1.2.4:8080/",
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[::ffff:127.0.0.1]/",
        "http://localhost/",
    ],
)
def test_what_is_not_listed_is_not(url):
    with pytest.raises(ValueError, match="must"):
        HOOKS.origin_of(url)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://hooks.example.com/", "must be a URL that begins with https://HOST or http://HOST"),
        ("file:///etc/passwd", "must be a URL that begins with"),
        ("hooks.example.com", "must be a URL that begins with"),
        ("https:///send", "must be a URL that begins with"),
        ("https://me:secret@hooks.example.com/", "must be a URL without a user's name or password"),
        ("https://hooks.example.com:99999/", "port from 1 to 65535"),
        ("https://hooks.example.com/\x00", "must be a URL"),
        ("https://hooks.example.com:port/", "must be a URL"),
        ("https://\ud800/", "must be a URL"),
        (f"https://hooks.example.com/{'a' * 2000}", "at most 2000 characters"),
        (
            "https://evil.example/",
            "must lead to what http_allow lists: https://hooks.example.com, http://10.1.2.3:8080, partner.example, 192",
        ),
    ],
)
def test_a_refusal_says_what_is_allowed(url, reason):
    with pytest.raises(ValueError, match=reason):
        HOOKS.origin_of(url)


def test_nothing_is_allowed_where_nothing_is_listed():
    with pytest.raises(ValueError, match="must lead to what http_allow lists: nothing"):
        Allowed().origin_of("https://hooks.example.com/")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.9.9.9", "172.16.0.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255",
        "0.0.0.0",  # noqa: S104 - nothing is bound to it
        "::1", "fe80::1", "fe80::1%1", "fd00::1", "ff02::1", "::", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "2002:7f00:1::", "2002:a00:1::1", "2001:db8::1", "::7f00:1",
        "::ffff:0:7f00:1", "64:ff9b:1::7f00:1", "fec0::1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_reached_by_no_name(address):
    assert not HOOKS.reaches(address, "partner.example")


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"])
def test_a_public_address_is(address):
    assert HOOKS.reaches(address, "partner.example")


@pytest.mark.parametrize("address", ["192.168.1.1", "::ffff:192.168.1.1"])
def test_so_is_one_of_a_network_that_is_listed(address):
    assert HOOKS.reaches(address, "partner.example")


def test_an_address_listed_as_an_origin_is_reached_under_its_own_name_alone():
    assert HOOKS.reaches("10.1.2.3", "10.1.2.3")
    assert not HOOKS.reaches("10.1.2.3", "partner.example"), "a name must not be turned into it"


def test_localhost_may_mean_loopback_where_it_is_listed():
    local = Allowed.of(["http://localhost:8080"])
    assert local.origin_of("http://localhost:8080/") == ("http", "localhost", 8080)
    assert local.reaches("127.0.0.1", "localhost")
    assert local.reaches("::1", "localhost")
    assert not local.reaches("10.0.0.1", "localhost")
    assert not local.reaches("127.0.0.1", "partner.example")
    assert not Allowed.of(["partner.example"]).reaches("127.0.0.1", "localhost")


def test_an_operator_s_own_url_is_allowed_by_being_named():
    own = Allowed().with_url("http://[::1]:8080/send")
    assert own.origin_of("http://[0:0::1]:8080/other")[1] == "::1"
    assert own.reaches("::1", "::1")


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("https://hooks.example.com/send", "must end with the host or port"),
        ("ftp://hooks.example.com", "must be a URL that begins with"),
        ("*.example.com", "must be an origin"),
        ("hooks.example.com:443", "must be an origin"),
        ("", "must be an origin"),
        ("10.1.2.3/8", "must be an origin"),
    ],
)
def test_an_entry_that_allows_nothing_is_refused(entry, reason):
    with pytest.raises(ValueError, match=reason):
        Allowed.of([entry])
