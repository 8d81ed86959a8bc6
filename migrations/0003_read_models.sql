-- Projections: every table here can be thrown away and rebuilt from the log.

create table call_list (
  started_at         timestamptz not null,
  call_id            text collate "C" not null,   -- the stream without 'call:'
  company_id         text not null,               -- '' while no company is known
  user_account_id    text not null,
  gateway_account_id text not null,
  device_id          text not null,
  extension          text not null,
  caller             text not null,
  dialled            text not null,               -- as dialled
  number             text not null,               -- E.164 with +, or the digits as dialled
  area               text not null,
  class              text not null,               -- internal, local, national, international, special, ''
  direction          text not null,
  result             text not null,               -- answered, no_answer, busy, failed, cancelled, ''
  status             text not null,               -- rated, suspended, rerated, voided
  reason             text not null,               -- why suspended or voided
  talk_ms            bigint not null,
  billed_seconds     bigint not null,
  amount_micros      bigint not null,
  currency           text not null,
  rate_name          text not null,
  flags              text[] not null,
  conflicts          integer not null,            -- records that came under the same key with other content
  primary key (started_at, call_id, company_id)
) partition by range (started_at);
create index call_list_company on call_list (company_id, started_at desc, call_id desc);
create index call_list_number on call_list (number text_pattern_ops, started_at);
create index call_list_open on call_list (started_at, call_id) where status = 'suspended' or conflicts > 0;
-- Months of calls get their own partition when first needed (projections/calls.py).

create table daily_usage (
  day                date not null,               -- local day of the installation's zone
  company_id         text not null,
  user_account_id    text not null,
  gateway_account_id text not null,
  device_id          text not null,
  class              text not null,
  result             text not null,
  currency           text not null,
  calls              bigint not null,
  talk_ms            bigint not null,
  billed_seconds     bigint not null,
  amount_micros      bigint not null,
  primary key (company_id, day, user_account_id, gateway_account_id, device_id, class, result, currency)
);
create index on daily_usage (day);

create table balances (
  account        text primary key,                -- the stream of the account: 'company:…', 'user:…', 'gateway:…'
  currency       text not null,
  balance_micros bigint not null,
  charged_micros bigint not null,                 -- sum of the charges of calls
  credited_micros bigint not null,                -- sum of recharges, reversals, adjustments
  calls          bigint not null
);

create table accounts (
  account      text primary key,                  -- stream id
  kind         text not null,                     -- company, user, gateway
  company_id   text not null,
  name         text not null,
  currency     text not null,
  own_wallet   boolean not null,
  state        text not null,                     -- open, frozen, closed
  time_zone    text not null,
  rate_group   text not null,                     -- id of the group bound last, ''
  payment      text not null,                     -- prepaid, postpaid, ''
  opened_at    timestamptz not null
);
create index on accounts (company_id, kind, name);

create table devices (
  device_id    text primary key,
  name         text not null,
  model        text not null,
  company_id   text not null,
  time_zone    text not null,
  country      text not null,
  area_code    text not null,
  format       text not null,
  enabled      boolean not null,
  extensions   integer not null,
  last_cdr_at  timestamptz,                       -- when a record last came in
  calls        bigint not null,
  suspended    bigint not null
);
create index on devices (company_id, name);

create table device_extensions (
  device_id text not null,
  tenant    text not null,
  extension text not null,
  account   text not null,                        -- the account it belongs to now; '' = the company
  name      text not null,
  primary key (device_id, tenant, extension)
);

create table rate_groups (
  group_id   text primary key,
  name       text not null,
  currency   text not null,
  rates      integer not null,
  changed_at timestamptz not null
);

create table administrators (
  administrator_id text primary key,
  sign_in_name     text not null,
  name             text not null,
  role             text not null,                 -- administrator, operator, auditor
  language         text not null,
  enabled          boolean not null
);
