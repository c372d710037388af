// npm run bench:output: how many lines of output a database takes in a second, through the verb of the runner in chunks
// of 16 KB, straight and over HTTP, and gives back in order; writes docs/performance.md.
//
//   npm run bench:output                     300,000 lines a run; 1 and 4 runs at once
//   npm run bench:output -- --lines 100000   fewer; --no-write
import { cpus, loadavg } from 'node:os';
import { argv, stderr, stdout, versions } from 'node:process';
import { parseArgs } from 'node:util';
import type { Context } from '../src/context.ts';
import { newId } from '../src/events/ids.ts';
import { databasePort, type RunnerPort } from '../src/runner/port.ts';
import { httpPort } from '../src/runner/port-http.ts';
import { listOutput, type OutputChunk } from '../src/services/output.ts';
import { type RunnerServer, startRunnerServer } from './runner-server.ts';
import { table, writeSection } from './section.ts';

const CHUNK_BYTES = 16_384;
const CHUNKS_OF_CALL = 16;
const AT_ONCE = [1, 4];

const { values: flags } = parseArgs({
  options: { lines: { type: 'string', default: '300000' }, 'no-write': { type: 'boolean', default: false } },
});
const lines = Number(flags.lines);
const load = (loadavg()[0] ?? 0).toFixed(1);
const server = await startRunnerServer();
try {
  const report = await measure(server);
  stdout.write(`${report}\n`);
  if (!flags['no-write']) stderr.write(`wrote ${await writeSection('output', report)}\n`);
} finally {
  await server.stop();
}

async function measure({ ctx, url, tokenOf }: RunnerServer): Promise<string> {
  const ways: [string, (agent: string) => Promise<RunnerPort>][] = [
    ['the database', async (agent) => databasePort({ ...ctx, actor: { ...ctx.actor, agent } }, agent)],
    ['HTTP', async (agent) => httpPort({ url, token: await tokenOf(agent) }, agent)],
  ];
  const rows: string[][] = [];
  const calls = [...chunksOf(lines)];
  for (const [way, portOf] of ways) {
    // All processes compile what they run often.
    await print(calls, await begin(ctx, portOf));
    for (const count of AT_ONCE) {
      const runs = await Promise.all(Array.from({ length: count }, () => begin(ctx, portOf)));
      const written = await timedSeconds(() => Promise.all(runs.map((run) => print(calls, run))));
      const read = await timedSeconds(() => Promise.all(runs.map((run) => readBack(ctx, run))));
      const perSecond = (seconds: number) => Math.round((count * lines) / seconds).toLocaleString('en');
      rows.push([way, `${count}`, perSecond(written), perSecond(read)]);
    }
  }
  return [
    `Made by \`${['npm run bench:output', ...(argv.length > 2 ? ['--', ...argv.slice(2)] : [])].join(' ')}\` on ${new Date().toISOString().slice(0, 10)}: ${cpus().length} cores, Node ${versions.node}, load ${load} before.`,
    '',
    ...table(['through', 'runs at once', 'lines a second taken', 'lines a second read in order'], rows),
  ].join('\n');
}

type Begun = { run: string; lock_token: number; port: RunnerPort };

async function begin(ctx: Context, portOf: (agent: string) => Promise<RunnerPort>): Promise<Begun> {
  const name = `bench-${newId()}`;
  const port = await portOf(name);
  const { token } = await port.register({ agent: { name, type: 'other', driver: 'pipe', config: {} } });
  const events = [{ stream: `command:${newId()}`, type: 'command.sent', data: { to: [name], content: 'Print.' } }];
  await ctx.db.call('append_events', { events }, ctx.actor);
  const claimed = await port.claim(token, []);
  if ('nothing' in claimed) throw new Error(claimed.nothing);
  return { run: claimed.run.id, lock_token: claimed.lock_token, port };
}

/** Lines of 61 to 80 characters, as a build prints them. */
function line(n: number): string {
  return `${`${n}`.padStart(8, '0')} compiled src/module-${n % 997}/part-${(n * 7) % 101}.ts in ${n % 1_000} ms`
    .padEnd(60 + (n % 20), '.')
    .concat('\n');
}

function* chunksOf(count: number): Generator<OutputChunk[]> {
  let [content, sequence] = ['', 0];
  let call: OutputChunk[] = [];
  const piece = (): OutputChunk => ({ sequence: sequence++, stream: 'stdout', content, at: new Date().toISOString() });
  for (let n = 0; n < count; n += 1) {
    const next = line(n);
    if (content.length + next.length > CHUNK_BYTES) {
      call.push(piece());
      content = '';
      if (call.length === CHUNKS_OF_CALL) {
        yield call;
        call = [];
      }
    }
    content += next;
  }
  yield [...call, piece()];
}

async function print(calls: OutputChunk[][], { port, ...held }: Begun): Promise<void> {
  for (const chunks of calls) {
    const { dropped_bytes } = await port.output(held, { chunks });
    if (dropped_bytes !== undefined) throw new Error(`${dropped_bytes} bytes were dropped: print fewer lines.`);
  }
}

async function readBack(ctx: Context, { run }: Begun): Promise<void> {
  let seen = 0;
  for (let after: number | undefined, more = true; more; ) {
    const { chunks, next_sequence } = await listOutput(ctx, { run, page_size: 1_000, after_sequence: after });
    for (const { content } of chunks) {
      const found = content.split('\n');
      if (found[0] !== line(seen).trimEnd()) throw new Error(`Line ${seen} is ${found[0]}.`);
      seen += found.length - 1;
    }
    after = next_sequence;
    more = next_sequence !== undefined;
  }
  if (seen !== lines) throw new Error(`${seen} of ${lines} lines were read.`);
}

async function timedSeconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1_000;
}
