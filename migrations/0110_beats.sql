-- What the keeping job knows of the clock: one row, from its first beat on.
create table beats (
  one           boolean primary key default true check (one),
  at            timestamptz not null,             -- the last beat of a clock that agreed
  doubt         text not null default '',         -- why it is doubted now; '' when it agrees
  doubted_at    timestamptz,                      -- by the doubted clock
  ran_seconds   bigint not null default 0,        -- that the keeping job has run since
  steps         jsonb not null default '{}',      -- what was done all the same: at which ran_seconds
  confirmations integer not null default 0,       -- by people
  confirmed_by  text not null default '',
  confirmed_at  timestamptz
);
