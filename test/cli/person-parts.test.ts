import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPersonWorld, type PersonWorld } from '../support/person-world.ts';

let world: PersonWorld;

beforeAll(async () => {
  world = await openPersonWorld();
});
afterAll(() => world.close());

const run: PersonWorld['run'] = (args, given) => world.run(args, given);
const json: PersonWorld['json'] = (...args) => world.json(...args);
const added = async (...args: string[]): Promise<string> => (await json('add', ...args)).tasks[0].ref;
const shown = async (...args: string[]): Promise<string> => (await run(args)).stdout;

describe('a task with open parts', () => {
  test('is shown with them, and they with what they are a part of', async () => {
    const whole = await added('Checkout');
    const part = await added('Pay', '--parent', whole, '--discovered-from', whole);
    await added('Ship', '--parent', whole);
    await run(['claim', part]);

    expect(await shown('show', whole)).toMatch(
      new RegExp(`\\nParts\\n {2}${part} {2}in progress {2}Pay\\n {2}web-3 {2}ready {2}Ship\\n`),
    );
    expect(await shown('show', part)).toContain(`\nPart of ${whole}\nFound during ${whole}\n`);
    const list = await shown('tasks');
    expect(list).toMatch(/Checkout +2 open parts$/m);
    expect(list).toMatch(/Ship +part of web-1$/m);
    expect((await shown('tasks', '--ready')).split('\n').filter((line) => line.startsWith('web-'))).toHaveLength(1);
  });

  test('names them when it is claimed, closed or cancelled', async () => {
    expect(await shown('claim', '1')).toContain('Its parts are still open: web-2, web-3.\n');
    expect(await shown('close', '1')).toBe('Closed web-1 "Checkout".\nIts parts are still open: web-2, web-3.\n');
    await run(['reopen', '1', '--reason', 'A test.']);
    expect(await shown('cancel', '1', '--reason', 'A test.')).toBe(
      'Cancelled web-1 "Checkout".\nIts parts are still open: web-2, web-3.\n',
    );
  });
});

test('what a change brought about is told', async () => {
  const first = await added('First');
  const second = await added('Second', '--after', first);

  expect(await shown('cancel', first, '--reason', 'Not now.')).toContain(`\nIn consequence: ${second} blocked.\n`);
  expect(await shown('reopen', first, '--reason', 'Now.')).toContain(`\nIn consequence: ${second} unblocked.\n`);
  await run(['claim', first]);
  expect(await shown('release', first, '--failed', '--reason', 'x')).toContain('\nGiven up once.\n');
  expect(await shown('show', first)).toContain('Given up once\n');
  await run(['close', first, '--summary', 'Merged.']);
  expect(await shown('show', second)).toContain(`  ${first}  completed  First: Merged.\n`);
});

test('what is missing to close a task is told to whoever claims it', async () => {
  const ref = await added('Prove', '--criterion', 'A');
  expect(await shown('claim', ref)).toContain('To close it, these are still missing\n');
  await run(['close', ref, '--evidence', 'a']);
});

describe('a task whose dependency was cancelled', () => {
  test('is let go on without it, which the command line offers', async () => {
    const first = await added('Provider');
    const second = await added('Page', '--after', first);
    await run(['cancel', first, '--reason', 'Sold.']);

    const status = await shown('status');
    expect(status).toContain('cairn edit REF --not-after DEPENDENCY');
    expect(status).not.toContain('cairn unblock');
    expect(await shown('show', second)).toContain(`cairn edit ${second} --not-after ${first}`);

    const unblocked = await run(['unblock', second]);
    expect(unblocked.stdout).toContain(`It waits for ${first}, which is cancelled: \`cairn edit ${second} --not-after`);
    expect(await shown('show', second)).toContain(`cairn edit ${second} --not-after ${first}`);

    await run(['edit', second, '--not-after', first]);
    expect(await json('show', second)).toMatchObject({ ready: true });
  });

  test('is unblocked as others are where something else blocks it', async () => {
    const ref = await added('Contract');
    await run(['block', ref, '--reason', 'The contract.']);
    expect(await shown('status')).toContain('cairn unblock REF');
    await run(['unblock', ref]);
  });
});

test('a task is written in an editor where that is asked for, whatever else is', async () => {
  const editor = join(world.home, 'editor.mjs');
  await writeFile(
    editor,
    `import { readFileSync, writeFileSync } from 'node:fs';
     const file = process.argv.at(-1);
     writeFileSync(file, readFileSync(file, 'utf8').replace('# New', '# Newer'));`,
  );
  const env = { VISUAL: `"${process.execPath}" "${editor}"` };
  const ref = await added('Old');

  const { stdout } = await run(['edit', ref, '--edit', '--title', 'New', '--priority', 'high'], { env });

  expect(stdout).toBe(`Changed ${ref} "Newer".\n`);
  expect(await json('show', ref)).toMatchObject({ title: 'Newer', priority: 'high' });
  expect((await run(['edit', ref, '--edit'], { env: { VISUAL: 'true' } })).stdout).toBe('Nothing was changed.\n');
});
