"""Which internet addresses are public: anybody's, and of no machine that only this network can reach."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

#: All of IPv6 that was ever given out to be reached from everywhere.
_GIVEN_OUT = IPv6Network("2000::/3")
#: Documentation, which Python learnt of late.
_DOCUMENTATION = IPv6Network("3fff::/20")
#: Addresses that stand for an IPv4 address in their last 32 bits: IPv4-mapped, and NAT64 (RFC 6052).
_WRAPPINGS = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))


def is_public(text: str) -> bool:
    """Whether an address is one of the public internet. An IPv6 address that stands for an IPv4 address is as it is."""
    address = ip_address(text)
    if isinstance(address, IPv4Address):
        return _is_public(address)
    inner = _wrapped(address)
    if inner is not None:
        return _is_public(inner)
    return address in _GIVEN_OUT and address not in _DOCUMENTATION and _is_public(address)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that packets to this one go to, if any."""
    if any(address in wrapping for wrapping in _WRAPPINGS):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour
