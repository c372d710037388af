import { describe, expect, test } from 'vitest';
import type { StoredStep } from '../../src/services/steps.ts';
import { inTree } from '../../src/tools/trace-text.ts';

const MANY = 40_000;

const idOf = (number: number) => number.toString(16).padStart(16, '0');

function step(number: number, above?: number): StoredStep {
  return {
    ...{ id: String(number), span_id: idOf(number), kind: 'tool_call', name: String(number), status: 'completed' },
    started_at: new Date(Date.UTC(2026, 10, 27) + number).toISOString(),
    ...(above !== undefined && { parent_span_id: idOf(above) }),
  };
}

const shown = (steps: StoredStep[]) => inTree(steps).map(({ step: { name }, depth }) => `${depth}:${name}`);

describe('steps in the order of their tree', () => {
  test('are under their parents, siblings by when they began, also those without a parent or in a ring', () => {
    const steps = [step(5, 4), step(3, 1), step(2, 1), step(1), step(4, 2), step(6, 99), step(7, 7)];

    expect(shown(steps)).toEqual(['0:1', '1:2', '2:4', '3:5', '1:3', '0:6', '0:7']);
    expect(shown([step(1, 2), step(2, 1), step(3)])).toEqual(['0:3', '0:1', '0:2']);
  });

  test.for<[string, (number: number) => StoredStep]>([
    ['siblings', (number) => step(number, number === 0 ? undefined : 0)],
    ['rings', (number) => step(number, number % 2 === 0 ? number + 1 : number - 1)],
    ['a chain', (number) => step(number, number - 1)],
  ])('may be very many: %s', ([, of]) => {
    const steps = Array.from({ length: MANY }, (_, number) => of(number));
    const began = performance.now();

    expect(inTree(steps)).toHaveLength(MANY);

    expect(performance.now() - began).toBeLessThan(3_000);
  });
});
