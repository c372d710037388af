import { readdir } from 'node:fs/promises';
import { extname } from 'node:path';
import * as z from 'zod';
import type { EventType, EventTypes } from '../../src/events/event-type.ts';
import { PACKAGE_ROOT } from '../../src/package-root.ts';
import { FIELD_CHECKS } from '../../src/text.ts';

/** Declares the event types to SQL, after the function that it calls and before the categories that need them. */
export const EVENT_TYPES_FILE = 'supabase/code/043_event_types.sql';
const FOLDER = 'src/events/';
const HEAD =
  '-- Made by `npm run schema` from src/events: the event types, and the limits of their data. Do not edit.\n';
const COLUMNS_MAX = 120;
// app.validate_field reads an integer of at most nine digits.
const INTEGER_MAX = 999_999_999;

/** All event types, by name: what the exported functions of `src/events` whose name ends in `Events` list. */
export async function eventTypes(): Promise<EventTypes> {
  const files = (await readdir(new URL(FOLDER, PACKAGE_ROOT))).sort();
  // This file runs compiled, or as it is in the tests.
  const extension = extname(new URL(import.meta.url).pathname);
  const modules: Record<string, unknown>[] = await Promise.all(
    files.map((file) => import(new URL(`../../${FOLDER}${file.replace(/\.ts$/, extension)}`, import.meta.url).href)),
  );
  const lists = modules.flatMap((module) => Object.entries(module).filter(([name]) => name.endsWith('Events')));
  return Object.assign({}, ...lists.map(([, list]) => (list as () => EventTypes)()));
}

/** The statements that declare event types, as one file. */
export function eventTypesSql(types: EventTypes): string {
  return [HEAD, ...sorted(types).map(([name, type]) => declaration(name, type))].join('\n');
}

/** The table of event types in docs/events.md. */
export function eventTypesTable(types: EventTypes): string {
  const rows = sorted(types).map(([name, { by = 'caller', says }]) => `| \`${name}\` | ${by} | ${says} |`);
  return ['| type | by | says |', '| --- | --- | --- |', ...rows].join('\n');
}

function sorted(types: EventTypes): [string, EventType][] {
  return Object.entries(types).sort(([one], [other]) => (one < other ? -1 : 1));
}

function declaration(name: string, { creates, by, data, added }: EventType): string {
  const words = [
    ...(creates ? ['creates'] : []),
    ...(by === 'door' ? ['internal'] : []),
    ...(by === 'verb' ? ['verb_only'] : []),
    ...Object.entries(data.shape).map(([field, schema]) => `${field}${isRequired(schema) ? '!' : ''}:${check(schema)}`),
    ...Object.entries(added?.shape ?? {}).map(([field, schema]) => `${field}+:${check(schema)}`),
  ];
  return wrapped([`'${name}'`, ...words.map((word) => `'${word}'`)]);
}

function wrapped(args: string[]): string {
  const lines = [`select app.declare_event(${args[0]}`];
  for (const arg of args.slice(1)) {
    const line = `${lines.at(-1)}, ${arg}`;
    // Room for what closes the line.
    if (line.length <= COLUMNS_MAX - 2) lines[lines.length - 1] = line;
    else lines.push(`  ${broken(arg)}`);
  }
  return `${lines.join(',\n')});\n`;
}

/** Breaks a list of values that is too long for a line: SQL joins literals that a line feed separates. */
function broken(arg: string): string {
  const end = arg.lastIndexOf('|', COLUMNS_MAX - 4) + 1;
  if (arg.length <= COLUMNS_MAX - 4 || end === 0) return arg;
  return `${arg.slice(0, end)}'\n  ${broken(`'${arg.slice(end)}`)}`;
}

function isRequired(schema: z.core.$ZodType): boolean {
  return schema._zod.optin === undefined;
}

/** The kind and the size of a field, as app.declare_event reads them. */
function check(schema: z.core.$ZodType): string {
  const bare = withoutWrapper(schema);
  const { kind, size } = FIELD_CHECKS.get(bare) ?? {};
  if (kind === 'number' || kind === 'fraction') return kind;
  const { type, enum: values, maxLength, minimum, maximum = Infinity } = z.toJSONSchema(bare, { io: 'input' });
  if (kind !== undefined) return `${kind}:${size ?? maxLength}`;
  if (values !== undefined) return `one_of:${values.join('|')}`;
  if (type === 'boolean') return type;
  if (type === 'integer' && maximum <= INTEGER_MAX && minimum === 0) return `integer:${maximum}`;
  if (type === 'integer' && maximum <= INTEGER_MAX && minimum === 1) return `positive:${maximum}`;
  if (bare instanceof z.ZodArray) return checkOfList(bare);
  throw unchecked(bare);
}

function checkOfList(list: z.ZodArray): string {
  const { maxItems } = z.toJSONSchema(list, { io: 'input' });
  const [of = '', length] = check(list.element).split(':');
  const kind = { line: 'text', ref: 'ref', label: 'label' }[of];
  if (kind === undefined || maxItems === undefined) throw unchecked(list);
  return `${kind}[]:${maxItems}:${length}`;
}

function unchecked(schema: z.core.$ZodType): Error {
  return new Error(`SQL has no check for ${JSON.stringify(z.toJSONSchema(schema))}: see app.validate_field.`);
}

function withoutWrapper(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return withoutWrapper(schema.unwrap());
  return schema;
}
