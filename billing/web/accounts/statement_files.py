"""Statements as files: a PDF, and a workbook and a CSV with the calls."""

import io
from collections.abc import Iterable
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from billing.queries.statements import BilledCall, Statement
from billing.web.accounts.pdf_fonts import BOLD, PLAIN, marked
from billing.web.files.lists import Field, cells_of, columns_of
from billing.web.files.tables import Sheet, write_workbook
from billing.web.files.xlsx import Column
from billing.web.kit import formats, words
from billing.web.kit.i18n import gettext, set_language

INK, SOFT, LINE = (colors.HexColor(each) for each in ("#131a26", "#5d697c", "#e3e7ed"))


def summary(statement: Statement) -> list[tuple[str, int]]:
    """Return the lines of a statement in micro-units; the last line is the sum of the others."""
    totals = statement.totals
    lines = [
        (gettext("Opening balance"), statement.opening_micros),
        (gettext("Recharges"), totals.recharges_micros),
        (gettext("Reversals"), totals.reversals_micros),
        (gettext("Adjustments"), totals.adjustments_micros),
        (gettext("Calls"), -totals.charged_micros),
        (gettext("Rounding"), statement.rounding_micros),
        (gettext("Closing balance"), statement.closing_micros),
    ]
    return [line for place, line in enumerate(lines) if line[1] or place in (0, 4, 6)]


def class_name(call_class: str, *, late: bool) -> str:
    """Return the name of a class of calls; late calls came after their month was closed."""
    name = words.word(words.CLASSES, call_class) or gettext("Other")
    return gettext("%(name)s, from earlier months", name=name) if late else name


def statement_pdf(statement: Statement, zone: ZoneInfo, said: str) -> bytes:
    """Return a PDF of one page of A4, or of more if needed. Blocks."""
    set_language(said)
    view, out = statement.view, io.BytesIO()
    title = gettext("Statement of %(month)s", month=formats.month(statement.month))
    big = ParagraphStyle("big", fontName=BOLD, fontSize=18, leading=23, textColor=INK)
    small = ParagraphStyle("small", fontName=PLAIN, fontSize=9.5, leading=13, textColor=SOFT)
    head = ParagraphStyle("head", fontName=BOLD, fontSize=11, leading=16, textColor=INK)
    facts = [statement.name]
    if statement.company:
        facts.append(statement.company)
    where = {"currency": view.currency, "zone": zone.key}
    facts.append(gettext("Amounts in %(currency)s. Times of %(zone)s.", **where))
    story: list[Any] = [
        Paragraph(marked(title), big),
        *(Paragraph(marked(fact), small) for fact in facts),
        Spacer(1, 8 * mm),
        _table(
            [
                [name, formats.exact_money(micros, view.currency)]
                for name, micros in summary(statement)
            ],
            (110 * mm, 60 * mm),
        ),
        Spacer(1, 8 * mm),
        Paragraph(marked(gettext("Charges by class")), head),
        _table(
            [
                [gettext("Class"), gettext("Calls"), gettext("Billed"), gettext("Amount")],
                *(
                    [
                        class_name(charge.call_class, late=charge.late),
                        formats.decimal(charge.calls),
                        formats.hms(charge.billed_seconds),
                        formats.exact_money(charge.amount_micros, view.currency),
                    ]
                    for charge in statement.totals.charges
                ),
            ],
            (80 * mm, 25 * mm, 30 * mm, 35 * mm),
            headed=True,
        ),
    ]  # fmt: skip
    document = SimpleDocTemplate(
        out, pagesize=A4, margin=20 * mm, title=f"{title}, {statement.name}", author="Contarifa"
    )
    document.build(story)
    return out.getvalue()


def _table(rows: list[list[str]], widths: tuple[float, ...], *, headed: bool = False) -> Table:
    style = [
        ("FONT", (0, 0), (-1, -1), PLAIN, 9.5),
        ("TEXTCOLOR", (0, 0), (-1, -1), INK),
        ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
        ("LINEBELOW", (0, 0), (-1, -1), 0.5, LINE),
        ("TOPPADDING", (0, 0), (-1, -1), 5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 5),
    ]
    bold = 0 if headed else -1
    style.append(("FONT", (0, bold), (-1, bold), BOLD, 9.5))
    return Table(rows, colWidths=widths, style=TableStyle(style), repeatRows=int(headed))


def call_fields() -> list[Field[BilledCall]]:
    """Return the columns of the calls of a statement."""
    return [
        Field(gettext("Date and time"), lambda call: _event(call).filed_at, "time", 24),
        Field(gettext("Extension"), lambda call: _event(call).rating.extension, width=10),
        Field(gettext("Number"), lambda call: _event(call).rating.number, width=18),
        Field(gettext("Destination"), lambda call: _event(call).rating.area, width=26),
        Field(gettext("Class"), _class_of, width=14),
        Field(
            gettext("Billed seconds"), lambda call: _event(call).rating.billed_seconds, "count", 14
        ),
        Field(gettext("Amount"), lambda call: call.charged_micros, "exact", 12),
        Field(
            gettext("From an earlier month"),
            lambda call: gettext("yes") if call.late else "",
            width=12,
        ),
        Field(gettext("Call"), lambda call: call.recorded.stream, width=40),
    ]


def _event(call: BilledCall) -> Any:
    return call.recorded.event


def _class_of(call: BilledCall) -> str:
    return words.word(words.CLASSES, _event(call).rating.call_class)


def write_statement(
    file: BinaryIO, statement: Statement, calls: Iterable[BilledCall], zone: ZoneInfo, said: str
) -> None:
    """Write a workbook: the statement, its charges by class, its calls. Blocks."""
    set_language(said)
    view = statement.view
    lines = [Column(gettext("Statement"), width=34), Column(gettext("Amount"), "exact")]
    by_class = [
        Column(gettext("Class"), width=34),
        Column(gettext("Calls"), "count"),
        Column(gettext("Billed seconds"), "count"),
        Column(gettext("Amount"), "exact"),
    ]
    charges = [
        (class_name(each.call_class, late=each.late), each.calls, each.billed_seconds,
         each.amount_micros)
        for each in statement.totals.charges
    ]  # fmt: skip
    fields = call_fields()
    sheets = [
        Sheet(gettext("Statement"), lines, summary(statement)),
        Sheet(gettext("Charges by class"), by_class, charges),
        Sheet(gettext("Calls"), columns_of(fields), (cells_of(fields, each) for each in calls)),
    ]
    facts = [
        (gettext("Account"), statement.name),
        (gettext("Company"), statement.company or statement.name),
        (gettext("Month"), formats.month(statement.month)),
        (gettext("Currency"), view.currency),
    ]
    write_workbook(file, sheets, facts, zone)
