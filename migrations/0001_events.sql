-- The log: every fact, once, in commit order. See docs/architecture.md.
create sequence event_position;

create table billing_events (
  originator_id      text collate "C" not null,   -- the stream: 'company:…', 'call:2026-11:<device>:<record key>'
  originator_version bigint not null,
  topic              text not null,               -- name and version: 'CallRated.1'
  state              bytea not null,              -- msgspec JSON: the event and its envelope
  notification_id    bigint not null default nextval('event_position'),
  primary key (originator_id, originator_version)
) partition by range (originator_id);
create index billing_events_position on billing_events (notification_id);
-- Accounts, devices, rates, settings: low volume. Months of calls get their own partition when first needed.
create table billing_events_default partition of billing_events default;

-- One seal an append: the chain that `billing verify` walks.
create table seals (
  last_position  bigint primary key,
  first_position bigint not null,
  events         integer not null,
  previous       bytea not null,                  -- the seal before this one; 32 zero bytes for the first
  digests        jsonb not null,                  -- partition -> SHA-256 (hex) over its events in this append
  seal           bytea not null                   -- SHA-256 over previous, positions, count and digests
);

-- How far each projection has read; position and rows commit together.
create table checkpoints (
  name     text primary key,
  position bigint not null
);
