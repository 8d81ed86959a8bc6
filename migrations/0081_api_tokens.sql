-- What a program shows instead of a session. Only the hash of a token is kept.
create table api_tokens (
  token_id         text primary key,
  token_hash       bytea not null unique,         -- SHA-256 of 256 random bits
  administrator_id text not null,                 -- in whose name it acts
  name             text not null,
  scopes           text[] not null,
  created_at       timestamptz not null,
  expires_at       timestamptz,                   -- null: never
  revoked_at       timestamptz,
  seen_at          timestamptz,
  seen_address     text not null default ''
);
create index on api_tokens (administrator_id, created_at);

-- By which token an operation was done; '' by a session.
alter table operations add column token_id text not null default '';
