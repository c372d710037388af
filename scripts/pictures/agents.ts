import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from '../../src/package-root.ts';
import { cut, drawTerminals, type Part } from './terminal.ts';

const CLI = fileURLToPath(new URL('dist/cli.js', PACKAGE_ROOT));
const AGENT = fileURLToPath(new URL('scripts/pictures/claude.mjs', PACKAGE_ROOT));
const WAIT_MS_MAX = 30_000;
// What the picture has for the ids, in their order.
const IDS = ['9d41c2e7', '3f2a91c0', '5b07d6e4', 'c8e1407a', '71f9ab32', 'e60d584b'];

/**
 * Plays what docs/agents.md tells, in a home where nothing is but perhaps a database: a runner at one terminal, a
 * person at another. The agent is a stand-in, all else is the program itself.
 */
export async function drawAgents(home: string): Promise<string> {
  const user = await openHome(home);
  const shown: string[] = [];
  /** Types a command, and waits for its end. */
  async function type(line: string): Promise<string> {
    const { text } = await user.start(line).ended();
    shown.push(`$ cairn ${line}`, ...linesOf(text));
    return text;
  }
  const runner = user.start('agent run -- claude');
  try {
    await runner.says('waits for commands');
    const sent = await type('send "Look why the build fails." --to claude-1');
    await runner.says('two tests');
    const run = /(\w{8})\s*$/.exec(sent)?.[1] ?? '';

    const following = user.start(`output ${run} --follow`);
    shown.push(`$ cairn output ${run} --follow &`, ...linesOf(await following.says('two tests')));
    await type('send "Leave the tests alone." --mode steer');
    shown.push(...linesOf(await following.says('look at the cart')));
    await type(`runs interrupt ${run} -m "Enough."`);
    await runner.says('cancelled\n');
    shown.push(...linesOf((await following.ended()).fresh));

    await type('stop');
    await runner.says('Stopped');
    await type('send "Fix it." --to claude-1');
    await type('go-on');
    await runner.says('completed\n');
  } finally {
    runner.end();
  }
  // The interrupt ends both runs at once, in either order.
  const text = (await runner.ended()).text.replace(
    /(run \w+: ✗ cancelled\n)(run \w+: ✗ cancelled: Enough\.\n)/,
    '$2$1',
  );
  const terminals = [['$ cairn agent run -- claude', ...linesOf(text)], shown];
  return drawTerminals('A runner, and the commands of a person to its agent', drawn(terminals));
}

async function openHome(home: string) {
  const [programs, folder] = [join(home, 'bin'), join(home, 'shop')];
  await Promise.all([mkdir(programs), mkdir(folder)]);
  // A database that root starts runs as another user, who must reach it.
  await chmod(home, 0o755);
  await writeFile(join(home, '.gitconfig'), '[user]\n\tname = ada\n');
  await writeFile(join(programs, 'claude'), `#!/bin/sh\nexec "${process.execPath}" "${AGENT}"\n`, { mode: 0o755 });
  const env = {
    PATH: `${programs}${delimiter}${process.env['PATH']}`,
    ...{ HOME: home, CAIRN_DATA_DIR: join(home, 'cairn'), NO_COLOR: '1' },
  };
  return {
    start: (line: string) => new Started(spawn(process.execPath, [CLI, ...wordsOf(line)], { cwd: folder, env })),
  };
}

class Started {
  readonly #child: ChildProcess;
  readonly #closed: Promise<number | null>;
  #printed = '';
  #seen = 0;

  constructor(child: ChildProcess) {
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => {
        this.#printed += chunk;
      });
    }
    this.#closed = new Promise((resolve) => child.once('close', resolve));
  }

  /** Waits until it has printed the words. Resolves to what was not looked at yet. */
  async says(words: string): Promise<string> {
    const since = performance.now();
    while (!this.#printed.slice(this.#seen).includes(words)) {
      if (performance.now() - since > WAIT_MS_MAX) throw new Error(`Waited in vain for ${words}:\n${this.#printed}`);
      await sleep(20);
    }
    return this.#fresh();
  }

  async ended(): Promise<{ text: string; fresh: string }> {
    const code = await this.#closed;
    if (code !== 0) throw new Error(`${this.#child.spawnargs.join(' ')} ended with ${code}:\n${this.#printed}`);
    return { text: this.#printed, fresh: this.#fresh() };
  }

  end(): void {
    this.#child.kill('SIGTERM');
  }

  #fresh(): string {
    const fresh = this.#printed.slice(this.#seen);
    this.#seen = this.#printed.length;
    return fresh;
  }
}

/** Colours the lines, and replaces their ids. */
function drawn(terminals: string[][]): Part[][][] {
  const ids = new Map<string, string>();
  const steady = (line: string) =>
    line.replace(/\b[0-9a-f]{8}\b/g, (id) => {
      if (!ids.has(id)) ids.set(id, IDS[ids.size] ?? id);
      return ids.get(id) ?? id;
    });
  return terminals.map((lines) => lines.map((line) => [[cut(steady(line)), colourOf(line)]]));
}

function colourOf(titled: string): Part[1] {
  const line = titled.replace(/^run \w+: /, '');
  if (line.startsWith('$ ')) return 'heading';
  if (line.startsWith('▶')) return 'agent';
  if (line.startsWith('✓')) return 'done';
  if (/^(✗|Stopped)/.test(line)) return 'refused';
  return /^[A-Z]+ {2}/.test(line) ? 'dim' : 'text';
}

function linesOf(text: string): string[] {
  return text.trim() === '' ? [] : text.trimEnd().split('\n');
}

/** The words of a command line, quoted ones whole. */
function wordsOf(line: string): string[] {
  return (line.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replace(/^"(.*)"$/, '$1'));
}
