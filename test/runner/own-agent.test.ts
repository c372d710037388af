import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type OrderOf, orderText } from '../../src/services/order.ts';
import { fencedBlocks } from '../support/doc-commands.ts';

const page = await readFile(new URL('../../docs/agents.md', import.meta.url), 'utf8');
const blocks = fencedBlocks(page.slice(page.indexOf('### An agent of your own')));
const read = blocks.find(({ language }) => language === 'text')?.body ?? '';
const script = blocks.find(({ about }) => about === 'file=count.sh')?.body ?? '';

const command = { id: '01a21cf5-6a7c-7000-8000-0000a1b2c3d4', content: 'Count the words of this.', sent_by: 'anna' };
const given = (by_person: boolean, task?: string) =>
  ({ run: { task }, command: { ...command, by_person }, lock_token: 7 }) as OrderOf;

test('docs/agents.md shows what an agent of your own reads', () => {
  expect(orderText(given(true, 'web-12'))).toBe(read);
  expect(orderText(given(false))).toBe(`From agent anna (command ${command.id}):\n\n> Count the words of this.\n`);
});

test.skipIf(process.platform === 'win32')('its script does what a command asks', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cairn-own-agent-'));
  try {
    const file = join(folder, 'count.sh');
    await writeFile(file, script, { mode: 0o755 });

    const ended = await new Promise((resolve) => {
      const child = execFile(file, (error, stdout, stderr) => resolve({ error, stdout: stdout.trim(), stderr }));
      child.stdin?.end(orderText(given(true)));
    });

    expect(ended).toEqual({ error: null, stdout: '5', stderr: `Operator command ${command.id}, from anna:\n` });
  } finally {
    await rm(folder, { recursive: true });
  }
});
