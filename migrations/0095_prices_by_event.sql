-- The log of operations tells what an event did to prices, of a deck the first few.
create index prices_by_event on prices (position, target);
