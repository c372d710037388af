// npm run bench:runners: how long a command takes from its sender to the agent, over HTTP, with one runner and with
// many; writes docs/performance.md.
//
//   npm run bench:runners                     300 commands each; 1 and 32 runners
//   npm run bench:runners -- --commands 100   fewer; --no-write
import { cpus, loadavg, tmpdir } from 'node:os';
import { argv, stderr, stdout, versions } from 'node:process';
import { parseArgs } from 'node:util';
import type { Driver } from '../src/runner/driver.ts';
import { httpPort } from '../src/runner/port-http.ts';
import { Runner } from '../src/runner/runner.ts';
import { toolNamed } from '../src/tools/catalog.ts';
import { callTool } from '../src/tools/tool.ts';
import { type RunnerServer, startRunnerServer } from './runner-server.ts';
import { type Sample, summary } from './sample.ts';
import { table, writeSection } from './section.ts';

const RUNNERS = [1, 32];

const { values: flags } = parseArgs({
  options: { commands: { type: 'string', default: '300' }, 'no-write': { type: 'boolean', default: false } },
});
const load = (loadavg()[0] ?? 0).toFixed(1);
const server = await startRunnerServer();
try {
  const rows: string[][] = [];
  for (const count of RUNNERS) {
    const { delivered, ended } = await measure(server, { count, commands: Number(flags.commands) });
    rows.push([`${count}`, ...times(delivered), ...times(ended)]);
  }
  const report = [
    `Made by \`${['npm run bench:runners', ...(argv.length > 2 ? ['--', ...argv.slice(2)] : [])].join(' ')}\` on ${new Date().toISOString().slice(0, 10)}: ${cpus().length} cores, Node ${versions.node}, load ${load} before. Milliseconds from before a command is sent, of ${flags.commands} commands one after the other.`,
    '',
    ...table(['runners', 'delivered, p50', 'p99', 'interrupted, p50', 'p99'], rows),
  ].join('\n');
  stdout.write(`${report}\n`);
  if (!flags['no-write']) stderr.write(`wrote ${await writeSection('runners', report)}\n`);
} finally {
  await server.stop();
}

function times({ p50, p99 }: Sample): string[] {
  return [p50, p99].map((ms) => ms.toFixed(1));
}

/** Sends a command to one runner after the other, and interrupts each as soon as it is delivered. */
async function measure({ ctx, url, tokenOf }: RunnerServer, { count, commands }: { count: number; commands: number }) {
  const waiting = new Map<string, (what: 'delivered' | 'interrupted') => void>();
  const names = Array.from({ length: count }, (_, n) => `of-${count}-${n + 1}`);
  const runners = await Promise.all(
    names.map(async (name) => {
      const runner = new Runner({
        port: httpPort({ url, token: await tokenOf(name) }, name),
        driver: driverOf((what) => waiting.get(name)?.(what)),
        agent: { name, type: 'other', driver: 'pipe' },
        log: ctx.log,
        spoolDir: tmpdir(),
      });
      await runner.start();
      return runner;
    }),
  );
  const call = async (tool: string, input: object) =>
    (await callTool(ctx, toolNamed(tool), input)).structured as { runs: { id: string }[] };
  const [delivered, interrupted]: [number[], number[]] = [[], []];
  for (let n = 0; n < commands; n += 1) {
    const name = names[n % count] ?? '';
    const seen = (wanted: string) =>
      new Promise<number>((resolve) => {
        waiting.set(name, (what) => what === wanted && resolve(performance.now()));
      });
    const sentAt = performance.now();
    const [deliveredAt, { runs }] = await Promise.all([
      seen('delivered'),
      call('send_command', { to: [name], content: 'Count.' }),
    ]);
    delivered.push(deliveredAt - sentAt);
    const toldAt = performance.now();
    const [interruptedAt] = await Promise.all([
      seen('interrupted'),
      call('interrupt_run', { run: runs[0]?.id, reason: 'Enough.' }),
    ]);
    interrupted.push(interruptedAt - toldAt);
  }
  await Promise.all(runners.map((runner) => runner.stop()));
  return { delivered: summary(delivered), ended: summary(interrupted) };
}

/** An agent that does nothing, until it is interrupted. */
function driverOf(seen: (what: 'delivered' | 'interrupted') => void): Driver {
  return {
    path: 'the bench',
    modes: ['turn'],
    open: async () => {},
    deliver() {
      let end = () => {};
      const ended = new Promise<{ status: 'cancelled'; end_reason: 'interrupted' }>((resolve) => {
        end = () => resolve({ status: 'cancelled', end_reason: 'interrupted' });
      });
      seen('delivered');
      const interrupt = () => {
        seen('interrupted');
        end();
      };
      return { ended, interrupt, stop: end };
    },
    close: async () => {},
    pids: () => [],
  };
}
