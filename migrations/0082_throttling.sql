-- Attempts to sign in: a leaking bucket for each account and each address, so that a restart
-- forgives nobody.
create table attempts (
  bucket text primary key,                        -- 'account:…', 'address:…', 'code:…'
  level  double precision not null,               -- attempts that count at `at`
  at     timestamptz not null
);
create index on attempts (at);

-- Who ended a session that somebody else had opened, '' where nobody did.
alter table sign_ins add column ended_by text not null default '';
