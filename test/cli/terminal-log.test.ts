import { expect, test } from 'vitest';
import { createLog, readable } from '../../src/log.ts';

const at = { level: 30, time: Date.parse('2026-01-02T03:04:05Z') };

test('a line of the log is one that a person at a terminal reads', () => {
  const line = readable(JSON.stringify({ ...at, method: 'POST', path: '/mcp', status: 200, msg: 'request' }));
  const failed = readable(
    JSON.stringify({ ...at, level: 40, err: { message: 'no\nway', stack: 'Error: no way' }, msg: 'connection' }),
  );

  expect(line).toMatch(/^\d\d:\d\d:\d\d request method=POST path=\/mcp status=200\n$/);
  const odd = readable(JSON.stringify({ ...at, path: '/\u001b[31m\u009bx', msg: 'a\u0007b' }));

  expect(odd.trimEnd()).not.toMatch(/\p{Cc}/u);
  expect(failed).toMatch(/^\d\d:\d\d:\d\d warn connection err="no\\nway"\n$/);
});

test('a line of the log holds no URL by which a stranger reads a file', () => {
  const lines: string[] = [];
  const log = createLog('info', { write: (line) => void lines.push(line) });

  for (const query of ['X-Amz-Date=1&X-Amz-Signature=s3cret', 'X-Amz-Security-Token=s3cret&x=1', 'token=s3cret']) {
    log.info({ url: `https://s3.test/logs/x.bin?${query}` }, 'signed');
  }

  expect(lines).toHaveLength(3);
  expect(lines.join()).not.toContain('s3cret');
});
