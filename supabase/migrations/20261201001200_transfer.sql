-- An imported event whose data had to be cleaned: the hash of what it is now. `payload_hash` stays that of what it was,
-- and no hash covers this.
alter table public.events add column cleaned_hash bytea;
