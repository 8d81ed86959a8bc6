"""Fill the read models with any number of calls over six months, by SQL alone."""

from datetime import date, timedelta

import psycopg

from billing.projections import usage_months

ZONE = "Europe/Madrid"
LAST = date(2026, 11, 20)
MONTHS = [date(2026, month, 1) for month in range(6, 12)]
COMPANIES, USERS, GATEWAYS, DEVICES, EXTENSIONS, AREAS = 50, 1_000, 100, 100, 10_000, 300

ACCOUNTS = f"""
insert into accounts (account, kind, company_id, name, currency, own_wallet, state, time_zone,
  rate_group, payment, opened_at)
select kind || ':' || prefix || n, kind, 'c' || n % {COMPANIES}, initcap(kind) || ' ' || n, 'EUR',
  false, 'open', '{ZONE}', '', '', now()
from (values ('company', 'c', {COMPANIES}), ('user', 'u', {USERS}), ('gateway', 'g', {GATEWAYS}))
  as given (kind, prefix, count), generate_series(0, count - 1) n"""
EQUIPMENT = f"""
insert into devices (device_id, name, model, company_id, time_zone, country, area_code, format,
  enabled, extensions, last_cdr_at, calls, suspended)
select 'd' || n, 'Device ' || n, '', 'c' || n % {COMPANIES}, '{ZONE}', 'ES', '91', 'auto', true,
  100, now(), 1, 0
from generate_series(0, {DEVICES - 1}) n"""
# Mostly calls of office hours; a company, its user, gateway, device and extension belong together.
CALLS = f"""
insert into {{partition}}
select started, to_char(started, 'YYYY-MM') || ':d' || n || ':k' || i, 'c' || n % {COMPANIES},
  case when i % 3 = 0 then '' else 'user:u' || (n + {COMPANIES} * (i % 20)) % {USERS} end,
  case when i % 2 = 0 then '' else 'gateway:g' || n end,
  'd' || n, (1000 + r2 * {EXTENSIONS})::int::text, '101', number, number,
  'Area ' || (r2 * r2 * {AREAS})::int, (array['local', 'local', 'national', 'national',
    'international', 'internal', 'special'])[1 + i % 7],
  'outbound', result, case when i % 997 = 0 then 'suspended' else 'rated' end, '',
  talk, talk / 1000, talk * 30, case when i % 997 = 0 then '' else 'EUR' end, '', '{{{{}}}}', 0
from (
  select i, (r1 * r1 * {DEVICES})::int % {DEVICES} as n, r2,
    '{{first}}'::timestamptz + (i::float8 / {{count}} * {{days}} + r1 / 24) * interval '1 day'
      as started,
    '+34' || (600000000 + (r3 * 399999999)::int) as number,
    case when i % 5 = 0 then 'busy' else 'answered' end as result,
    case when i % 5 = 0 then 0 else (r3 * 400000)::bigint end as talk
  from (select i, random() r1, random() r2, random() r3 from generate_series(1, {{count}}) i) given
) made"""
LOCAL = f"(started_at at time zone '{ZONE}')"
RATED = "from call_list where status = 'rated'"
ANSWERED = "count(*) filter (where result = 'answered')"
FINE = f"""
create table fine_usage as
select {LOCAL}::date as day, company_id, user_account_id, gateway_account_id, device_id, class,
  result, currency, count(*) as calls, sum(talk_ms) as talk_ms,
  sum(billed_seconds) as billed_seconds, sum(amount_micros) as amount_micros
{RATED} group by 1, 2, 3, 4, 5, 6, 7, 8"""
DAILY = """
insert into daily_usage
select day, company_id, user_account_id, class, result, currency, sum(calls), sum(talk_ms),
  sum(billed_seconds), sum(amount_micros)
from fine_usage group by 1, 2, 3, 4, 5, 6 order by 1"""
# The accounts to which projections/usage.py adds a call.
SUBJECTS = """
lateral (values ('*', '*'), ('company', 'company:' || company_id),
  ('device', 'device:' || device_id),
  (case when user_account_id <> '' then 'users' end, 'users:'),
  (case when user_account_id <> '' then 'users' end, 'users:' || company_id),
  (case when gateway_account_id <> '' then 'gateway' end, gateway_account_id),
  (case when gateway_account_id <> '' then 'gateways' end, 'gateways:'),
  (case when gateway_account_id <> '' then 'gateways' end, 'gateways:' || company_id)
) as subject (kind, account)"""
DAYS = f"""
insert into usage_days
select kind, day, account, class, result, currency, sum(calls), sum(talk_ms), sum(billed_seconds),
  sum(amount_micros)
from fine_usage, {SUBJECTS} where kind is not null group by 1, 2, 3, 4, 5, 6 order by 2"""
TOTALS = "sum(calls), sum(talk_ms), sum(billed_seconds), sum(amount_micros), sum(answered)"
HOURS = f"""
insert into usage_hours
select account, day, hour, class, currency, {TOTALS}
from (
  select {LOCAL}::date as day, extract(hour from {LOCAL})::int as hour, class, currency,
    company_id, device_id, case when user_account_id = '' then '' else '+' end as user_account_id,
    gateway_account_id, count(*) as calls, sum(talk_ms) as talk_ms,
    sum(billed_seconds) as billed_seconds, sum(amount_micros) as amount_micros,
    {ANSWERED} as answered {RATED} group by 1, 2, 3, 4, 5, 6, 7, 8
) fine, {SUBJECTS} where kind is not null and kind <> 'device' group by 1, 2, 3, 4, 5 order by 2"""
BY_AREA = f"""
insert into usage_areas
select account, day, area, currency, {TOTALS}
from (
  select {LOCAL}::date as day, area, currency, company_id, device_id,
    case when user_account_id = '' then '' else '+' end as user_account_id, gateway_account_id,
    count(*) as calls, sum(talk_ms) as talk_ms, sum(billed_seconds) as billed_seconds,
    sum(amount_micros) as amount_micros, {ANSWERED} as answered
  {RATED} group by 1, 2, 3, 4, 5, 6, 7
) fine, {SUBJECTS} where kind is not null and kind <> 'device' group by 1, 2, 3, 4 order by 2"""


def fill(url: str, calls: int) -> None:
    """Write `calls` calls of six months, and every roll-up of them."""
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in ("work_mem = '256MB'", "maintenance_work_mem = '512MB'"):
            connection.execute(f"set {setting}".encode())
        connection.execute("select setseed(0.5)")
        connection.execute(ACCOUNTS.encode())
        connection.execute(EQUIPMENT.encode())
        for first in MONTHS:
            _fill_month(connection, first, calls // len(MONTHS))
        for statement in (FINE, DAILY, DAYS, HOURS, BY_AREA, "drop table fine_usage"):
            connection.execute(statement.encode())
        usage_months.settle_before(connection.cursor(), LAST, MONTHS[0])
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")


def _fill_month(connection: psycopg.Connection, first: date, count: int) -> None:
    """Fill a partition before it has indexes: they are created when it is attached."""
    after = (first + timedelta(days=31)).replace(day=1)
    days = min((after - first).days, (LAST - first).days + 1)
    name = f"call_list_{first:%Y_%m}"
    connection.execute(f"create table {name} (like call_list including defaults)".encode())
    statement = CALLS.format(partition=name, first=first, days=days - 0.1, count=count)
    connection.execute(statement.encode())
    attach = f"for values from ('{first} 00:00+00') to ('{after} 00:00+00')"
    connection.execute(f"alter table call_list attach partition {name} {attach}".encode())
