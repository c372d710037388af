import { of } from './mutant.ts';
import { SQL } from './sql.ts';

/** A threat by what a session plants among its temporary objects. */
export const PLANTED = Object.freeze([
  ...of('T44', 'test/schema/temporary-objects.test.ts', [
    {
      file: SQL,
      within: 'public.append_events',
      find: 'set search_path = pg_catalog, pg_temp',
      replace: 'set search_path = pg_temp, pg_catalog',
      name: 'runs nothing as the owner of our functions',
    },
    {
      file: SQL,
      find: "execute format('revoke temporary on database %I from public', current_database());",
      replace: 'null;',
      name: 'cannot be planted by who was not allowed to make temporary objects',
    },
  ]),
  ...of('T44', 'test/schema/database.test.ts', [
    {
      file: SQL,
      find: `create or replace function app.token_allows_project(project_id uuid) returns boolean language sql stable
  return (token_allows_project.project_id <> app.get_token_project()) is not true;`,
      replace: `create or replace function app.token_allows_project(project_id uuid) returns boolean language sql stable
  as 'select (project_id <> app.get_token_project()) is not true';`,
      name: 'that a policy calls has that path too, or a body whose names were resolved when it was made',
    },
  ]),
]);
