-- The count of prices that nobody reads: pages count those in force (queries/rate_groups.py). The table is a read model.
alter table rate_groups drop column rates;
