import { expect, test } from 'vitest';
import { showProgress } from '../../src/cli/terminal/progress.ts';

function terminal({ isTTY = true } = {}) {
  const written: string[] = [];
  return { written, isTTY, write: (text: string) => written.push(text) > 0 };
}

test('a bar shows how far it is, and leaves its line empty', () => {
  const output = terminal();
  const progress = showProgress('Exporting', 200, output);
  progress.at(100);
  progress.at(400);
  progress.end();

  expect(output.written).toEqual([
    `\r\u001B[KExporting [${'-'.repeat(30)}] 0%`,
    `\r\u001B[KExporting [${'='.repeat(15)}${'-'.repeat(15)}] 50% 0 s left`,
    `\r\u001B[KExporting [${'='.repeat(30)}] 100% 0 s left`,
    '\r\u001B[K',
  ]);
});

test('a bar is not drawn again where nothing moved', () => {
  const output = terminal();
  const progress = showProgress('Importing', 1_000_000, output);
  for (let done = 0; done < 1_000; done++) progress.at(0);

  expect(output.written).toHaveLength(1);
});

test.each([
  ['nobody watches', { isTTY: false }, 100],
  ['the total is unknown', { isTTY: true }, 0],
])('no bar is shown where %s', (_case, watching, total) => {
  const output = terminal(watching);
  const progress = showProgress('Exporting', total, output);
  progress.at(1);
  progress.end();

  expect(output.written).toEqual([]);
});
