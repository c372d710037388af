import { SQL } from './migrations.ts';
import { of } from './mutant.ts';

/** A threat by what a session plants among its temporary objects. */
export const PLANTED = Object.freeze([
  ...of('T44', 'test/temporary-objects.test.ts', [
    {
      file: SQL,
      find: "execute format('alter function %s set search_path = pg_catalog, pg_temp', v_function.name);",
      replace: "execute format('alter function %s set search_path = pg_temp, pg_catalog', v_function.name);",
      name: 'runs nothing as the owner of our functions',
    },
    {
      file: SQL,
      find: "execute format('revoke temporary on database %I from public', current_database());",
      replace: 'null;',
      name: 'cannot be planted by who was not allowed to make temporary objects',
    },
  ]),
  ...of('T44', 'test/database.test.ts', [
    {
      file: SQL,
      find: `create or replace function app.reaches(project_id uuid) returns boolean language sql stable
  return (reaches.project_id <> app.project()) is not true;`,
      replace: `create or replace function app.reaches(project_id uuid) returns boolean language sql stable
  as 'select (project_id <> app.project()) is not true';`,
      name: 'that a policy calls has that path too, or a body whose names were resolved when it was made',
    },
  ]),
]);
