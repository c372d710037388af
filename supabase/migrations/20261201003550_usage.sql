-- What runs used is found by project and run, and a row of nothing is none.
drop function if exists app.usage_between(uuid, date, date);
delete from public.run_usage u where u.requests = 0;
