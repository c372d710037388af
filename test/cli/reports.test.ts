import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AgentWorld, end, openAgentWorld } from '../support/agent-world.ts';
import { connect } from '../support/client.ts';
import { claimed } from '../support/runners.ts';

let world: AgentWorld;
let report: string;

beforeAll(async () => {
  world = await openAgentWorld();
});

afterAll(() => world?.close());

describe('reports', () => {
  test('without one there is nothing to see', async () => {
    expect(await world.run(['reports'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^No reports\. .*with `save_report`/),
    });
    expect(await world.run(['report', 'show', '3f2a91c0'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('`cairn reports` shows the ids.'),
    });
  });

  test('of a command are listed with it, and printed as Markdown', async () => {
    const runner = await world.runner('claude-1');
    await world.run(['send', 'Look.', '--to', 'claude-1', '--type', 'investigate']);
    const { command } = await claimed(runner);
    const agent = await connect('v1 client', 'claude', [...world.flags, '--agent', 'claude-1', '--toolsets', 'agents']);
    const findings = [
      { description: 'Small <b>', severity: 'low' },
      { description: '# Big', severity: 'critical' },
    ];
    const { data } = await agent.call('save_report', { title: 'Leak', summary: '[x](https://a.test)', findings });
    report = String(data.id);
    await agent.close();

    expect((await world.run(['reports', '--status', 'draft', '--by', 'claude-1'])).stdout).toMatch(
      /^REPORT +STATUS +TITLE +FINDINGS +BY +CHANGED\n\w{8} +draft +Leak +1 critical, 1 low +claude-1/,
    );
    expect((await world.run(['reports', '--severity', 'high'])).stdout).toBe('No such reports.\n');
    const { reports } = await world.json('reports', '--command', end(command.id));
    expect(reports).toMatchObject([{ id: report, command: command.id }]);
    const { stdout } = await world.run(['report', 'show', end(report)]);
    expect(stdout).toContain('# Leak\n\n*draft, ');
    expect(stdout).toContain('\n\n\\[x\\](https://a.test)\n\n');
    expect(stdout).toContain('## Findings\n\n- **critical**: \\# Big\n- **low**: Small \\<b\\>\n');
    expect(await world.json('report', 'show', end(report))).toMatchObject({ id: report, status: 'draft' });
    expect((await world.run(['commands', 'show'])).stdout).toContain(`cairn report show ${end(report)}`);
  });
});
