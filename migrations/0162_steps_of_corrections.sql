-- Who requested, applied, stopped and continued a correction; what its preview was made from.
alter table corrections
  add column steps jsonb not null default '[]',       -- what, actor, address, token_id, at; oldest first
  add column position bigint not null default 0,      -- of the log: the preview's and, once applied, the changes'
  add column left_out jsonb not null default '[]',    -- archived months of the selection, and how many calls each has
  add column outdated text not null default '';       -- why the preview was made again: settings, calls, months
