"""Which IP addresses a webhook may be sent to: public unicast ones, and none of the special-purpose ranges.

The standard library's `is_global` and `is_private` pass several of these (multicast, NAT64, 6to4, ...), so the table is our own. For IPv6 only
2000::/3 is assigned as global unicast; that leaves out loopback, IPv4-mapped and -compatible, NAT64, unique-local, link-local,
site-local, multicast and whatever is assigned next. Sources: IANA's IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890) and
multicast address space registries.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

_BLOCKED_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared between carriers and their customers
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, cloud metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # IETF protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # automatic multicast tunnelling
        "192.88.99.0/24",  # 6to4 relays, deprecated
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, limited broadcast
        "168.63.129.16/32",  # not IANA's: the host agent of Azure's machines, reachable from inside only
    )
)
_ASSIGNED_V6 = IPv6Network("2000::/3")
_BLOCKED_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # IETF protocol assignments: Teredo, ORCHID, benchmarking, AMT, ...
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: any IPv4 address inside
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether this is an address out on the internet."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _BLOCKED_V4)
    return (
        address.scope_id is None and address in _ASSIGNED_V6 and not any(address in network for network in _BLOCKED_V6)
    )
