// npm run bench:memory: how many tokens a session reads of what is remembered, when it resumes and when it recalls, with
// more and more of it; writes docs/memory.md.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, stderr, stdout } from 'node:process';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { type Client, connect } from './peers/client.ts';
import { stopDatabase } from './processes.ts';
import { CLI } from './rpc.ts';
import { table, writeSection } from './section.ts';

const STEPS = [0, 1, 4, 16, 64, 256];

const dataDir = await mkdtemp(join(tmpdir(), 'cairn-memory-'));
try {
  const report = await measure();
  stdout.write(`${report}\n`);
  if (!argv.includes('--no-write')) stderr.write(`wrote ${await writeSection('memory', report, 'memory')}\n`);
} finally {
  stopDatabase(dataDir);
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
}

async function measure(): Promise<string> {
  const client = await connect({
    script: CLI,
    args: ['--data-dir', dataDir, '--agent', 'ada', '--toolsets', 'default,agents', '--log-level', 'error'],
    cwd: dataDir,
  });
  await client.call(['create_project', { slug: 'shop', name: 'Shop' }]);
  const rows: string[][] = [];
  let [known, bare] = [0, 0];
  for (const wanted of STEPS) {
    for (; known < wanted; known += 1) await client.call(['remember', noted(known)]);
    const resumed = await client.call(['resume_project', { project: 'shop' }]);
    if (wanted === 0) bare = countTokens(withoutPosition(resumed));
    const told = resumed.match(/^- (fact|procedure|preference|hypothesis) /gm)?.length ?? 0;
    rows.push([`${wanted}`, `${told}`, `${countTokens(withoutPosition(resumed)) - bare}`, ...(await recalled(client))]);
  }
  await client.stop();
  return [
    `Made by \`npm run bench:memory\` on ${new Date().toISOString().slice(0, 10)}: tokens are o200k, each memory has about 30 words.`,
    '',
    ...table(['remembered', 'told at resume', 'tokens of it', 'told by recall', 'tokens of it'], rows),
  ].join('\n');
}

async function recalled(client: Client): Promise<string[]> {
  const text = await client.call(['recall', { project: 'shop' }]);
  return [`${text.match(/^- /gm)?.length ?? 0}`, `${countTokens(text)}`];
}

/** What grows with the log is no matter of memory. */
function withoutPosition(text: string): string {
  return text.replace(/^position .*$/m, '').replace(/^\d+ events?.*$/m, '');
}

function noted(at: number): object {
  return {
    key: `deploy-step-${at}`,
    text: `Before step ${at} of a deployment, run the migrations against a copy of the database and compare the counts of the tables; the script prints what differs, and ends with 1 where it does.`,
    kind: at % 4 === 0 ? 'procedure' : 'fact',
    project: 'shop',
  };
}
