-- Pairs of a cascade: a closer record replaces one that was linked, and a person can part a pair.
alter table cascade_records
  add column own boolean not null default false,  -- whether the caller is an extension of the device
  add column changed bigint not null default 0,   -- position of the last event that can change its pair
  add column partner text collate "C",            -- the record of the other device; null: none
  add column apart_us bigint,                     -- difference of the two starts
  add column longer_ms bigint;                    -- difference of the two durations
create index on cascade_records (changed);
create table cascade_pairs (
  position         bigint primary key,            -- of the event that linked the charged record
  charged_id       text not null collate "C",
  other_id         text not null collate "C",
  charged_at       timestamptz not null,
  other_at         timestamptz not null,
  apart_us         bigint not null,
  longer_ms        bigint not null,
  start_seconds    bigint,                        -- the tolerances of the rule at that time
  duration_seconds bigint,
  linked_at        timestamptz not null,
  parted_at        timestamptz,
  parted_by        text not null default '',      -- the actor
  reason           text not null default '',      -- a person's; then the two are never paired again
  closer           text not null default ''       -- the call that resembled one of the two more
);
create index on cascade_pairs (charged_id);
create index on cascade_pairs (other_id);
truncate cascade_records, cascade_rules;
update checkpoints set position = 0 where name = 'cascades';
