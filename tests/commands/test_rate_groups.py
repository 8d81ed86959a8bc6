"""Imports of decks and their undos: what still stands decides, in any order."""

from datetime import UTC, datetime
from random import Random

import psycopg
import pytest

from billing.cli.setup import said_here
from billing.commands import rate_groups
from billing.commands.catalogue import Catalogue
from billing.commands.rate_groups import load_rate_group
from billing.log.store import Store
from billing.rating.rates import Rate, RateKey, Tier
from billing.values import Refused
from tests.web.serving import catch_up

SAID = said_here()
NOW = datetime.now(UTC)
PREFIXES = ("34", "346")
Deck = rate_groups.ImportDeck | rate_groups.ChangeRates | rate_groups.RemoveRate


def rate(prefix: str, price: str) -> Rate:
    return Rate(name=prefix, prefix=prefix, tiers=(Tier(price=price),))


def start(store: Store, group: str) -> None:
    created = rate_groups.CreateRateGroup(group_id=group, name=group, currency="EUR")
    rate_groups.create_rate_group(store, created, SAID)
    base = rate_groups.ChangeRates(group_id=group, rates=(rate("34", "0.02"),))
    rate_groups.change_rates(store, base, SAID)


def deck(store: Store, group: str, import_id: str, *rates: Rate) -> None:
    command = rate_groups.ImportDeck(
        group_id=group, import_id=import_id, file_name=f"{import_id}.csv", rates=rates
    )
    rate_groups.import_deck(store, command, SAID)


def undo(store: Store, group: str, import_id: str) -> None:
    command = rate_groups.UndoImport(group_id=group, import_id=import_id)
    rate_groups.undo_import(store, command, SAID)


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_when_two_imports_are_undone_the_price_before_both_is_in_force(
    store: Store, order: str
) -> None:
    start(store, "g")
    deck(store, "g", "a", rate("34", "0.03"))
    deck(store, "g", "b", rate("34", "0.04"))
    for import_id in order:
        undo(store, "g", import_id)
    assert load_rate_group(store, "g").prices[("34", "", "", None)] == rate("34", "0.02")
    with pytest.raises(Refused, match="already undone"):
        undo(store, "g", "a")
    with pytest.raises(Refused, match="no such import"):
        undo(store, "g", "c")


def test_any_order_of_imports_and_undos_is_the_imports_that_stand(
    store: Store, database_url: str
) -> None:
    """Also between changes of single prices; the same in log, page data and rating."""
    lives = [Life(store, Random(seed), seed) for seed in range(6)]  # noqa: S311 -- no secret
    for life in lives:
        life.run()
    catch_up(database_url, store)
    catalogue = Catalogue()
    catalogue.refresh(store)
    with psycopg.connect(database_url) as connection:
        for life in lives:
            expected = load_rate_group(store, life.plain).prices
            assert load_rate_group(store, life.group).prices == expected
            assert rated(catalogue, life.group) == rated(catalogue, life.plain)
            assert shown(connection, life.group) == shown(connection, life.plain)


class Life:
    """A group whose imports are undone at random, and a plain one without the undone imports."""

    def __init__(self, store: Store, random: Random, seed: int) -> None:
        self.store, self.random = store, random
        self.group, self.plain = f"g{seed}", f"p{seed}"
        self._done: list[tuple[str, Deck]] = []  # import id ("" for other changes) and command

    def run(self) -> None:
        start(self.store, self.group)
        start(self.store, self.plain)
        for step in range(12):
            imported = [each for each, _ in self._done if each]
            if imported and step > 4 and self.random.random() < 0.75:
                gone = self.random.choice(imported)
                undo(self.store, self.group, gone)
                self._done = [each for each in self._done if each[0] != gone]
            else:
                self._change(str(step))
        for _, command in self._done:
            self._carry_out(command, self.plain)

    def _change(self, name: str) -> None:
        prefixes = self.random.sample(PREFIXES, self.random.randint(1, 2))
        rates = tuple(rate(each, f"0.{self.random.randint(1, 4)}") for each in prefixes)
        command: Deck = rate_groups.ChangeRates(group_id=self.group, rates=rates)
        match self.random.randint(1, 6):
            case 1:
                pass
            case 2:
                key = RateKey(prefix=prefixes[0])
                command = rate_groups.RemoveRate(group_id=self.group, key=key)
            case _:
                ended = tuple(RateKey(prefix=each) for each in PREFIXES if each not in prefixes)
                command = rate_groups.ImportDeck(
                    group_id=self.group,
                    import_id=f"{self.group}-{name}",
                    file_name=name,
                    rates=rates,
                    ended=ended[: self.random.randint(0, 1)],
                )
        if self._carry_out(command, self.group):
            self._done.append((getattr(command, "import_id", ""), command))

    def _carry_out(self, command: Deck, group: str) -> bool:
        try:
            match command:
                case rate_groups.ChangeRates(rates=rates):
                    copied = rate_groups.ChangeRates(group_id=group, rates=rates)
                    rate_groups.change_rates(self.store, copied, SAID)
                case rate_groups.RemoveRate(key=key):
                    removal = rate_groups.RemoveRate(group_id=group, key=key)
                    rate_groups.remove_rate(self.store, removal, SAID)
                case rate_groups.ImportDeck(import_id=own, rates=rates, ended=ended):
                    again = rate_groups.ImportDeck(
                        group_id=group,
                        import_id=own.replace(self.group, group),
                        file_name=own,
                        rates=rates,
                        ended=ended,
                    )
                    rate_groups.import_deck(self.store, again, SAID)
        except Refused:  # the price to remove is not there
            return False
        return True


def rated(catalogue: Catalogue, group: str) -> list[Rate | None]:
    found = [catalogue.context.groups[group].by_prefix(each, NOW) for each in PREFIXES]
    return [each.rate if each else None for each in found]


def shown(
    connection: psycopg.Connection[tuple[object, ...]], group: str
) -> list[tuple[object, ...]]:
    query = """select target, effective_from, kind, rate from prices
        where group_id = %s and standing and kind <> 'removed' order by 1, 2"""
    return connection.execute(query, (group,)).fetchall()
