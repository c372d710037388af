import { expect, test } from 'vitest';
import { brief } from '../../src/tools/brief.ts';

const resumption = (since: object) =>
  ({ project: { slug: 'web', tasks: { ready: 0 } }, since }) as unknown as Parameters<typeof brief>[0];

test('a brief says how much has happened since, and what where there are tasks to name', () => {
  expect(brief(resumption({ events: 1 }))).toMatch(/^1 events since$/m);
  expect(brief(resumption({ events: 2, tasks: { completed: [{ ref: 'web-1' }] } }))).toMatch(
    /^2 events since: completed web-1$/m,
  );
  expect(brief(resumption({ events: 0 }))).not.toContain('since');
});
