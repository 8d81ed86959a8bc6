-- The second step of signing in. Secrets: never events, never rebuilt.
create table second_factors (
  administrator_id text primary key,
  secret           text not null,                 -- base32, shared with the app
  confirmed_at     timestamptz,                   -- null: shown, not yet confirmed by a code
  last_step        bigint not null default 0      -- of the code used last: none is good twice
);
create table recovery_codes (
  administrator_id text not null,
  code_hash        bytea not null,                -- SHA-256 of 80 random bits
  used_at          timestamptz,
  primary key (administrator_id, code_hash)
);

-- Who gave the password and not yet the code. No session: nothing that looks for one finds it.
create table half_sessions (
  token_hash       bytea primary key,
  administrator_id text not null,
  expires_at       timestamptz not null
);

alter table administrators add column must_use_two_factor boolean not null default false;
