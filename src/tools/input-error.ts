import type * as z from 'zod';
import { DomainError } from '../errors.ts';
import { valueIn } from '../records.ts';
import { pathName } from '../text.ts';

const ISSUES_MAX = 5;

type Issue = z.ZodError['issues'][number];

/** Names the wrong argument, the allowed values, and the argument's purpose. */
export function inputError(tool: { name: string; input: z.ZodObject }, error: z.ZodError, given: unknown): DomainError {
  const [first] = error.issues;
  const path = first?.path ?? [];
  const argument = tool.input.shape[String(path[0])];
  const nameOf: NameOf = (path) => pathName(path) || tool.name;
  return new DomainError('invalid_input', inputSentences(error, given, nameOf), {
    hint:
      argument?.description === undefined
        ? `Arguments of ${tool.name}: ${Object.keys(tool.input.shape).join(', ')}.`
        : `${String(path[0])}: ${argument.description}`,
    details: { field: fieldName(first) },
  });
}

type NameOf = (path: readonly PropertyKey[]) => string;

/**
 * Describes the faults of an input and the allowed values, a sentence for each place; `nameOf` gives the reader's name
 * of it.
 */
export function inputSentences(error: z.ZodError, given: unknown, nameOf: NameOf): string {
  const issues = error.issues.filter(isFirstOfPlace).slice(0, ISSUES_MAX);
  return issues.map((issue) => sentence(issue, nameOf(issue.path), given)).join(' ');
}

/** Keeps the first fault of a place: a value of the wrong type is not measured as well. */
function isFirstOfPlace({ path }: Issue, at: number, issues: Issue[]): boolean {
  return issues.findIndex((issue) => pathName(issue.path) === pathName(path)) === at;
}

function sentence(issue: Issue, name: string, given: unknown): string {
  switch (issue.code) {
    case 'unrecognized_keys':
      return `${name} has no argument ${issue.keys.slice(0, 10).map(shortened).join(', ')}.`;
    case 'invalid_type':
      return valueAt(given, issue.path) === undefined ? `${name} is missing.` : `${name} must be ${a(issue.expected)}.`;
    case 'invalid_value':
      return `${name} must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.join(', ')}.`;
    case 'too_big':
      return `${name} must be at most ${issue.maximum}${unit(issue.origin)}.`;
    case 'too_small':
      return `${name} must be at least ${issue.minimum}${unit(issue.origin)}.`;
    default:
      return `${name} ${/^must/.test(issue.message) ? issue.message : `is not valid: ${issue.message}`}.`;
  }
}

function fieldName(issue: Issue | undefined): string {
  if (issue?.code === 'unrecognized_keys') return shortened(pathName([...issue.path, issue.keys[0] ?? '']));
  return pathName(issue?.path ?? []);
}

function valueAt(given: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(valueIn, given);
}

function unit(origin: string): string {
  if (origin === 'string') return ' characters long';
  return origin === 'array' ? ' items long' : '';
}

function a(expected: string): string {
  if (expected === 'int') return 'a whole number';
  return /^[aeiou]/.test(expected) ? `an ${expected}` : `a ${expected}`;
}

/** Shortens a name that a caller made up. */
function shortened(name: string): string {
  return name.slice(0, 60);
}
