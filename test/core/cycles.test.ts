import fc from 'fast-check';
import { expect } from 'vitest';
import { test } from '../support/world.ts';

// app.find_cycle_member, by which an import finds tasks that would wait for themselves, against a walk from each task.

const NODES = 8;
const id = (node: number) => `00000000-0000-7000-8000-${String(node).padStart(12, '0')}`;
const edge = fc.tuple(fc.nat(NODES - 1), fc.nat(NODES - 1));

/** The tasks that wait, by way of others or not, for themselves. */
function inCycles(edges: [number, number][]): Set<string> {
  const nodes = [...new Set(edges.flat())];
  const reached = (from: number) => {
    const seen = new Set(edges.flatMap(([waiting, awaited]) => (waiting === from ? [awaited] : [])));
    for (const node of seen) for (const [waiting, awaited] of edges) if (waiting === node) seen.add(awaited);
    return seen;
  };
  return new Set(nodes.filter((node) => reached(node).has(node)).map(id));
}

test('a task of a cycle is found where there is one, and no other', async ({ sql }) => {
  await fc.assert(
    fc.asyncProperty(fc.array(edge, { maxLength: 14 }), async (edges) => {
      const ends = [edges.map(([waiting]) => id(waiting)), edges.map(([, awaited]) => id(awaited))];
      const { rows } = await sql.query('select app.find_cycle_member($1::uuid[], $2::uuid[]) as found', ends);

      const expected = inCycles(edges);
      if (expected.size === 0) expect(rows[0].found).toBeNull();
      else expect(expected).toContain(rows[0].found);
    }),
    { numRuns: 300 },
  );
});
