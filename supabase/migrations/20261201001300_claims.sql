-- The function is called app.renew_lease now.
drop function if exists app.extend_lease(public.tasks, timestamptz);
