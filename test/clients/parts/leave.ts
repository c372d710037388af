// Ends a session of each client while it holds a task and no other session runs, and shows what the next one is answered.

import { AnswerLog, lineOf } from '../answer-log.ts';
import type { Given } from '../given.ts';
import { type Holding, startHolding } from '../holding.ts';
import type { Play } from '../model.ts';
import { withEach } from '../place.ts';
import { PROGRAMS } from '../programs.ts';

const ENDS: Record<string, (session: Holding) => Promise<unknown>> = {
  'ends by itself': (session) => session.goOn(),
  'client killed': (session) => session.kill(),
  'server killed': async (session) => {
    session.signalServer('SIGKILL');
    await session.goOn();
  },
};

export async function leave(given: Given): Promise<void> {
  await withEach(given, async (name, place, expect) => {
    const program = PROGRAMS[name];
    await place.init(program.client, '--no-instructions');
    const tasks = Object.keys(ENDS).map((title) => ({ title }));
    await place.beside((bob) => bob.call(['create_tasks', { tasks }]));
    const answers = new AnswerLog();
    try {
      for (const [at, [how, end]] of Object.entries(ENDS).entries()) {
        const task = `shop-${at + 1}`;
        const act: Play = async (agent) => {
          await agent.call('claim_task', { task });
        };
        const session = await startHolding(program, place, { act });
        answers.restart();
        await end(session);
        const text = await place.beside((bob) => bob.call(['resume_project', {}]));
        const line = lineOf(text, `- ${task} `);
        answers.note(how, `resume_project, of ${task}`, { text: line });
        expect(`${how}: the next session is told`, line.includes('its session ended'), text);
      }
    } finally {
      given.say(`${program.title}\n\n${answers.report()}\n`);
    }
  });
}
