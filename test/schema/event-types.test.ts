import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { eventTypes, eventTypesSql, eventTypesTable } from '../../scripts/schema/event-types.ts';
import type { EventTypes } from '../../src/events/event-type.ts';
import { jsonList, jsonObject, line, nameLine, ref, said, text } from '../../src/text.ts';
import { judged, withField } from '../support/event-fields.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';

let scratch: Scratch;

beforeAll(async () => {
  scratch = await createScratch();
  await scratch.sql.query(`
    create function pg_temp.is_taken(event_type text, data jsonb) returns boolean language plpgsql as $$
    begin
      perform app.check_data(event_type, data);
      return true;
    exception when others then
      return false;
    end $$`);
});
afterAll(() => scratch.drop());

/** Tells of each whether SQL takes it as the data of such an event. */
async function taken(type: string, data: object[]): Promise<boolean[]> {
  const { rows } = await scratch.sql.query<{ is: boolean }>(
    'select pg_temp.is_taken($1, d) as is from jsonb_array_elements($2) with ordinality x (d, at) order by at',
    [type, JSON.stringify(data)],
  );
  return rows.map(({ is }) => is);
}

describe('a declared event type', () => {
  const declared = (data: z.ZodRawShape, more = {}) =>
    eventTypesSql({ 'pelican.hatched': { says: 'a pelican', data: z.object(data), ...more } }).split('\n\n')[1];

  test('tells SQL of each field its kind, its limit, and whether it must be there', () => {
    const shape = {
      name: line(300),
      label: text(20).optional(),
      reason: said(4_000).describe('Why.'),
      nest: ref().nullable().optional().describe('Where.'),
      kind: z.enum(['brown', 'white']).optional(),
      eggs: z.int().min(1).max(9).optional(),
      weight: z.int().min(0).max(999).optional(),
      tame: z.boolean().optional(),
      notes: z.array(line(1_000)).max(50),
      friends: z.array(ref()).max(100).optional(),
      marks: z.array(nameLine(50)).max(20).optional(),
      bag: jsonObject(16_384).optional(),
      fish: jsonList(z.int(), 400).max(3).optional(),
    };

    expect(declared(shape)).toBe(`select app.declare_event('pelican.hatched', 'name!:line:300', 'label:text:20', \
'reason!:said:4000', 'nest:ref:80',
  'kind:one_of:brown|white', 'eggs:positive:9', 'weight:integer:999', 'tame:boolean', 'notes!:text[]:50:1000',
  'friends:ref[]:100:80', 'marks:label[]:20:50', 'bag:object:16384', 'fish:array:400');
`);
  });

  test('tells who records it, whether it begins its stream, and what the door adds', () => {
    const added = z.object({ number: z.int().min(0).max(99) });

    expect(declared({}, { creates: true, by: 'door', added })).toBe(
      `select app.declare_event('pelican.hatched', 'creates', 'internal', 'number+:integer:99');\n`,
    );
    expect(declared({}, { by: 'verb' })).toBe(`select app.declare_event('pelican.hatched', 'verb_only');\n`);
  });

  test.for<[what: string, schema: z.ZodType]>([
    ['an object of its own form', z.object({ a: z.string() })],
    ['a text without a limit', z.string()],
    ['a list without a limit', z.array(line(20))],
    ['a list of numbers', z.array(z.int()).max(3)],
    ['an integer of more than nine digits', z.int().min(0).max(1_000_000_000)],
    ['an integer that may be negative', z.int().max(9)],
    ['a number', z.number()],
    ['a list of lists', z.array(z.array(line(9)).max(3)).max(3)],
  ])('is refused with %s, which SQL does not check', ([, schema]) => {
    expect(() => declared({ field: schema })).toThrow('SQL has no check for');
  });

  test('is a row of the table of the docs', () => {
    const types: EventTypes = {
      'pelican.hatched': { says: 'it is there', data: z.object({}) },
      'pelican.counted': { says: 'how many', by: 'verb', data: z.object({}) },
    };

    expect(eventTypesTable(types).split('\n').slice(2)).toEqual([
      '| `pelican.counted` | verb | how many |',
      '| `pelican.hatched` | caller | it is there |',
    ]);
  });

  test.for([5, 6])('has a limit of %i characters everywhere, if that is its one limit', async (limit) => {
    const data = z.object({ name: line(limit) });

    await scratch.sql.query(eventTypesSql({ 'pelican.hatched': { says: 'a pelican', data } }));

    const names = [5, 6, 7].map((size) => ({ name: 'x'.repeat(size) }));
    const within = [5, 6, 7].map((size) => size <= limit);
    expect(await taken('pelican.hatched', names)).toEqual(within);
    expect(names.map((name) => data.safeParse(name).success)).toEqual(within);
    expect(z.toJSONSchema(data)).toMatchObject({ properties: { name: { maxLength: limit } } });
  });
});

describe('a migrated database', async () => {
  const types = await eventTypes();

  test('knows the declared event types with their fields, and no others', async () => {
    const { rows } = await scratch.sql.query(`
      select t.event_type as type, coalesce(array_agg(f.field || case when f.by_door then '+' else '' end) filter (
          where f.field is not null), '{}') as fields
      from app.event_types t left join app.event_fields f using (event_type)
      where t.event_type not like 'pelican.%' group by 1 order by 1`);

    const declared = Object.entries(types).map(([type, { data, added }]) => ({
      type,
      fields: [...Object.keys(data.shape), ...Object.keys(added?.shape ?? {}).map((field) => `${field}+`)].sort(),
    }));
    expect(rows.map(({ type, fields }) => ({ type, fields: fields.sort() }))).toEqual(
      declared.sort((one, other) => (one.type < other.type ? -1 : 1)),
    );
  });

  test('is left as it is by the declarations of the code', async () => {
    const rowsNow = async () =>
      (
        await scratch.sql.query(`
          select x::text from app.event_types x union all select x::text from app.event_fields x order by 1`)
      ).rows;
    const before = await rowsNow();

    await scratch.sql.query(eventTypesSql(types));

    expect(await rowsNow()).toEqual(before);
  });

  test.for(Object.entries(types))('takes of %s what its schema takes, and nothing else', async ([name, type]) => {
    const cases = judged(type);
    const bySql = await taken(
      name,
      cases.map(({ field, value, parsed }) => withField(type, field, parsed === undefined ? value : parsed)),
    );

    const wrong = cases.flatMap(({ field, value, parsed }, at) =>
      bySql[at] === (parsed !== undefined)
        ? []
        : [`${field}: ${JSON.stringify(value).slice(0, 60)} ${bySql[at] ? 'SQL takes' : 'schema takes'}`],
    );
    expect(wrong).toEqual([]);
  });
});
