"""Recognises the columns of a deck by its header, in Spanish or English."""

from collections.abc import Sequence

from billing.sheets import Column, Row, match_headers

COLUMNS = (
    Column("country_code", ("country code", "codigo de pais", "codigo pais", "cc", "indicativo")),
    Column(
        "prefix",
        (
            "prefix",
            "prefixes",
            "prefijo",
            "prefijos",
            "dial code",
            "dialcode",
            "codes",
            "area codes",
            "area code",
            "codigos de area",
            "codigo de area",
            "codigos",
            "breakout",
            "code",
            "codigo",
            "dialing code",
            "npa",
        ),
    ),
    Column(
        "name",
        (
            "destination",
            "destino",
            "destination name",
            "nombre",
            "name",
            "description",
            "descripcion",
            "zone",
            "zona",
            "area",
            "country",
            "pais",
        ),
    ),
    Column(
        "price",
        (
            "price per minute",
            "precio por minuto",
            "precio minuto",
            "rate per minute",
            "price",
            "precio",
            "rate",
            "tarifa",
            "new rate",
            "coste",
            "cost",
            "importe",
            "eur min",
            "usd min",
        ),
    ),
    Column(
        "connect_fee",
        (
            "connect fee",
            "connection fee",
            "establecimiento",
            "coste de establecimiento",
            "cargo de establecimiento",
            "setup fee",
            "setup",
            "cuota de conexion",
        ),
    ),
    Column(
        "increment",
        (
            "increment",
            "increments",
            "incremento",
            "incrementos",
            "billing increment",
            "billing increments",
            "interval",
            "intervalo",
            "facturacion",
            "paso",
            "rounding",
        ),
    ),
    Column(
        "effective_from",
        (
            "effective date",
            "effective from",
            "effective",
            "fecha efectiva",
            "vigencia",
            "vigente desde",
            "valido desde",
            "valid from",
            "desde",
            "fecha",
            "date",
        ),
    ),
    Column("min_cost", ("minimum charge", "minimo", "cargo minimo", "minimum")),
    # The columns of an exported group; few decks of others have them.
    Column("unit", ("seconds of the price", "segundos del precio")),
    Column("call_class", ("class of call", "clase de llamada")),
    Column("area", ("area of the price", "zona del precio")),
    Column("further", ("further terms", "otras condiciones")),
)
KEYS = tuple(column.key for column in COLUMNS)
ENOUGH = 2  # columns needed to recognise a header
HEAD_ROWS = 25


def guess(rows: Sequence[Row]) -> tuple[int, dict[str, int]]:
    """Return the number of the header row (0: none), and the index of each column."""
    best: tuple[int, dict[str, int]] = (0, {})
    for row in rows[:HEAD_ROWS]:
        found = match_headers(row.cells, COLUMNS)
        if len(found) > len(best[1]):
            best = (row.number, found)
    return best if len(best[1]) >= ENOUGH else (0, {})
