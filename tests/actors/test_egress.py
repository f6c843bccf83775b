"""Where requests on behalf of others may go."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.egress import Egress, UrlForbidden, literal

PUBLIC = ("8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700:4700::1111", "2a00:1450:4001::1")
FORBIDDEN = (
    *("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("100.64.0.1", "100.100.100.200", "169.254.169.254", "168.63.129.16", "192.0.0.192"),
    *("224.0.0.1", "239.255.255.250", "255.255.255.255", "198.18.0.1", "203.0.113.7"),
    *("::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1", "2001::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::1", "2002:a9fe:a9fe::1", "64:ff9b::a00:1"),
    *("64:ff9b:1::808:808", "::127.0.0.1", "5f00::1", "100::1"),
)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_reached(address: str) -> None:
    Egress().check_address(ip_address(address))


@pytest.mark.parametrize("address", FORBIDDEN)
def test_others_may_not_unless_all_may(address: str) -> None:
    with pytest.raises(UrlForbidden) as refused:
        Egress().check_address(ip_address(address))
    assert address not in str(refused.value)
    Egress(allow_private=True).check_address(ip_address(address))


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_is_judged_as_itself(inner: IPv4Address) -> None:
    number = int(inner)
    for outer in (
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(0x2002 << 112 | number << 80),
        IPv6Address(0x64FF9B << 96 | number),
    ):
        assert refused(outer) == refused(inner)


def refused(address: IPv4Address | IPv6Address) -> bool:
    try:
        Egress().check_address(address)
    except UrlForbidden:
        return True
    return False


def test_a_network_that_is_allowed_opens_no_other() -> None:
    egress = Egress(allow_networks=["10.1.0.0/16"])
    egress.check_address(ip_address("10.1.2.3"))
    egress.check_address(ip_address("::ffff:10.1.2.3"))
    for address in ("10.2.0.1", "127.0.0.1"):
        with pytest.raises(UrlForbidden):
            egress.check_address(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        *(
            "ftp://example.com",
            "file:///etc/passwd",
            "https://",
            "https://u:p@example.com",
            "//x",
            "https://[::1",
        ),
        *(
            "http://127.0.0.1:5432/",
            "http://127.1/",
            "http://0x7f000001/",
            "http://2130706433/",
            "http://0177.1/",
        ),
        *("http://[::1]/", "http://[::ffff:10.0.0.1]/", "http://169.254.169.254/latest/meta-data"),
    ],
)
def test_a_url_that_could_only_be_wrong_is_refused_before_it_is_asked_for(url: str) -> None:
    with pytest.raises(UrlForbidden):
        Egress().check_url(url)


def test_a_name_is_judged_only_once_it_is_looked_up() -> None:
    Egress().check_url("https://localhost/hook")
    Egress().check_url("https://hooks.example.com:8443/x?y=z")
    assert literal("localhost") is None
    assert literal("127.1") == ip_address("127.0.0.1")


def test_of_several_addresses_the_first_permitted_is_taken() -> None:
    found = [ip_address(each) for each in ("10.0.0.1", "8.8.8.8", "1.1.1.1")]
    assert Egress().permitted(found) == found[1]
    for none in ([], found[:1]):
        with pytest.raises(UrlForbidden):
            Egress().permitted(none)
