-- The days of user accounts without device and gateway (usage_days has those), and their months: a month that is
-- over is added up once, so that a ranking of half a year reads six rows of each user instead of 180.
drop table daily_usage;
create table daily_usage (
  day             date not null,                  -- local day of the installation's zone
  company_id      text collate "C" not null,
  user_account_id text collate "C" not null,      -- '' where the call has none
  class           text collate "C" not null,
  result          text collate "C" not null,
  currency        text collate "C" not null,
  calls           bigint not null,
  talk_ms         bigint not null,
  billed_seconds  bigint not null,
  amount_micros   bigint not null,
  primary key (company_id, day, user_account_id, class, result, currency)
);
create index on daily_usage (day);

create table usage_months (
  month           date not null,                  -- its first day
  company_id      text collate "C" not null,
  user_account_id text collate "C" not null,
  class           text collate "C" not null,
  currency        text collate "C" not null,
  calls           bigint not null,
  talk_ms         bigint not null,
  billed_seconds  bigint not null,
  amount_micros   bigint not null,
  answered        bigint not null,
  primary key (month, company_id, user_account_id, class, currency)
);
-- Days before `through` are in usage_months; later ones in daily_usage alone.
create table usage_settled (through date not null);

truncate usage_days, usage_hours, usage_areas;
update checkpoints set position = 0 where name = 'usage';
