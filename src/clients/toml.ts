import { isDeepStrictEqual } from 'node:util';
import { parse, patch, stringify } from '@decimalturn/toml-patch';
import { messageOf } from '../errors.ts';
import { isRecord, recordOf } from '../records.ts';

// TOML as Codex keeps it, with comments and order. Throws when a safe change is impossible.

type Toml = Record<string, unknown>;

export function readToml(text: string): Toml {
  try {
    return recordOf(parse(text));
  } catch (error) {
    throw new Error(messageOf(error).split('\n')[0]);
  }
}

/** Sets `[table.name]` and keeps its other keys. */
export function setTable(text: string, [table, name]: readonly [string, string], value: Toml): string {
  const current = readToml(text);
  const tables = recordOf(current[table]);
  const existing = isRecord(tables[name]) ? tables[name] : undefined;
  const wanted = { ...current, [table]: { ...tables, [name]: { ...existing, ...value } } };
  if (existing !== undefined) return isSame(current, wanted) ? text : patch(text, wanted);
  // A separate table at the end reads best. If that gives another result, as after an inline table, the text is
  // patched.
  const eol = eolOf(text);
  const section = `[${table}.${name}]\n${stringify(value)}`.trimEnd().replaceAll('\n', eol);
  const gap = text.trim() === '' ? '' : text.endsWith('\n') ? eol : eol + eol;
  const appended = `${text}${gap}${section}${eol}`;
  return says(appended, wanted) ? appended : patch(text, wanted);
}

export function removeTable(text: string, [table, name]: readonly [string, string]): string {
  const { [table]: tables, ...rest } = readToml(text);
  const { [name]: removed, ...others } = recordOf(tables);
  if (removed === undefined) return text;
  return patch(text, Object.keys(others).length === 0 ? rest : { ...rest, [table]: others });
}

function eolOf(text: string): string {
  return text.includes('\r\n') ? '\r\n' : '\n';
}

function says(text: string, wanted: Toml): boolean {
  try {
    return isSame(recordOf(parse(text)), wanted);
  } catch {
    return false;
  }
}

/** Compares values, whatever object class the parser makes. */
function isSame(a: Toml, b: Toml): boolean {
  return isDeepStrictEqual(structuredClone(a), structuredClone(b));
}
