-- What a month that is over came to, for all that statistics read: half a year is then six rows instead of 180.
-- Rows of the days stay; `usage_settled` says up to which day these tables stand for them (projections/usage_months.py).
create table usage_account_months (               -- of usage_days, for the kinds that are ranked
  kind           text collate "C" not null,       -- company, gateway
  month          date not null,                   -- its first day
  account        text collate "C" not null,
  class          text collate "C" not null,
  currency       text collate "C" not null,
  calls          bigint not null,
  talk_ms        bigint not null,
  billed_seconds bigint not null,
  amount_micros  bigint not null,
  answered       bigint not null,
  primary key (kind, month, account, class, currency)
);

create table usage_hour_months (                  -- of usage_hours
  account        text collate "C" not null,
  month          date not null,
  weekday        smallint not null,               -- 1 = Monday
  hour           smallint not null,
  class          text collate "C" not null,
  currency       text collate "C" not null,
  calls          bigint not null,
  talk_ms        bigint not null,
  billed_seconds bigint not null,
  amount_micros  bigint not null,
  answered       bigint not null,
  primary key (account, month, weekday, hour, class, currency)
);

create table usage_area_months (                  -- of usage_areas
  account        text collate "C" not null,
  month          date not null,
  area           text collate "C" not null,
  currency       text collate "C" not null,
  calls          bigint not null,
  talk_ms        bigint not null,
  billed_seconds bigint not null,
  amount_micros  bigint not null,
  answered       bigint not null,
  primary key (account, month, area, currency)
);

-- A month is read as a whole once, when it is over: rows lie by day, more or less.
create index usage_hours_day on usage_hours using brin (day);
create index usage_areas_day on usage_areas using brin (day);

truncate daily_usage, usage_days, usage_hours, usage_areas, usage_months, usage_settled;
update checkpoints set position = 0 where name = 'usage';
