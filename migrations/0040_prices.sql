-- Every price ever set, by its group and what it is for; imports; the number plan as it stands.

alter table rate_groups add column deleted boolean not null default false;

create table prices (
  group_id       text not null,
  target         text collate "C" not null,       -- 'p:34600', 'c:local', 'a:Madrid'
  effective_from timestamptz not null,            -- 1970-01-01 = from the beginning
  position       bigint not null,                 -- of the event that set it
  kind           text not null,                   -- set, ended, removed
  standing       boolean not null,                -- no later event spoke of the same moment
  name           text not null,
  price          numeric(18,8),                   -- of the first tier
  unit_s         integer,
  rate           text not null,                   -- all of it, as JSON
  recorded_at    timestamptz not null,
  actor          text not null,
  source         text not null,                   -- the file it came from, '' = the form
  primary key (group_id, target, effective_from, position)
);
create index prices_in_force on prices (group_id, target, effective_from desc)
  where standing and kind <> 'removed';

create table deck_imports (
  import_id   text primary key,
  group_id    text not null,
  position    bigint not null,
  file_name   text not null,
  prices      integer not null,
  ended       integer not null,
  recorded_at timestamptz not null,
  actor       text not null,
  undone_at   timestamptz,
  undone_by   text not null default ''
);
create index on deck_imports (group_id, position);

create table plan_entries (
  layer          text not null,                   -- the stream: 'number-plan:imported'
  prefix         text collate "C" not null,
  country        text not null,
  short          boolean not null,                -- a short code, dialled as it stands
  effective_from timestamptz not null,            -- 1970-01-01 = from the beginning
  area           text not null,
  type           text not null,
  min_len        integer not null,
  max_len        integer not null,
  recorded_at    timestamptz not null,
  actor          text not null,
  primary key (layer, prefix, country, short, effective_from)
);
create index on plan_entries (prefix, country, short, effective_from, layer);

-- No read model: a deck between its upload and its import.
create table deck_uploads (
  upload_id  text primary key,
  group_id   text not null,
  actor      text not null,
  file_name  text not null,
  content    bytea not null,
  prepared   bytea,                               -- what the import would do, as previewed
  made_at    timestamptz not null
);
