// A runner drives the client with a sub-agent: what it did arrives as a tree, and its tokens add up to what its models
// answered.
import { setTimeout as pause } from 'node:timers/promises';
import type { RunTrace } from '../../../src/services/run-trace.ts';
import { drive, hasEnded, waitFor } from '../driving.ts';
import type { Given } from '../given.ts';
import type { Play } from '../model.ts';
import { SPENT } from '../models/wire.ts';
import { withEach } from '../place.ts';
import { PROGRAMS } from '../programs.ts';

const WORD = 'SCOUT';
// It reports each second.
const LATE_MS = 3_000;

export async function traces(given: Given): Promise<void> {
  await withEach(given, async (name, place, expect) => {
    const program = PROGRAMS[name];
    const { shell, subagent } = program;
    const scout: Play = async (agent) => {
      await agent.callOwn(shell.tool, [shell.input('echo looked')]);
    };
    await drive(program, place, {
      args: program.driven.args,
      first: 'Write the cart.',
      ...(subagent !== undefined && { workers: { [WORD]: scout } }),
      async tell(agent, driven, { run }) {
        await agent.callOwn(shell.tool, [shell.input('echo worked')]);
        await agent.callOwn(shell.tool, [shell.input('ls /nope')]);
        if (subagent !== undefined) {
          if (name === 'codex') await agent.callOwn('tool_search', [{ query: 'spawn agent', limit: 20 }]);
          await agent.callOwn(subagent.tool, [subagent.input(`${WORD}: look at the cart.`)]);
        }
        // What its sub-agent said may begin a turn once more.
        const ended = driven.until(run, hasEnded).then(() => 'ended');
        while ((await Promise.race([agent.say('The cart is there.'), ended])) !== 'ended');
        const read = async () => JSON.parse(await place.cairn('trace', run, '--json')) as RunTrace;
        const found = await waitFor('its steps', async () => {
          const trace = await read();
          return requestsOf(trace) >= driven.answered() && trace;
        }).catch(read);
        await pause(LATE_MS);
        const trace = await read();
        const requests = driven.answered();
        const { usage, steps } = trace;
        given.say(`${name}: ${steps.length} steps, ${requests} requests`);
        expect('a step for each request that its models answered', requestsOf(trace) === requests, [requests, found]);
        const sum = (count: (used: RunTrace['usage'][number]) => number) =>
          usage.reduce((all, used) => all + count(used), 0);
        const counted = {
          in: sum(({ tokens_in }) => tokens_in),
          cached: sum(({ tokens_cached }) => tokens_cached),
          out: sum(({ tokens_out }) => tokens_out),
        };
        const { fresh, cached, out } = SPENT;
        const own = { in: requests * (fresh + cached), cached: requests * cached, out: requests * out };
        expect('tokens in, cached and out are what its models said', JSON.stringify(counted) === JSON.stringify(own), [
          counted,
          own,
        ]);
        const calls = steps.filter(({ kind }) => kind === 'tool_call');
        expect('each call of a tool is a step', calls.length >= 2, calls);
        // Gemini CLI calls a command that has failed a success.
        if (name !== 'gemini')
          expect(
            'one that failed is told as such',
            calls.some(({ status }) => status === 'failed'),
            calls,
          );
        if (subagent !== undefined) {
          const shown = await place.cairn('trace', run);
          expect(
            'its sub-agent has requests of its own in the tree',
            /│ .*\n.*│/.test(shown) || name === 'codex',
            shown,
          );
        }
        expect(
          'nothing that was said is kept',
          steps.every(({ content }) => content === undefined),
          steps,
        );
      },
    });
  });
}

function requestsOf({ usage }: RunTrace): number {
  return usage.reduce((all, { requests }) => all + requests, 0);
}
