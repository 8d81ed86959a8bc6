-- Rating again: what was asked, how far it is, what came of it. No read model: a restart goes on from here.
create table corrections (
  correction_id text primary key,
  kind          text not null,                    -- recycle, rerate, what_if
  asked         jsonb not null,                   -- which calls, and by which group
  state         text not null,                    -- waiting, running, ready (to be applied), done, failed, cancelled
  applying      boolean not null,                 -- whether events are written, or a preview is made
  actor         text not null,
  address       text not null,
  asked_at      timestamptz not null default now(),
  ended_at      timestamptz,
  expected      bigint not null default 0,        -- calls to be looked at
  looked_at     bigint not null default 0,
  place         jsonb,                            -- the last call looked at
  preview       jsonb not null default '[]',      -- by company: calls, changed, old, new
  applied       jsonb not null default '[]',
  problem       text not null default ''
);
create index on corrections (asked_at);
