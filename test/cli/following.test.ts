import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCairn } from '../support/cairn.ts';
import { openPersonWorld, type PersonWorld } from '../support/person-world.ts';

let world: PersonWorld;

beforeAll(async () => {
  world = await openPersonWorld();
});
afterAll(() => world?.close());

/** Follows a list; what it had printed first, as JSON of several lines, comes before. */
async function following(...args: string[]) {
  const { process: child, exited } = startCairn([...world.flags, ...args, '--follow', '--json'], 'pipe');
  let printed = '';
  child.stdout?.on('data', (chunk) => {
    printed += chunk;
  });
  await expect.poll(() => printed, { timeout: 20_000 }).toContain('}\n');
  return {
    /** The lines that came since, but the one that is not whole yet. */
    came: () =>
      printed
        .slice(printed.indexOf('\n}\n') + 3)
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line)),
    async end() {
      child.kill();
      await exited;
    },
  };
}

const until = <Value>(value: () => Value) => expect.poll(value, { timeout: 20_000, interval: 100 });

describe('a list that is followed', { timeout: 60_000 }, () => {
  test('of reports prints each that comes, and again when it changes', async () => {
    const before = await world.agent.call('save_report', { title: 'Before', project: 'web' });
    const list = await following('reports');
    const { data } = await world.agent.call('save_report', { title: 'Leak', project: 'web' });
    await until(() => list.came().map(({ title, status }) => [title, status])).toEqual([['Leak', 'draft']]);

    await world.agent.call('save_report', { report: data['id'], summary: 'Found.', complete: true });

    await until(() => list.came().map(({ id, status }) => [id, status])).toEqual([
      [data['id'], 'draft'],
      [data['id'], 'complete'],
    ]);
    expect(before.isError).toBe(false);
    await list.end();
  });

  test('of memories prints each that is noted', async () => {
    const list = await following('memory');
    await world.agent.call('remember', { key: 'port', text: '8443', project: 'web' });

    await until(() => list.came().map(({ key, text }) => [key, text])).toEqual([['port', '8443']]);
    await list.end();
  });

  test('of approvals prints each question once', async () => {
    const list = await following('approvals');
    for (const title of ['First?', 'Second?']) await world.agent.call('ask_approval', { title, wait_seconds: 0 });

    await until(() => list.came().map(({ title }) => title)).toEqual(['First?', 'Second?']);
    await list.end();
  });
});
