import { describe, expect, test } from 'vitest';
import { RunnerScreen } from '../../src/cli/runner/runner-screen.ts';
import type { Notice } from '../../src/runner/notice.ts';

const ONE = '01a21cf5-0000-7000-8000-000011111111';
const TWO = '01a21cf5-0000-7000-8000-000022222222';

function screen() {
  const shown: string[] = [];
  const of = new RunnerScreen({ name: 'heron', what: 'database' }, (_, text) => shown.push(text));
  const started = (id: string) =>
    of.tell({
      what: 'started',
      started: { run: { id }, command: { id, sent_by: 'ada', content: 'Fish.' } },
    } as unknown as Notice);
  const ended = (run: string) =>
    of.tell({ what: 'ended', run, ended: { status: 'completed', end_reason: 'completed' } });
  return { of, started, ended, text: () => shown.join('') };
}

describe('the screen of a runner', () => {
  test('shows the text of its only run as it is', () => {
    const { of, started, ended, text } = screen();

    started(ONE);
    of.printed(ONE, 'stdout', 'one ');
    of.printed(ONE, 'stderr', 'two\n');
    ended(ONE);

    expect(text()).toBe('▶ command 11111111 from ada: Fish.\none two\n✓ completed\n');
  });

  test('ends the reason of a stop with one full stop', () => {
    const { of, text } = screen();

    of.tell({ what: 'stopped', why: 'all agents are stopped: Smoke.' });
    of.tell({ what: 'stopped', why: 'all agents are stopped' });

    expect(text()).toBe('Stopped: all agents are stopped: Smoke.\nStopped: all agents are stopped.\n');
  });

  test('says which of several runs printed, asked and ended, and joins no lines of theirs', () => {
    const { of, started, ended, text } = screen();

    started(ONE);
    of.printed(ONE, 'stdout', 'a');
    started(TWO);
    of.printed(ONE, 'stdout', 'b');
    of.printed(ONE, 'stdout', 'c');
    of.printed(TWO, 'stdout', 'x\n');
    ended(TWO);
    of.printed(ONE, 'stdout', 'd\n');
    ended(ONE);

    expect(text().split('\n')).toEqual([
      '▶ command 11111111 from ada: Fish.',
      'a',
      'run 22222222: ▶ command 22222222 from ada: Fish.',
      'run 11111111:',
      'bc',
      'run 22222222:',
      'x',
      'run 22222222: ✓ completed',
      'run 11111111:',
      'd',
      'run 11111111: ✓ completed',
      '',
    ]);
  });
});
