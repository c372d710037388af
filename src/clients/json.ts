import { isDeepStrictEqual } from 'node:util';
import {
  applyEdits,
  type Edit,
  findNodeAtLocation,
  modify,
  type Node,
  type ParseError,
  parse,
  parseTree,
  printParseErrorCode,
} from 'jsonc-parser';

// JSON as clients keep it, with comments, trailing commas and indentation. Throws when a safe change is impossible.

type Json = Record<string, unknown>;
/** A group of hooks, or in Cursor's file a hook. */
type HookGroup = { matcher?: string; hooks?: { command?: string }[]; command?: string };

const OUR_PROGRAM = /cairn|\bcli\.js\b/;
const OUR_HOOK = /\bhook (session-start|pre-compact|after-tools|stop|wait)\b/;
const COMMENTS = /\/\*.*?\*\/|\/\/.*/g;
const REST_OF_LINE = /^(?:[ \t]*(?:,|\/\*[^\n]*?\*\/|\/\/[^\r\n]*))*/;
// The keys of a server that is reached, not started; such an entry becomes one that is started.
const REMOTE_KEYS = new Set(['url', 'serverUrl', 'httpUrl', 'headers']);

export function readJson(text: string): Json {
  if (text.trim() === '') return {};
  const errors: ParseError[] = [];
  const value: unknown = parse(text, errors, { allowTrailingComma: true });
  const [error] = errors;
  if (error !== undefined) {
    const line = text.slice(0, error.offset).split('\n').length;
    throw new Error(`line ${line}: ${printParseErrorCode(error.error)}`);
  }
  if (!isObject(value)) throw new Error('it is not an object');
  return value;
}

function valueAt(text: string, path: string[]): unknown {
  return path.reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), readJson(text));
}

/** Sets the value at the path and keeps an object's other properties. */
export function setJson(text: string, path: string[], value: unknown): string {
  const current = valueAt(text, path);
  if (!isObject(current) || !isObject(value)) return writeJson(text, path, value);
  const kept = Object.entries(current).filter(([key]) => !REMOTE_KEYS.has(key));
  return writeJson(text, path, { ...Object.fromEntries(kept), ...value });
}

export function removeJson(text: string, path: string[]): string {
  return valueAt(text, path) === undefined ? text : writeJson(text, path, undefined);
}

function writeJson(text: string, path: string[], value: unknown): string {
  if (isDeepStrictEqual(valueAt(text, path), value)) return text;
  const blank = text.trim() === '';
  const base = blank ? '{}' : text;
  const changed = applyEdits(base, editsFor(base, path, value));
  return blank ? `${changed}\n` : changed;
}

function editsFor(text: string, path: string[], value: unknown): Edit[] {
  const known = path.findIndex((_, at) => valueAt(text, path.slice(0, at + 1)) === undefined);
  // The library removes and replaces in place, but reformats the lines around an insertion.
  if (known === -1)
    return modify(text, path, value, {}).map((edit) => ({
      ...edit,
      content: value === undefined ? edit.content : setOut(text, path, value),
    }));
  const object = findNodeAtLocation(parseTree(text) as Node, path.slice(0, known));
  if (object?.type !== 'object') throw new Error(`${path.slice(0, known).join('.')} is not an object`);
  const missing = path.slice(known + 1).reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
  return insertion(text, object, { path: path.slice(0, known + 1), value: missing });
}

/** Inserts a property behind the last one and its comment. */
function insertion(text: string, object: Node, { path, value }: { path: string[]; value: unknown }): Edit[] {
  const last = object.children?.at(-1);
  const end = last === undefined ? object.offset + 1 : last.offset + last.length;
  const { at, comma } = skipRestOfLine(text, end);
  const { indent, eol } = styleOf(text);
  const property = `${eol}${indent.repeat(path.length)}${JSON.stringify(path.at(-1))}: ${setOut(text, path, value)}`;
  const closing = /^[ \t]*\}/.test(text.slice(at)) ? eol + indent.repeat(path.length - 1) : '';
  const inserted = { offset: at, length: 0, content: property + closing };
  return last === undefined || comma ? [inserted] : [{ offset: end, length: 0, content: ',' }, inserted];
}

/** Returns the end of the line's comma and comments. */
function skipRestOfLine(text: string, from: number): { at: number; comma: boolean } {
  const [rest = ''] = REST_OF_LINE.exec(text.slice(from)) ?? [];
  return { at: from + rest.length, comma: rest.replace(COMMENTS, '').includes(',') };
}

/** Formats a value for its place in the file. */
function setOut(text: string, path: string[], value: unknown): string {
  const { indent, eol } = styleOf(text);
  return JSON.stringify(value, null, indent).replaceAll('\n', eol + indent.repeat(path.length));
}

function styleOf(text: string): { indent: string; eol: string } {
  const [, indent = '  '] = /^([ \t]+)\S/m.exec(text) ?? [];
  return { indent, eol: text.includes('\r\n') ? '\r\n' : '\n' };
}

/** Sets our entry among the hooks of each event; keeps others' hooks. */
export function setHooks(text: string, entries: Record<string, object>): string {
  return Object.entries(entries).reduce(
    (json, [event, entry]) => writeJson(json, ['hooks', event], [...otherHooks(json, event), entry]),
    text,
  );
}

export function removeHooks(text: string, events: string[]): string {
  const without = events.reduce((json, event) => {
    if (valueAt(json, ['hooks', event]) === undefined) return json;
    const others = otherHooks(json, event);
    return writeJson(json, ['hooks', event], others.length === 0 ? undefined : others);
  }, text);
  const left = valueAt(without, ['hooks']);
  return isObject(left) && Object.keys(left).length === 0 ? removeJson(without, ['hooks']) : without;
}

function otherHooks(text: string, event: string): HookGroup[] {
  const groups: unknown = valueAt(text, ['hooks', event]) ?? [];
  if (!Array.isArray(groups)) throw new Error(`hooks.${event} is not a list`);
  return groups.flatMap((group: HookGroup) => {
    if (isOurs(group.command ?? '')) return [];
    const kept = group.hooks?.filter(({ command = '' }) => !isOurs(command));
    if (kept === undefined || kept.length === group.hooks?.length) return [group];
    return kept.length === 0 ? [] : [{ ...group, hooks: kept }];
  });
}

/** Uses two expressions: a single one would search for the second part from each match of the first. */
function isOurs(command: string): boolean {
  const program = OUR_PROGRAM.exec(command);
  return program !== null && OUR_HOOK.test(command.slice(program.index + program[0].length));
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
