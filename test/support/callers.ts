import type { Context } from '../../src/context.ts';
import { type Answer, callIn, type Given, reportDelivered } from '../../src/services/callers.ts';

type Driven = { driver?: 'hook' | 'pull'; config?: object; host_machine?: string; name?: string };

/** The hooks or the tools of an agent, which call in under its name. */
export function callerOf(ctx: Context, { driver = 'hook', config, name, ...more }: Driven = {}) {
  const modes = driver === 'hook' ? ['turn', 'steer'] : ['turn'];
  const agent = {
    name: name ?? ctx.actor.agent ?? '',
    type: 'claude',
    driver,
    host_machine: 'box',
    config: { modes, ...config },
    ...more,
  };
  const ask = (asked: object = {}): Promise<Answer> => callIn(ctx, { agent, asked });
  return {
    name: agent.name,
    begin: () => ask({ takes: 'nothing' }),
    border: () => ask({ takes: 'joining' }),
    next: (more: object = {}) => ask({ takes: 'next', ...more }),
    end: (result = 'Did it.') =>
      ask({ takes: 'next', idle: true, turn: { status: 'completed', end_reason: 'completed', result } }),
    told: (answer: Answer, path = 'hook Stop') => reportDelivered(ctx, givenOf(answer), path),
  };
}

/** The run that a caller was given. */
export function givenOf(answer: Answer): Given {
  if (!('command' in answer)) throw new Error(`Nothing was given: ${JSON.stringify(answer)}`);
  return answer;
}
