-- The companies an administrator is limited to; none: not limited.
alter table administrators add column companies text[] not null default '{}';
