-- Calls that two devices tell: the rules, and the records that wait for their pair.
create table cascade_rules (
  lower            text primary key,              -- the device whose calls go on
  upper            text not null,                 -- the device they go on through
  charged          text not null,                 -- whose record is charged: lower, upper
  start_seconds    integer not null,
  duration_seconds integer not null
);
create table cascade_records (
  call_id    text primary key collate "C",        -- the stream without 'call:'
  device_id  text not null,
  number     text not null,                       -- as it was rated: after normalisation
  started_at timestamptz not null,
  talk_ms    bigint not null,
  position   bigint not null                      -- of the event that rated it
);
create index on cascade_records (device_id, number, started_at);
create index on cascade_records (position);
