import { describe, expect, test } from 'vitest';
import type { Driver } from '../../src/runner/driver.ts';
import { claudeDriver } from '../../src/runner/drivers/claude.ts';
import { limitedBy } from '../../src/runner/drivers/codex-messages.ts';
import { JsonRpcPeer } from '../../src/runner/json-rpc.ts';
import { GRACE_MS, program } from './drive.ts';

describe('what an agent writes', () => {
  const says = () => claudeDriver({ program: program('says'), graceMs: GRACE_MS });
  const line = (...given: object[]) => given.map((said) => JSON.stringify(said)).join('\n');
  const refused = (resetsAt: number) => [
    { type: 'rate_limit_event', rate_limit_info: { status: 'rejected', resetsAt } },
    { type: 'result', subtype: 'success', is_error: true, api_error_status: 429, result: 'Limit.' },
  ];
  const done = { type: 'result', subtype: 'success', result: 'did' };
  const give = (driver: Driver, text: string) => {
    const watcher = { delivered() {}, acknowledged() {}, printed() {}, used() {}, works() {}, signalled() {} };
    const asks = async () => ({ decision: 'approved' }) as const;
    return driver.deliver(text, { run: 'r', mode: 'turn', env: {}, watcher: { ...watcher, asks } }).ended;
  };

  test.for([1e15, -5, 0, Number.MAX_VALUE])('is no time where it is %d seconds', async (seconds) => {
    const driver = says();

    expect(await give(driver, line(...refused(seconds)))).toEqual({ status: 'limited', reason: 'Limit.' });
    const error = { message: 'Limit.', codexErrorInfo: 'usageLimitExceeded' };
    const limits = { primary: { usedPercent: 100, resetsAt: seconds }, secondary: null };
    expect(limitedBy({ id: '1', status: 'failed', error }, limits)).toEqual({ status: 'limited', reason: 'Limit.' });
    await driver.close();
  });

  const depth = 200_000;
  const deep = `${'['.repeat(depth)}${']'.repeat(depth)}`;
  test.for<[string, string]>([
    ['a tool', `{"type":"assistant","message":{"content":[{"type":"tool_use","name":"x","input":${deep}}]}}`],
    [
      'a question',
      `{"type":"control_request","request_id":"1","request":{"subtype":"can_use_tool","tool_name":"x","input":{"a":${deep}}}}`,
    ],
  ])('fails its turn alone where nobody can read it, as of %s', async ([, text]) => {
    const driver = says();

    expect(await give(driver, text)).toMatchObject({
      status: 'failed',
      end_reason: 'error',
      error: expect.stringContaining('What the agent said cannot be read: '),
    });
    expect(await give(driver, line(done))).toMatchObject({ status: 'completed', result: 'did' });
    await driver.close();
  });

  test('as an answer is the failure of the question that it answers', async () => {
    const peer = new JsonRpcPeer({ send() {}, asked: async () => undefined, told() {} });
    const asked = peer.ask('turn/start', {}, () => {
      throw new Error('It has no turn.');
    });

    peer.read('{"id":1,"result":{}}');

    await expect(asked).rejects.toThrow('It has no turn.');
  });
});
