import { readdirSync, readFileSync } from 'node:fs';
import { parseSync, Visitor } from 'oxc-parser';
import { expect, test } from 'vitest';

const SRC = new URL('../../src/', import.meta.url);
// Each is a claim that the compiler does not check. What is of unknown form is parsed, or looked into by src/records.ts.
const CASTS_MAX = 29;

/** The places where a file says `as X`; `as const` claims nothing. */
function castsIn(name: string): string[] {
  const text = readFileSync(new URL(name, SRC), 'utf8');
  const { program } = parseSync(name, text);
  const found: string[] = [];
  const visitor = new Visitor({
    TSAsExpression({ start, end, typeAnnotation }) {
      if (text.slice(typeAnnotation.start, typeAnnotation.end) === 'const') return;
      found.push(`${name}:${text.slice(0, start).split('\n').length} ${text.slice(start, end)}`);
    },
  });
  visitor.visit(program);
  return found;
}

test('the code asserts a type in few places', () => {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));

  const casts = files.flatMap(castsIn);

  expect(files.length).toBeGreaterThan(200);
  expect(casts.length, casts.join('\n')).toBeLessThanOrEqual(CASTS_MAX);
});
