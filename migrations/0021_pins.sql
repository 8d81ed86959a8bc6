-- PINs that callers dial to be billed to their own account: never themselves, only what they are known by.
create table account_pins (
  company_id text not null,
  digest     text not null,
  given_at   bigint not null,                     -- position
  account    text not null,                       -- '' = withdrawn
  valid_from timestamptz,
  primary key (company_id, digest, given_at)
);
create index on account_pins (account);
