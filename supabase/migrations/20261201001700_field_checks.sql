-- Checks of the fields of events: how long an item of a list may be, text that says something, numbers from 1.
alter table app.event_fields
  add column item_max integer,
  drop constraint event_fields_kind_check,
  add constraint event_fields_kind_check check (kind in (
    'text', 'said', 'line', 'ref', 'ref[]', 'text[]', 'label[]', 'integer', 'positive', 'number', 'boolean', 'object',
    'array', 'one_of'));

-- The check of a field takes the size of an item, too. The others name it in their bodies.
drop function if exists app.clean_evidence(jsonb);
drop function if exists app.is_evidence(jsonb);
drop function if exists app.validate_field(jsonb, text, integer, text[]);
