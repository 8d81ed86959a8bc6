"""Who counts as one, and who is let in where there are many."""

import pytest

from billing.doors.addresses import network_of
from billing.doors.door import Door
from billing.doors.limits import Limits


class Visitor:
    def __init__(self, network: str, since: float | None) -> None:
        self.network, self.since, self.ended = network, since, False

    def waits_since(self) -> float | None:
        return self.since

    def end(self) -> None:
        self.ended = True


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
    ],
)
def test_an_ipv6_customer_counts_as_one(address: str, network: str) -> None:
    assert network_of(address) == network


def test_a_flood_of_one_network_leaves_the_others_their_connections() -> None:
    door = Door(Limits(connections=10, connections_of_network=4), proxies=0)
    other = Visitor("192.0.2.1", 0.0)
    assert door.admit(other)
    flood = [Visitor("2001:db8::/64", float(place)) for place in range(1, 100)]
    assert all(door.admit(each) for each in flood)
    assert [each.ended for each in flood] == [True] * 95 + [False] * 4
    assert not other.ended


def test_a_flood_of_many_networks_cuts_who_waited_longest_and_nobody_at_work() -> None:
    door = Door(Limits(connections=10, connections_of_network=4), proxies=0)
    working = [Visitor("192.0.2.1", None) for _ in range(3)]
    assert all(door.admit(each) for each in working)
    flood = [Visitor(f"198.51.100.{place}", float(place)) for place in range(200)]
    assert all(door.admit(each) for each in flood)
    assert not any(each.ended for each in working)
    assert [each.ended for each in flood] == [True] * 193 + [False] * 7


def test_behind_a_proxy_its_address_is_nobodys() -> None:
    door = Door(Limits(connections=10, connections_of_network=2), proxies=1)
    assert all(door.admit(Visitor("10.0.0.1", None)) for _ in range(10))
    assert not door.admit(Visitor("10.0.0.1", None))


def test_who_left_is_counted_no_longer() -> None:
    door = Door(Limits(connections=2, connections_of_network=1), proxies=0)
    for _ in range(5):
        visitor = Visitor("192.0.2.1", None)
        assert door.admit(visitor)
        door.leave(visitor)
        door.leave(visitor)
