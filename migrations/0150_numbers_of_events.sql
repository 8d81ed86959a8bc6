-- A number of an event can be large (aggregates/bounds.py): a column that holds one is a bigint.
alter table devices alter column silent_after_minutes type bigint, alter column extensions type bigint;
alter table cascade_rules alter column start_seconds type bigint, alter column duration_seconds type bigint;
alter table prices alter column unit_s type bigint;
alter table deck_imports alter column prices type bigint, alter column ended type bigint;
alter table plan_entries alter column min_len type bigint, alter column max_len type bigint;
alter table keeping alter column months type bigint, alter column backup_days type bigint,
  alter column backups_kept type bigint, alter column shorten_months type bigint;
alter table archives alter column part type bigint;
