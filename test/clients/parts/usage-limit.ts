// The provider of a client refuses more work: its run pauses, and goes on by itself.
import { drive, hasEnded } from '../driving.ts';
import type { Given } from '../given.ts';
import { withEach } from '../place.ts';
import { PROGRAMS } from '../programs.ts';

const LIMIT_MS = 20_000;
const SLACK_MS = 2_000;

export async function usageLimit(given: Given): Promise<void> {
  await withEach(given, async (name, place, expect) => {
    const program = PROGRAMS[name];
    await place.cairn('init', '--client', program.client, '--no-instructions', '--yes');
    await drive(program, place, {
      args: program.driven.args,
      // Who pays by key has no limit of use.
      ...(name === 'claude' && { env: { ANTHROPIC_API_KEY: '', CLAUDE_CODE_OAUTH_TOKEN: 'sk-ant-oat01-none' } }),
      first: 'Write the cart.',
      async tell(agent, driven, { run }) {
        const until = new Date(Date.now() + LIMIT_MS);
        const again = agent.meetLimit(until);
        const paused = await driven.until(run, ({ status }) => status !== 'running');
        expect('a limit of its provider pauses the run', paused.status === 'paused', paused);
        given.say(`${name}: ${paused.status} until ${paused.paused_until}: ${paused.why}`);
        if (name === 'gemini') {
          // It hears of no time: a quarter of an hour is too long for a test.
          await place.cairn('runs', 'interrupt', run);
        } else {
          const wrong = Math.abs(Date.parse(paused.paused_until ?? '') - until.getTime());
          expect('until the time that it names', wrong < SLACK_MS, { until, paused });
          const queue = await driven.send('And the page.').then(() => place.cairn('queue'));
          expect('meanwhile nothing else starts', /met its provider's limit/.test(queue), queue);
          await again;
          expect(
            'then it goes on by itself',
            agent.last.all.includes('Go on where you stopped.'),
            agent.last.all.slice(-900),
          );
          await agent.say('The cart is there.');
        }
        const ended = await driven.until(run, hasEnded);
        const expected = name === 'gemini' ? 'cancelled' : 'completed';
        expect('and ends', ended.status === expected, ended);
      },
    });
  });
}
