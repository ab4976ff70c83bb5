"""Networks that a key may be used from: one spelling each, compared by meaning."""

import pytest

from domain.allowlists import admits, canonical, networks
from domain.refusals import Malformed


def test_entries_take_one_spelling() -> None:
    given = ["203.0.113.7", "10.0.0.0/8", "2001:DB8:0::/48", "10.0.0.0/8", "2001:db8::1"]
    assert canonical(given, "ip_allowlist") == [
        "203.0.113.7/32",
        "10.0.0.0/8",
        "2001:db8::/48",
        "2001:db8::1/128",
    ]


def test_ipv4_in_the_form_of_ipv6_is_ipv4() -> None:
    given = ["::ffff:203.0.113.0/120", "::ffff:198.51.100.7", "::ffff:0:0/96", "::/0"]
    stored = canonical(given, "ip_allowlist")
    assert stored == ["203.0.113.0/24", "198.51.100.7/32", "0.0.0.0/0", "::/0"]
    assert admits(networks(stored[:1]), "203.0.113.9")
    assert admits(networks(stored[:1]), "::ffff:203.0.113.9")
    assert not admits(networks(stored[:1]), "203.0.114.9")


@pytest.mark.parametrize(
    "entry",
    [
        "10.0.0.1/8",
        "10.0.0.0/33",
        "10.0.0",
        "010.0.0.0/8",
        "2001:db8::1/48",
        "::/129",
        "1:2",
        "::g",
    ],
)
def test_what_is_no_network_is_refused(entry: str) -> None:
    with pytest.raises(Malformed) as refusal:
        canonical(["10.0.0.0/8", entry], "ip_allowlist")
    assert (refusal.value.code, refusal.value.param) == ("parameter_invalid", "ip_allowlist[1]")


@pytest.mark.parametrize(
    ("address", "admitted"),
    [
        ("203.0.113.9", True),
        ("203.0.114.9", False),
        ("::ffff:203.0.113.9", True),
        ("::ffff:203.0.114.9", False),
        ("2001:db8::77", True),
        ("2001:db9::77", False),
        ("", False),
        ("somewhere", False),
    ],
)
def test_addresses_are_compared_by_meaning(address: str, admitted: bool) -> None:
    allowed = networks(["203.0.113.0/24", "2001:db8::/32"])
    assert admits(allowed, address) is admitted
