// Sessions that reach one server over HTTP with one token: nobody sees their processes.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { heldIn } from '../../../bench/everyday.ts';
import { AnswerLog } from '../answer-log.ts';
import type { Expect } from '../expectations.ts';
import type { Given } from '../given.ts';
import { startHolding } from '../holding.ts';
import type { Play } from '../model.ts';
import { type Place, withEach } from '../place.ts';
import { PROGRAMS } from '../programs.ts';
import { startServing } from '../serving.ts';
import { startSession } from '../session.ts';

export async function oneToken(given: Given): Promise<void> {
  await withEach(given, async (_name, place, expect) => {
    const answers = new AnswerLog();
    const server = await startServing(place);
    try {
      await writeConfig(place, server.url);
      await tell({ place, expect, answers });
    } finally {
      await server.stop();
      given.say(answers.report());
    }
  });
}

async function writeConfig(place: Place, url: string) {
  await place.init('claude-code', '--no-instructions');
  const { token } = JSON.parse(await place.cairn('auth', 'pat', 'create', '--name', 'laptop', '--json')) as {
    token: string;
  };
  const cairn = { type: 'http', url, headers: { Authorization: `Bearer ${token}` } };
  await writeFile(join(place.cwd, '.mcp.json'), JSON.stringify({ mcpServers: { cairn } }));
}

async function tell({ place, expect, answers }: { place: Place; expect: Expect; answers: AnswerLog }) {
  let held: object = {};
  const first = await startHolding(PROGRAMS.claude, place, {
    async act(agent) {
      await agent.call('create_tasks', { tasks: [{ title: 'Write the cart' }, { title: 'Write the page' }] });
      const claim = await agent.call('claim_task', { task: 'shop-1' });
      answers.note('the first', 'claim_task shop-1', claim);
      held = heldIn(claim.text);
    },
    async afterwards(agent) {
      const late = await agent.call('complete_task', { ...held, summary: 'The cart is there.' });
      answers.note('the first, after that', 'complete_task shop-1', late);
      expect('and who had it is told to stop', late.text.includes('lock_lost: '), late.text);
    },
  });
  const second: Play = async (agent) => {
    const resumed = await agent.call('resume_project');
    expect('a session beside it reads no token of its lock', !resumed.text.includes('lock_token'), resumed.text);
    const refused = await agent.call('claim_task', { task: 'shop-1' });
    answers.note('a second beside it', 'claim_task shop-1', refused);
    expect('and does not get its task', refused.text.includes('lock_held: '), refused.text);
    const claim = await agent.call('claim_task');
    answers.note('a second beside it', 'claim_task', claim);
    expect('but another', claim.text.includes('You hold shop-2'), claim.text);
    await agent.call('complete_task', { ...heldIn(claim.text), summary: 'The page is there.' });
  };
  await (await startSession(PROGRAMS.claude, place, { play: second })).ended;

  const third: Play = async (agent) => {
    const refused = await agent.call('claim_task', { task: 'shop-1' });
    answers.note('a third', 'claim_task shop-1', refused);
    const taken = await agent.call('claim_task', { task: 'shop-1', take_over: true });
    answers.note('a third', 'claim_task shop-1, take_over', taken);
    expect('who takes it over has it', taken.text.includes('You hold shop-1'), taken.text);
  };
  await (await startSession(PROGRAMS.claude, place, { play: third })).ended;
  await first.goOn();
}
