-- What a device can be told since it was registered, and what its submissions tell of it.
alter table devices
  add column columns text[] not null default '{}',                -- of a CSV without a header
  add column fallback_encoding text not null default 'cp1252',
  add column gateway_first boolean not null default false,
  add column allowed_addresses text[] not null default '{}',      -- empty: from anywhere
  add column silent_after_minutes integer not null default 0,     -- 0: never reported
  add column disabled_reason text not null default '';
create table device_hours (
  device_id      text not null,
  hour           timestamptz not null,            -- in which the records came in
  records        bigint not null,
  suspended      bigint not null,                 -- when they came in
  least_delay_ms bigint,                          -- from a call's end to its receipt: < 0 means the clock is ahead
  primary key (device_id, hour)
);
alter table device_extensions add column valid_from timestamptz;  -- of what was assigned last; null: always
create table extension_assignments (
  device_id  text not null,
  tenant     text not null,
  extension  text not null,
  valid_from timestamptz not null,                -- '-infinity': from the beginning
  account    text not null,
  name       text not null,
  assigned_at timestamptz not null,
  primary key (device_id, tenant, extension, valid_from)
);
-- What came in at the submission interface of late, and what became of it. No events: most of it is no news.
create table submissions (
  id         bigint generated always as identity primary key,
  at         timestamptz not null,
  device_id  text not null,                       -- '' where the credentials were wrong
  account    text not null,
  address    text not null,
  status     integer not null,                    -- of the HTTP answer
  bytes      bigint not null,
  accepted   integer not null,
  duplicate  integer not null,
  conflict   integer not null,
  suspended  integer not null,
  detail     text not null                        -- why it was refused, or calls were suspended
);
create index on submissions (device_id, id desc);
