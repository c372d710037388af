// npm run bench:agents: plays the commonest tasks as an agent would and counts the calls and tokens; writes
// docs/performance.md.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, stderr, stdout } from 'node:process';
import { countingAgent, EVERYDAY } from './everyday.ts';
import { connect } from './peers/client.ts';
import { stopDatabase } from './processes.ts';
import { CLI } from './rpc.ts';
import { table, writeSection } from './section.ts';

const dataDir = await mkdtemp(join(tmpdir(), 'cairn-agents-'));
try {
  const report = await play();
  stdout.write(`${report}\n`);
  if (!argv.includes('--no-write')) stderr.write(`wrote ${await writeSection('agents', report)}\n`);
} finally {
  stopDatabase(dataDir);
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
}

async function play(): Promise<string> {
  const client = await connect({
    script: CLI,
    args: ['--data-dir', dataDir, '--agent', 'ada', '--log-level', 'error'],
    cwd: dataDir,
  });
  const agent = countingAgent((tool, args) => client.call([tool, args]));
  await agent.call('create_project', { slug: 'shop', name: 'Shop' });
  const rows: string[][] = [];
  for (const [what, task] of Object.entries(EVERYDAY)) {
    agent.forget();
    await task(agent);
    const { calls, sent, read } = agent.cost();
    rows.push([what, calls.map((tool) => `\`${tool}\``).join(', '), `${calls.length}`, `${sent}`, `${read}`]);
  }
  await client.stop();
  return [
    `Made by \`npm run bench:agents\` on ${new Date().toISOString().slice(0, 10)}.`,
    '',
    ...table(['what an agent wants', 'with', 'calls', 'tokens sent', 'tokens read'], rows),
  ].join('\n');
}
