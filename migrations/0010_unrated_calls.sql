-- Totals of the call list add what daily_usage leaves out: calls that are on the list but not charged.
create index call_list_unrated on call_list (started_at) where status in ('suspended', 'voided');
