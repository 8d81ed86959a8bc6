-- A month of calls that fell out of the keeping time lies in files; see docs/decisions/0060.

-- No call ever lies among the accounts: an insert without its month's partition fails instead.
alter table billing_events_default add constraint no_calls
  check (originator_id < 'call:' or originator_id >= 'call;');

-- What must outlive a dropped month: which calls there were, so that none is charged twice.
create table archived_months (
  month         text primary key,                 -- '2026-03'
  last_position bigint not null                   -- of the archived events
);
create table archived_calls (
  key     uuid primary key,                       -- BLAKE2b-128 of the stream
  version bigint not null,                        -- of its last archived event
  digest  text not null                           -- of the record that stands
);

-- What the keeping job is asked to do and did.
create table tasks (
  task_id      bigint generated always as identity primary key,
  kind         text not null,                     -- archive, attach, detach, backup, calls
  argument     text not null,                     -- the month, the period, ''
  envelope     jsonb not null,                    -- who asked for it
  requested_at timestamptz not null,
  began_at     timestamptz,
  ended_at     timestamptz,
  done         integer not null default 0,        -- per cent
  outcome      text not null default '',          -- the file, or what else became of it
  refusal      jsonb                              -- why it was not done: message and values
);
create index tasks_open on tasks (task_id) where ended_at is null;

-- Read models of the events of keeping.
create table keeping (
  months       integer not null,
  backup_days  integer not null,
  backups_kept integer not null
);
create table archives (
  month          text not null,
  part           integer not null,
  file           text not null,
  sha256         text not null,
  bytes          bigint not null,
  events         bigint not null,
  first_position bigint not null,
  last_position  bigint not null,
  calls          bigint not null,
  amounts        jsonb not null,                  -- currency -> micro-units
  archived_at    timestamptz not null,
  attached       boolean not null,
  primary key (month, part)
);
create table backups (
  file     text primary key,
  kind     text not null,                         -- full, calls
  sha256   text not null,
  bytes    bigint not null,
  events   bigint not null,
  period   text not null,                         -- of calls: '2026-03-01/2026-03-31'
  made_at  timestamptz not null,
  made_by  text not null,
  removed  boolean not null                       -- by rotation
);
