-- Roll-ups for statistics: sums by account and day, hour, area. The projection "usage" makes them
-- beside daily_usage, and is replayed to fill them. What is compared goes by bytes: it is faster.

-- Which zone's days a roll-up was made with; '' for what knows no days.
alter table checkpoints add column zone text not null default '';

-- An account is what figures are asked for: '*' (all calls), 'company:…', 'gateway:…', 'device:…', 'users:' and
-- 'gateways:' (all calls that have such an account), 'users:…' and 'gateways:…' (those of a company). User accounts
-- are many and small: daily_usage has their days, call_list their hours and areas.
create table usage_days (
  kind           text collate "C" not null,       -- the account's part before the colon
  day            date not null,                   -- local day of the installation's zone
  account        text collate "C" not null,
  class          text collate "C" not null,
  result         text collate "C" not null,
  currency       text collate "C" not null,
  calls          bigint not null,
  talk_ms        bigint not null,
  billed_seconds bigint not null,
  amount_micros  bigint not null,
  primary key (kind, day, account, class, result, currency)
);

create table usage_hours (
  account        text collate "C" not null,       -- no device
  day            date not null,
  hour           smallint not null,               -- 0 to 23, of the local clock
  class          text collate "C" not null,
  currency       text collate "C" not null,
  calls          bigint not null,
  talk_ms        bigint not null,
  billed_seconds bigint not null,
  amount_micros  bigint not null,
  answered       bigint not null,
  primary key (account, day, hour, class, currency)
);

create table usage_areas (
  account        text collate "C" not null,       -- no device
  day            date not null,
  area           text collate "C" not null,
  currency       text collate "C" not null,
  calls          bigint not null,
  talk_ms        bigint not null,
  billed_seconds bigint not null,
  amount_micros  bigint not null,
  answered       bigint not null,
  primary key (account, day, area, currency)
);

truncate daily_usage;
update checkpoints set position = 0 where name = 'usage';
