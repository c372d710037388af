import fc from 'fast-check';
import { expect } from 'vitest';
import { test } from './support/world.ts';

// app.find_circle, by which an import finds tasks that would wait for each other, against taking one task away after another.

const NODES = 8;
const id = (node: number) => `00000000-0000-7000-8000-${String(node).padStart(12, '0')}`;
const edge = fc.tuple(fc.nat(NODES - 1), fc.nat(NODES - 1));

/** Who is left when whoever waits for nobody that is left is taken away, until nobody is. */
function stuck(edges: [number, number][]): Set<string> {
  const left = new Set(edges.flat());
  for (let size = -1; size !== left.size; ) {
    size = left.size;
    for (const node of left) {
      if (!edges.some(([waiting, awaited]) => waiting === node && left.has(awaited))) left.delete(node);
    }
  }
  return new Set([...left].map(id));
}

test('a circle is found where there is one, and nowhere else', async ({ sql }) => {
  await fc.assert(
    fc.asyncProperty(fc.array(edge, { maxLength: 14 }), async (edges) => {
      const ends = [edges.map(([waiting]) => id(waiting)), edges.map(([, awaited]) => id(awaited))];
      const { rows } = await sql.query('select app.find_circle($1::uuid[], $2::uuid[]) as found', ends);

      const expected = stuck(edges);
      if (expected.size === 0) expect(rows[0].found).toBeNull();
      else expect(expected).toContain(rows[0].found);
    }),
    { numRuns: 300 },
  );
});
