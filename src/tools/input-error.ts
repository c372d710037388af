import type * as z from 'zod';
import { DomainError } from '../errors.ts';
import { pathName } from '../text.ts';

const ISSUES_MAX = 5;

type Issue = z.ZodError['issues'][number];

/** Says which argument is wrong, what is allowed, and what the argument is for. */
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

/** What is wrong with an input and what is allowed, a sentence for each place; `nameOf` calls it as the reader does. */
export function inputSentences(error: z.ZodError, given: unknown, nameOf: NameOf): string {
  const issues = error.issues.filter(isFirstOfPlace).slice(0, ISSUES_MAX);
  return issues.map((issue) => sentence(issue, nameOf(issue.path), given)).join(' ');
}

/** What is of another kind is not measured as well. */
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
  return path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], given);
}

function unit(origin: string): string {
  if (origin === 'string') return ' characters long';
  return origin === 'array' ? ' items long' : '';
}

function a(expected: string): string {
  if (expected === 'int') return 'a whole number';
  return /^[aeiou]/.test(expected) ? `an ${expected}` : `a ${expected}`;
}

/** What a caller made up is repeated in part only. */
function shortened(name: string): string {
  return name.slice(0, 60);
}
