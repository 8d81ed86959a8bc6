-- From which position of the log on somebody may not do everything: a read model that is behind it (a rebuild, a lag)
-- admits nobody of whom it does not know that yet.
alter table administrator_credentials add column as_of bigint not null default 0;
update administrator_credentials c set as_of = coalesce(
  (select max(notification_id) from billing_events
   where originator_id = 'administrator:' || c.administrator_id), 0);
