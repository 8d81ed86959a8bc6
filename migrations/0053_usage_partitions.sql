-- The hours and areas of one account lie close together: half a year of them is read from a tenth of the pages.
drop table usage_hours;
create table usage_hours (
  account        text collate "C" not null,       -- no device, no user
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
) partition by hash (account);

drop table usage_areas;
create table usage_areas (
  account        text collate "C" not null,       -- no device, no user
  day            date not null,
  area           text collate "C" not null,
  currency       text collate "C" not null,
  calls          bigint not null,
  talk_ms        bigint not null,
  billed_seconds bigint not null,
  amount_micros  bigint not null,
  answered       bigint not null,
  primary key (account, day, area, currency)
) partition by hash (account);

do $$
begin
  for part in 0..15 loop
    execute format('create table usage_hours_%s partition of usage_hours for values with (modulus 16, remainder %s)', part, part);
    execute format('create table usage_areas_%s partition of usage_areas for values with (modulus 16, remainder %s)', part, part);
  end loop;
end
$$;

truncate daily_usage, usage_days, usage_months, usage_settled;
update checkpoints set position = 0 where name = 'usage';
