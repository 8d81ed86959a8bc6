-- Hours and destinations of one user account are read from the index alone: its calls lie far apart in the table.
drop index call_list_user;
create index call_list_user on call_list (user_account_id, started_at desc)
  include (class, area, currency, result, status, talk_ms, billed_seconds, amount_micros)
  where user_account_id <> '';
