-- Statements are rounded to the minor unit, and the log says when those of a month are complete.
alter table books add column completed text not null default '';             -- last month with all its statements
alter table statements add column rounding_micros bigint not null default 0; -- as it changed the balance

-- The ledger check: for every wallet, opening + movements - charges = closing = balance.
create table ledger_checks (
  one        boolean primary key default true check (one),
  checked_at timestamptz not null,
  completed  text not null,                       -- the last month with all its statements at that time
  wallets    bigint not null
);
create table ledger_differences (                 -- what the last check found; empty when all is equal
  account      text not null,
  month        text not null,                     -- of the statement; '' for the balance
  shown_micros bigint not null,                   -- what the balance or the statement says
  books_micros bigint not null,                   -- what the months of the books add up to
  primary key (account, month)
);
