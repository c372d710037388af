import type * as z from 'zod';
import { isRecord } from '../records.ts';
import { SLUG } from '../text.ts';

// Clients send what a model wrote, and models sometimes write arrays, numbers and booleans as text; strict modes fill
// missing fields with an empty text or null. Values with only one possible meaning are converted; all others stay as
// they are.

const NUMBER = /^-?\d{1,15}(\.\d{1,15})?$/;

type Def = {
  type: string;
  innerType?: z.ZodType;
  in?: z.ZodType;
  element?: z.ZodType;
  shape?: Record<string, z.ZodType>;
};

/** Converts the value to the form that the schema requires, if it has that value in another form. */
export function coerceInput(schema: z.ZodType, value: unknown): unknown {
  const def = schema.def as Def;
  const inner = def.innerType ?? def.in;
  if (inner !== undefined) return coerceInput(inner, value);
  switch (def.type) {
    case 'number':
      return typeof value === 'string' && NUMBER.test(value) ? Number(value) : value;
    case 'boolean':
      return value === 'true' || (value === 'false' ? false : value);
    case 'array':
      return asArray(def.element as z.ZodType, value);
    case 'object':
      return asObject(def.shape ?? {}, value);
    case 'record':
      return fromJson(value, isRecord);
    default:
      return value;
  }
}

const REFS = new Set(['task', 'parent', 'discovered_from', 'dependencies', 'add_dependencies', 'remove_dependencies']);
const REF_NUMBER = /^#?([1-9]\d{0,9})$/;

/** Completes a task's bare number to `web-12`, if the project is known. */
export function wholeRefs(given: unknown, bound: string | undefined): unknown {
  if (!isRecord(given)) return given;
  const project = given['project'] ?? bound;
  if (typeof project !== 'string' || !SLUG.test(project)) return given;
  const whole = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(whole);
    const [, number] = REF_NUMBER.exec(typeof value === 'number' ? String(value) : asText(value)) ?? [];
    return number === undefined ? value : `${project}-${number}`;
  };
  const within = (fields: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, REFS.has(key) ? whole(value) : value]));
  const { tasks } = given;
  if (!Array.isArray(tasks)) return within(given);
  return { ...within(given), tasks: tasks.map((task) => (isRecord(task) ? within(task) : task)) };
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function asArray(element: z.ZodType, value: unknown): unknown {
  const given = fromJson(value, isObject(element) ? isComposed : Array.isArray);
  if (Array.isArray(given)) return given.map((item) => coerceInput(element, item));
  const isWord = typeof given === 'string' && /^[^[{]/.test(given) && !isObject(element);
  return isWord || (isRecord(given) && isObject(element)) ? [coerceInput(element, given)] : given;
}

function isObject(schema: z.ZodType): boolean {
  return schema.def.type === 'object';
}

function asObject(shape: Record<string, z.ZodType>, value: unknown): unknown {
  const given = fromJson(value, isRecord);
  if (!isRecord(given)) return given;
  const fields = Object.entries(given).flatMap(([key, field]) => {
    const schema = Object.hasOwn(shape, key) ? shape[key] : undefined;
    if (schema === undefined) return [[key, field]];
    return isLeftOut(schema, field) ? [] : [[key, coerceInput(schema, field)]];
  });
  return Object.fromEntries(fields);
}

/** Tells whether an optional field holds an empty value that its schema does not allow. */
function isLeftOut(schema: z.ZodType, value: unknown): boolean {
  if (value !== '' && value !== null) return false;
  return schema.safeParse(undefined).success && !schema.safeParse(value).success;
}

function fromJson(value: unknown, isWanted: (value: unknown) => boolean): unknown {
  if (typeof value !== 'string' || !/^\s*[[{]/.test(value)) return value;
  try {
    const parsed: unknown = JSON.parse(value);
    return isWanted(parsed) ? parsed : value;
  } catch {
    return value;
  }
}

function isComposed(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
