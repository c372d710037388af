-- Records are read as texts of JSON: `after` is one.
drop function if exists public.read_records(text, timestamptz, jsonb, integer, jsonb);
