import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readBrief, writeBrief } from '../src/brief-files.ts';
import { cairn } from './support/cairn.ts';
import { type Agent, connect } from './support/client.ts';

// A hook gives up after two seconds: on a loaded machine one may be too late.
const TRIES_MAX = 20;

let home: string;
let dataDir: string;
let flags: string[];

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'cairn-briefs-'));
  if (process.getuid?.() === 0) await chmod(home, 0o755);
  dataDir = join(home, 'data');
  flags = ['--data-dir', dataDir];
  await writeFile(join(home, '.cairn.json'), '{ "project": "web" }');
  await as('ada', 'web', async (agent) => {
    await agent.call('create_project', { slug: 'web', name: 'Web shop' });
    await agent.call('create_project', { slug: 'api', name: 'Interface' });
    await agent.call('create_tasks', { tasks: [{ title: 'Write the cart API' }, { title: 'Draw the cart' }] });
    await agent.call('claim_task', { task: 'web-1' });
  });
});

afterAll(async () => {
  await cairn([...flags, 'db', 'stop']);
  await rm(home, { recursive: true, force: true });
});

/** A process of an agent, from its start to its end. */
async function as(name: string, project: string, work: (agent: Agent) => Promise<unknown>): Promise<void> {
  const agent = await connect('v1 client', 'test', [...flags, '--agent', name, '--project', project]);
  await work(agent);
  await agent.close();
}

const fileOf = (project: string) => join(dataDir, `brief-${project}.txt`);

/** What a hook prints at the start of a session, once it was fast enough. */
async function sessionStart(wanted: RegExp): Promise<string> {
  const input = JSON.stringify({ session_id: 'f00dcafe', cwd: home });
  let printed = '';
  for (let tries = 0; tries < TRIES_MAX && !wanted.test(printed); tries++) {
    printed = (await cairn([...flags, 'hook', 'session-start'], { input })).stdout;
  }
  return printed;
}

const isRunning = async () => JSON.parse((await cairn([...flags, 'db', 'status', '--json'])).stdout).running as boolean;

describe('the brief that is left behind', () => {
  test('is what a hook prints without a database, as of when, and without a token', async () => {
    const printed = await sessionStart(/As of/);

    expect(printed).toMatch(/^As of \d{4}-\d\d-\d\dT[\d:]{8}Z, when Cairn was last left:\nCairn, the memory/);
    expect(printed).toContain('web-1 [medium] "Write the cart API"');
    expect(printed).toContain('web-2 [medium] "Draw the cart" ready');
    expect(printed).not.toMatch(/token|You hold/);
    expect(printed).toBe(await readFile(fileOf('web'), 'utf8'));
    expect(Buffer.byteLength(printed)).toBeLessThanOrEqual(2_000);
    expect(await isRunning()).toBe(false);
  });

  test.skipIf(process.platform === 'win32')('is for its owner alone', async () => {
    expect((await stat(fileOf('web'))).mode & 0o777).toBe(0o600);
  });

  test('is of each bound project, whoever leaves last', { timeout: 60_000 }, async () => {
    await as('bob', 'api', (agent) =>
      agent.call('create_tasks', { project: 'web', tasks: [{ title: 'Ship the cart' }] }),
    );

    expect(await readFile(fileOf('web'), 'utf8')).toContain('Ship the cart');
    expect(await readFile(fileOf('api'), 'utf8')).toContain('about project api');
  });

  test('is asked for while the database runs', { timeout: 60_000 }, async () => {
    const agent = await connect('v1 client', 'test', [...flags, '--agent', 'cy', '--project', 'web']);
    await agent.call('create_tasks', { tasks: [{ title: 'Paint the cart' }] });

    const printed = await sessionStart(/^Cairn, the memory/);

    expect(printed).toContain('Paint the cart');
    await agent.close();
  });

  test('follows what a command changes, a redaction among it, and not what it reads', { timeout: 60_000 }, async () => {
    await as('dan', 'web', (agent) =>
      agent.call('record_event', { kind: 'question', text: 'Is hunter2 the password?' }),
    );
    const said = await readFile(fileOf('web'), 'utf8');
    const { mtimeMs } = await stat(fileOf('web'));
    await cairn([...flags, '--project', 'web', 'status']);
    const untouched = (await stat(fileOf('web'))).mtimeMs;
    const { stdout } = await cairn([...flags, '--project', 'web', 'log', '--json']);
    const [{ seq }] = JSON.parse(stdout).events.filter((event: { text?: string }) => event.text?.includes('hunter2'));

    await cairn([...flags, 'events', 'redact', String(seq), '--reason', 'A password leaked.']);

    expect(said).toContain('hunter2');
    expect(untouched).toBe(mtimeMs);
    expect(await readFile(fileOf('web'), 'utf8')).not.toContain('hunter2');
  });

  test('goes when its project is not there', { timeout: 60_000 }, async () => {
    await writeBrief(dataDir, 'gone', 'Left of another database.\n');

    await as('eve', 'web', (agent) => agent.call('list_projects'));

    expect(await readBrief(dataDir, 'gone')).toBeUndefined();
  });
});

describe('the file of a brief', () => {
  test.each(['../web', 'web/..', 'Web', 'web\n', '', 'x'.repeat(32)])('is of no project called %j', async (project) => {
    await expect(writeBrief(home, project, 'x')).rejects.toThrow();
    expect(await readBrief(home, project)).toBeUndefined();
  });

  test('holds at most 2,000 bytes', async () => {
    await expect(writeBrief(home, 'web', 'x'.repeat(2_001))).rejects.toThrow(RangeError);
    await writeFile(join(home, 'brief-large.txt'), 'x'.repeat(2_001));

    expect(await readBrief(home, 'large')).toBeUndefined();
  });

  test.skipIf(process.platform === 'win32')('is no link to another', async () => {
    const target = join(home, 'secret');
    await writeFile(target, 'secret');
    await symlink(target, join(home, 'brief-linked.txt'));

    expect(await readBrief(home, 'linked')).toBeUndefined();
    await writeBrief(home, 'linked', 'brief');

    expect(await readFile(target, 'utf8')).toBe('secret');
    expect(await readBrief(home, 'linked')).toBe('brief');
  });
});
