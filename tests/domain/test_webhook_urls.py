"""Addresses that events may be sent to, and the many spellings of those that they may not."""

import pytest

from domain.webhook_urls import INVALID, NOT_HTTPS, NOT_PUBLIC, fault_of, is_public

GOOD = [
    "https://shop.example.com/paymint/events",
    "https://shop.example.com",
    "https://shop.example.com?x=1",
    "https://shop.example.com:8443/hook?a=b&c=%20",
    "https://SHOP.Example.COM/",
    "https://xn--bcher-kva.example/",
    "https://8.8.8.8/hook",
    "https://[2606:4700:4700::1111]/hook",
    "https://[2606:4700:4700::1111]:8443/hook",
    "https://0x7f.example.com/",
    "https://my-local.example/",
]

BAD = [
    ("/hook", NOT_HTTPS),
    ("", NOT_HTTPS),
    ("shop.example.com/hook", NOT_HTTPS),
    ("//shop.example.com/hook", NOT_HTTPS),
    ("http://shop.example.com/hook", NOT_HTTPS),
    ("http://127.0.0.1:9000/hook", NOT_HTTPS),
    ("ftp://shop.example.com/", NOT_HTTPS),
    ("https:///hook", NOT_HTTPS),
    ("https://", NOT_HTTPS),
    ("https://user@shop.example.com/", NOT_PUBLIC),
    ("https://shop.example.com:pw@10.0.0.1/", NOT_PUBLIC),
    ("https://localhost/", NOT_PUBLIC),
    ("https://LOCALHOST/", NOT_PUBLIC),
    ("https://a.localhost/", NOT_PUBLIC),
    ("https://printer.local/", NOT_PUBLIC),
    ("https://metadata.google.internal/", NOT_PUBLIC),
    ("https://router.home.arpa/", NOT_PUBLIC),
    ("https://intranet/", NOT_PUBLIC),
    ("https://shop.example.com./", NOT_PUBLIC),
    ("https://localhost./", NOT_PUBLIC),
    ("https://shop..example.com/", NOT_PUBLIC),
    ("https://-shop.example.com/", NOT_PUBLIC),
    ("https://bücher.example/", INVALID),
    ("https://shop.example.com%2f@10.0.0.1/", NOT_PUBLIC),
    ("https://%31%32%37.0.0.1/", NOT_PUBLIC),
    ("https://127.0.0.1/", NOT_PUBLIC),
    ("https://127.0.0.1:9000/", NOT_PUBLIC),
    ("https://127.1/", NOT_PUBLIC),
    ("https://0/", NOT_PUBLIC),
    ("https://2130706433/", NOT_PUBLIC),
    ("https://017700000001/", NOT_PUBLIC),
    ("https://0x7f.1/", NOT_PUBLIC),
    ("https://0x7f000001/", NOT_PUBLIC),
    ("https://0X7F.0.0.1/", NOT_PUBLIC),
    ("https://0177.0.0.1/", NOT_PUBLIC),
    ("https://008.8.8.8/", NOT_PUBLIC),
    ("https://8.8.8.8./", NOT_PUBLIC),
    ("https://8.8.8/", NOT_PUBLIC),
    ("https://8.8.8.8.8/", NOT_PUBLIC),
    ("https://256.1.1.1/", NOT_PUBLIC),
    ("https://10.1.2.3/", NOT_PUBLIC),
    ("https://172.31.255.255/", NOT_PUBLIC),
    ("https://192.168.0.1/", NOT_PUBLIC),
    ("https://169.254.169.254/latest/meta-data", NOT_PUBLIC),
    ("https://100.100.100.200/", NOT_PUBLIC),
    ("https://168.63.129.16/", NOT_PUBLIC),
    ("https://0.0.0.0/", NOT_PUBLIC),
    ("https://224.0.0.1/", NOT_PUBLIC),
    ("https://255.255.255.255/", NOT_PUBLIC),
    ("https://[::1]/", NOT_PUBLIC),
    ("https://[::]/", NOT_PUBLIC),
    ("https://[::ffff:127.0.0.1]/", NOT_PUBLIC),
    ("https://[::ffff:8.8.8.8]/", NOT_PUBLIC),
    ("https://[::127.0.0.1]/", NOT_PUBLIC),
    ("https://[64:ff9b::7f00:1]/", NOT_PUBLIC),
    ("https://[2002:7f00:1::]/", NOT_PUBLIC),
    ("https://[2001:0:7f00:1::]/", NOT_PUBLIC),
    ("https://[2001:db8::1]/", NOT_PUBLIC),
    ("https://[fe80::1]/", NOT_PUBLIC),
    ("https://[fe80::1%25eth0]/", NOT_PUBLIC),
    ("https://[fd00:ec2::254]/", NOT_PUBLIC),
    ("https://[ff02::1]/", NOT_PUBLIC),
    ("https://[nonsense]/", NOT_PUBLIC),
    ("https://[::1/", NOT_PUBLIC),
    ("https://shop.example.com:0/", INVALID),
    ("https://shop.example.com:65536/", INVALID),
    ("https://shop.example.com:/", NOT_PUBLIC),
    ("https://shop.example.com:https/", NOT_PUBLIC),
    ("https://shop.example.com/#part", INVALID),
    ("https://shop.example.com\\@10.0.0.1/", INVALID),
    ("https://shop.example.com/a b", INVALID),
    ("https://shop.example.com/\r\nHost: x", NOT_HTTPS),
    ("https://" + "a" * 64 + ".example/", NOT_PUBLIC),
    ("https://" + "a." * 127 + "example/", NOT_PUBLIC),
]

LOOPBACK = [
    "http://127.0.0.1:9000/hook",
    "http://127.0.0.1:9000/",
    "http://127.0.0.1:1/a?b=c",
    "http://[::1]:9000/hook",
]
NEARLY_LOOPBACK = [
    "http://127.0.0.1/hook",
    "https://127.0.0.1:9000/hook",
    "http://localhost:9000/hook",
    "http://127.1:9000/hook",
    "http://127.0.0.2:9000/hook",
    "http://0177.0.0.1:9000/hook",
    "http://2130706433:9000/hook",
    "http://[::ffff:127.0.0.1]:9000/hook",
    "http://[0:0:0:0:0:0:0:1]:9000/hook",
    "http://0.0.0.0:9000/hook",
    "http://user@127.0.0.1:9000/hook",
    "http://127.0.0.1:9000@evil.example/hook",
    "http://127.0.0.1:0/hook",
    "http://127.0.0.1:65536/hook",
    "http://127.0.0.1:9000\\@evil.example/",
    "http://127.0.0.1:9000/#part",
    "http://127.0.0.1.evil.example:9000/hook",
    "http://10.0.0.1:9000/hook",
    "HTTP://127.0.0.1:9000/hook",
]


@pytest.mark.parametrize("url", GOOD)
def test_a_public_https_address_is_taken(url: str) -> None:
    assert fault_of(url, allow_loopback=False) is None
    assert fault_of(url, allow_loopback=True) is None


@pytest.mark.parametrize(("url", "code"), BAD)
def test_every_other_address_is_refused(url: str, code: str) -> None:
    assert fault_of(url, allow_loopback=False) == code


@pytest.mark.parametrize("url", LOOPBACK)
def test_loopback_needs_its_switch(url: str) -> None:
    assert fault_of(url, allow_loopback=True) is None
    assert fault_of(url, allow_loopback=False) == NOT_HTTPS


@pytest.mark.parametrize("url", NEARLY_LOOPBACK)
def test_the_switch_admits_no_other_spelling(url: str) -> None:
    assert fault_of(url, allow_loopback=True) is not None


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700:4700::1111", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("::ffff:8.8.8.8", False),
        ("fe80::1%eth0", False),
        ("2001:db8::1", False),
        ("not an address", False),
        ("", False),
    ],
)
def test_what_a_name_resolves_to_must_be_public(address: str, public: bool) -> None:
    assert is_public(address) is public
