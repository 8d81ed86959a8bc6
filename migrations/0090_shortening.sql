-- Numbers lose their last digits after a time; see docs/decisions/0090.

-- Read models of the events of keeping.
alter table keeping add column shorten_months integer not null default 0;
alter table archives add column shortened boolean not null default false;
create table shortened_months (
  month         text primary key,                 -- '2026-03'
  last_position bigint not null,                  -- up to which its events were looked at
  calls         bigint not null,                  -- whose numbers were shortened
  shortened_at  timestamptz not null              -- last
);
