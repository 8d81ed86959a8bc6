-- Indexes for the filters of the call list that leave few calls. Newest first, as the list is.
create index call_list_user on call_list (user_account_id, started_at desc, call_id desc)
  where user_account_id <> '';
create index call_list_gateway on call_list (gateway_account_id, started_at desc, call_id desc)
  where gateway_account_id <> '';
create index call_list_extension on call_list (extension, started_at desc);
create index call_list_device on call_list (device_id, started_at desc);
create index call_list_area on call_list (area, started_at desc);
create index call_list_number_end on call_list (reverse(number) text_pattern_ops);

-- Filters of the call list under a name, for each administrator. No events: they change nothing for anybody else.
create table saved_views (
  administrator_id text not null,
  name             text not null,
  query            text not null,                 -- of the address, without the place in the list
  primary key (administrator_id, name)
);
