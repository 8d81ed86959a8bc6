-- Accounts and money: states and limits, every movement, what each month came to, statements.

alter table accounts
  add column version               bigint not null default 1,   -- events in the account's stream
  add column frozen_by_policy      boolean not null default false,
  add column frozen_reason         text not null default '',
  add column warned                boolean not null default false,
  add column credit_limit_micros   bigint,                      -- null: no bound
  add column low_balance_micros    bigint,                      -- null: no warning
  add column freeze_at_limit       boolean not null default false,
  add column warn_email            text not null default '',
  add column statements_through    text not null default '';    -- the month closed last
create index accounts_by_name on accounts (kind, lower(name), account);

-- Which rate groups a company was ever bound to.
create table rate_group_bindings (
  company_id text not null,
  bound_at   bigint not null,                     -- position
  group_id   text not null,
  valid_from timestamptz,                         -- null: from the beginning
  recorded_at timestamptz not null,
  actor      text not null,
  primary key (company_id, bound_at)
);

-- Which extensions and trunks an account was ever given.
create table account_lines (
  device_id  text not null,
  tenant     text not null,
  line       text not null,                       -- the extension, or the trunk's name
  kind       text not null,                       -- extension, trunk
  given_at   bigint not null,                     -- position
  account    text not null,                       -- '' = the company
  valid_from timestamptz,
  primary key (device_id, kind, tenant, line, given_at)
);
create index on account_lines (account);

-- Recharges, reversals and adjustments.
create table movements (
  position      bigint primary key,
  account       text not null,
  company_id    text not null,
  kind          text not null,                    -- recharge, reversal, adjustment
  amount_micros bigint not null,                  -- as it changes the balance
  currency      text not null,
  before_micros bigint not null,
  after_micros  bigint not null,
  reason        text not null,
  reference     text not null,
  recorded_at   timestamptz not null,
  actor         text not null,
  address       text not null,
  version       bigint not null,                  -- of the event in the account's stream
  reversed      boolean not null                  -- a recharge that was taken back
);
create index on movements (account, position);
create index on movements (recorded_at, position);
create index on movements (company_id, position);
create index on movements (lower(reference) text_pattern_ops) where reference <> '';

-- What an account held after each event of its own stream: from here a history counts on.
create table account_marks (
  account       text not null,
  position      bigint not null,
  recorded_at   timestamptz not null,
  balance_micros bigint not null,
  primary key (account, position)
);

-- Where in the log the charges of an account are, a stretch of it at a time.
create table account_charges (
  account           text not null,
  last_position     bigint not null,
  positions         bytea not null,               -- 8 bytes each, big-endian, ascending
  charged_micros    bigint not null,              -- all of them together
  first_recorded_at timestamptz not null,
  last_recorded_at  timestamptz not null,
  primary key (account, last_position)
);

-- What each day changed on each wallet, by the day it was posted.
create table balance_days (
  account         text not null,
  day             date not null,
  charged_micros  bigint not null,
  credited_micros bigint not null,
  calls           bigint not null,
  primary key (account, day)
);

-- The books: what moved each wallet in each month, and the statements that came of it.
create table books (
  one        boolean primary key default true check (one),
  open_month text not null,                       -- "2026-11": the first that is not closed
  zone       text not null                        -- whose months they are
);
create table account_months (
  account        text not null,
  month          text not null,
  kind           text not null,                   -- charge, recharge, reversal, adjustment
  class          text not null,                   -- of calls
  late           boolean not null,                -- came in, or was corrected, after its month was closed
  calls          bigint not null,
  billed_seconds bigint not null,
  amount_micros  bigint not null,                 -- as it changed the balance: charges are negative
  primary key (account, month, kind, class, late)
);
create index on account_months (month);
create table statements (
  account        text not null,
  month          text not null,
  position       bigint not null,
  currency       text not null,
  opening_micros bigint not null,
  credited_micros bigint not null,                -- recharges, reversals, adjustments together
  charged_micros bigint not null,
  closing_micros bigint not null,
  calls          bigint not null,
  closed_at      timestamptz not null,
  primary key (account, month)
);
create index on statements (month);

-- Keys of this installation. Never events.
create table installation_keys (
  name text primary key,
  key  bytea not null
);
insert into installation_keys
select 'pins', sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'));
