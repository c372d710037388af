import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from '../../src/package-root.ts';
import { cut, drawTerminals, type Part } from './terminal.ts';

const CLI = fileURLToPath(new URL('dist/cli.js', PACKAGE_ROOT));

/** Plays `cairn demo`, and draws what it printed. */
export function drawDemo(): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, 'demo'], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
  if (status !== 0) throw new Error(`cairn demo exited with ${status}\n${stderr}`);
  const lines = steady(stdout).trimEnd().split('\n').map(cut);
  return drawTerminals('What cairn demo prints', [[[['$ cairn demo', 'dim']], ...lines.map(partsOf)]]);
}

function steady(printed: string): string {
  return printed
    .replace(/\d{4}-\d\d-\d\dT(\d\d):\d\d:\d\dZ/g, '2026-11-21T09:30:00Z')
    .replace(/ \([0-9a-f]{8}-[0-9a-f-]{27}\)/g, '');
}

function partsOf(line: string): Part[] {
  const [, agent, tool = '', args = ''] = /^(\w+ > )(\w+)( .*)$/.exec(line) ?? [];
  if (agent !== undefined)
    return [
      [agent, 'agent'],
      [tool, 'text'],
      [args, 'dim'],
    ];
  if (line.startsWith(' ')) return [[line, /^ +[a-z]+_[a-z]+: /.test(line) ? 'refused' : 'text']];
  return [[line, line.startsWith('Done:') ? 'done' : 'heading']];
}
