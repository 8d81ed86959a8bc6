-- The log of operations: what people and the system did, calls apart. A read model.
create table operations (
  position    bigint primary key,
  recorded_at timestamptz not null,
  actor       text not null,
  address     text not null,
  request_id  text not null,
  stream      text not null,
  kind        text not null,                      -- what the stream is of: company, device, rate-group, …
  topic       text not null,                      -- without its version
  family      text not null,                      -- with which events it is compared, '' with none
  fields      jsonb not null                      -- what the event says; of lists how many they hold
);
create index on operations (recorded_at, position);
create index on operations (actor, position);
create index on operations (stream, family, position);

-- Who came in, who did not, who left. Never rebuilt: a sign-in is no event.
create table sign_ins (
  id               bigint generated always as identity primary key,
  at               timestamptz not null,
  kind             text not null,                 -- signed_in, refused, signed_out, expired
  reason           text not null,                 -- why refused: wrong, throttled, …
  sign_in_name     text not null,                 -- as it was written
  administrator_id text not null,                 -- '' where nobody has that name
  address          text not null,
  browser          text not null
);
create index on sign_ins (at, id);
