import { chmod, mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readBrief, writeBrief } from '../../src/brief-files.ts';
import { readConfig } from '../../src/config.ts';
import type { Actor, Database } from '../../src/db/database.ts';
import { type Local, openLocal } from '../../src/local.ts';
import { createLog } from '../../src/log.ts';
import { writeOwnBrief } from '../../src/tools/write-briefs.ts';
import { ask } from '../support/ask.ts';
import { cairn } from '../support/cairn.ts';
import { type Agent, connect, connectTo } from '../support/client.ts';
import { createProject, createTask, note, redact } from '../support/commands.ts';
import { seedDataDir } from '../support/data-dir.ts';
import { startServing } from '../support/serve.ts';

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
  await seedDataDir(dataDir);
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

/** This process, which leaves nothing behind by itself. */
async function here(work: (local: Local) => Promise<unknown>): Promise<void> {
  const local = await openLocal(configOf(), log);
  await work(local).finally(local.close);
}

const log = createLog('silent');

const configOf = () => readConfig({ dataDir, lingerSeconds: '0' }, {}, home);

const fileOf = (project: string) => join(dataDir, `brief-${project}.txt`);

/** Returns the output of a hook at the start of a session, once it was fast enough. */
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

    await cairn([...flags, '--project', 'web', 'events', 'redact', String(seq), '--reason', 'A password leaked.']);

    expect(said).toContain('hunter2');
    expect(untouched).toBe(mtimeMs);
    expect(await readFile(fileOf('web'), 'utf8')).toContain('[redacted]');
    expect(await readFile(fileOf('web'), 'utf8')).not.toContain('hunter2');
  });

  test('of a command is of its own project alone', { timeout: 60_000 }, async () => {
    await as('dan', 'api', (agent) => agent.call('list_projects'));
    const before = await readFile(fileOf('api'), 'utf8');

    await cairn([...flags, '--project', 'web', 'add', 'Sell the cart']);

    expect(await readFile(fileOf('web'), 'utf8')).toContain('Sell the cart');
    expect(await readFile(fileOf('api'), 'utf8')).toBe(before);
  });

  test('is of the local workspace, whichever a command is about', { timeout: 60_000 }, async () => {
    let eve: Actor | undefined;
    await as('dan', 'api', (agent) => agent.call('list_projects'));
    await here(async ({ db }) => {
      const identity = { issuer: 'test', subject: 'eve', name: 'Eve' };
      eve = await ask<Actor>({ db, actor: { user_id: '00000000-0000-0000-0000-000000000000' } }, 'sign_in', {
        identity,
      });
      await createProject({ db, actor: eve }, { name: 'Of Eve' });
      await createTask({ db, actor: eve }, { title: 'Hidden by Eve' });
    });
    const other = ['--project', 'web', 'events'];
    const history = join(home, 'eve.jsonl');
    await cairn([...flags, 'events', 'export', '--out', history, '--workspace', String(eve?.tenant_id)]);

    const { code } = await cairn([...flags, ...other, 'import', history, '--workspace', String(eve?.tenant_id)]);

    expect(code).toBe(0);
    expect(await readFile(fileOf('web'), 'utf8')).toContain('Write the cart API');
    expect(await readFile(fileOf('web'), 'utf8')).not.toContain('Eve');
    expect(await readFile(fileOf('api'), 'utf8')).toContain('about project api');
  });

  test('goes with a redaction over HTTP, and is left by the server', { timeout: 60_000 }, async () => {
    await as('dan', 'web', (agent) => agent.call('record_event', { kind: 'question', text: 'Is swordfish it?' }));
    const said = await readFile(fileOf('web'), 'utf8');
    const serving = await startServing([...flags, '--project', 'web', '--toolsets', 'all']);
    const agent = await connectTo('v1 client', 'test', { url: serving.url });
    const { data } = await agent.call('list_events', { page_size: 1 });
    const [{ seq }] = data['events'] as [{ seq: number }];

    await agent.call('redact_event', { event: `#${seq}`, reason: 'A password leaked.' });

    const after = readBrief(dataDir, 'web');
    await agent.call('create_tasks', { tasks: [{ title: 'Served' }] });
    await agent.close();
    await serving.stop();
    expect(said).toContain('swordfish');
    expect(after).toBeUndefined();
    expect(await readFile(fileOf('web'), 'utf8')).toContain('Served');
    expect(await readFile(fileOf('web'), 'utf8')).not.toContain('swordfish');
  });

  test('is removed by the next to leave when nobody wrote it for 30 days', { timeout: 60_000 }, async () => {
    const days = (count: number) => new Date(Date.now() - count * 86_400_000);
    await writeBrief(dataDir, 'old', 'Old.\n');
    await utimes(fileOf('old'), days(31), days(31));
    await writeBrief(dataDir, 'young', 'Young.\n');
    await utimes(fileOf('young'), days(29), days(29));

    await cairn([...flags, '--project', 'web', 'add', 'Wash the cart']);

    expect(readBrief(dataDir, 'old')).toBeUndefined();
    expect(readBrief(dataDir, 'young')).toBe('Young.\n');
  });

  test('goes when its project is not there', { timeout: 60_000 }, async () => {
    await writeBrief(dataDir, 'gone', 'Left of another database.\n');

    await as('eve', 'web', (agent) => agent.call('list_projects'));

    expect(readBrief(dataDir, 'gone')).toBeUndefined();
  });
});

describe('of those who leave a brief at once', () => {
  /** Answers with what it read when the other is done, or after a while. */
  function slow(db: Database, other: () => Promise<unknown>): Database {
    return {
      ...db,
      async call(fn, args, actor) {
        const found = await db.call(fn, args, actor);
        await Promise.race([other(), sleep(200)]);
        return found;
      },
    };
  }

  test('who read last writes last', { timeout: 60_000 }, async () => {
    await here(async ({ db, blobs, actor }) => {
      let later = Promise.resolve();
      const leaving = { db, blobs, actor, log, project: 'web' };
      const other = async () => {
        await createTask({ db, actor }, { project: 'web', title: 'Came later', priority: 'critical' });
        later = writeOwnBrief(leaving, configOf());
        await later;
      };

      await writeOwnBrief({ ...leaving, db: slow(db, other) }, configOf());
      await later;
    });

    expect(await readFile(fileOf('web'), 'utf8')).toContain('Came later');
  });

  test('none writes what was redacted meanwhile', { timeout: 60_000 }, async () => {
    let after: string | undefined;
    await here(async ({ db, blobs, actor }) => {
      const { seq } = await note({ db, actor }, 'Is opensesame it?', { kind: 'question' });
      let redacting: Promise<unknown> = Promise.resolve();
      const other = () => {
        redacting = redact({ db, actor }, seq);
        return redacting;
      };

      await writeOwnBrief({ db: slow(db, other), blobs, actor, log, project: 'web' }, configOf());
      await redacting;
      after = readBrief(dataDir, 'web');
    });

    expect(after).toBeUndefined();
  });
});
