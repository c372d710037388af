import { readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { expect, test } from 'vitest';

const SRC = new URL('../../src/', import.meta.url);
// Each is a claim that the compiler does not check. What is of unknown form is parsed, or looked into by src/records.ts.
const CASTS_MAX = 29;

/** The places where a file says `as X`; `as const` claims nothing. */
function castsIn(name: string): string[] {
  const file = ts.createSourceFile(name, readFileSync(new URL(name, SRC), 'utf8'), ts.ScriptTarget.ES2023, true);
  const found: string[] = [];
  function visit(node: ts.Node): void {
    if (ts.isAsExpression(node) && !ts.isConstTypeReference(node.type)) {
      found.push(`${name}:${file.getLineAndCharacterOfPosition(node.getStart()).line + 1} ${node.getText()}`);
    }
    ts.forEachChild(node, visit);
  }
  visit(file);
  return found;
}

test('the code asserts a type in few places', () => {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));

  const casts = files.flatMap(castsIn);

  expect(files.length).toBeGreaterThan(200);
  expect(casts.length, casts.join('\n')).toBeLessThanOrEqual(CASTS_MAX);
});
