-- Which columns of the call list an administrator sees, and in which order. No event: it changes nothing for anybody else.
create table call_columns (
  administrator_id text primary key,
  columns          text[] not null
);
