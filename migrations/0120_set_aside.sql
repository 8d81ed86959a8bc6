-- Events that a read model refuses wait here, so that the others go on (projections/runner.py).
create table set_aside (
  name     text not null,                         -- of the read model, as its checkpoint is called
  position bigint not null,
  stream   text not null,
  topic    text not null,
  error    text not null,
  at       timestamptz not null,
  primary key (name, position)
);
-- Calls whose date is not plausible get no month of their own (log/partitions.py). Accounts, devices
-- and rates stay apart from them, so a catalogue is still read without touching a call.
alter table billing_events detach partition billing_events_default;
create table billing_events_rest partition of billing_events default partition by range (originator_id);
create table billing_events_other partition of billing_events_rest for values from ('call:') to ('call;');
alter table billing_events_rest attach partition billing_events_default default;
create table call_list_other partition of call_list default;
