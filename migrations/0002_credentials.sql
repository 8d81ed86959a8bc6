-- Secrets: never events, never rebuilt.
create table administrator_credentials (
  administrator_id text primary key,
  sign_in_name     text not null unique,
  password_hash    text not null,
  must_change      boolean not null default false
);

create table sessions (
  token_hash       bytea primary key,             -- SHA-256 of the cookie's token
  administrator_id text not null,
  csrf_token       text not null,
  created_at       timestamptz not null,
  seen_at          timestamptz not null,
  expires_at       timestamptz not null,
  address          text not null,
  browser          text not null
);
create index on sessions (administrator_id);

create table device_credentials (
  account       text primary key,                 -- the user name of HTTP Basic
  device_id     text not null,
  password_hash text not null,
  valid_until   timestamptz                       -- null: until rotated
);
create index on device_credentials (device_id);
