// Sessions that reach one server over HTTP with one token: nobody sees their processes.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { heldIn } from '../../../build/bench/everyday.js';
import { startHolding } from '../holding.mjs';
import { withEach } from '../place.mjs';
import { PROGRAMS } from '../programs.mjs';
import { startServing } from '../serving.mjs';
import { startSession } from '../session.mjs';
import { Told } from '../told.mjs';

/** @param {import('../parts.mjs').Given} given */
export async function oneToken(given) {
  await withEach(given, async (_name, place, expect) => {
    const told = new Told();
    const server = await startServing(place);
    try {
      await writeConfig(place, server.url);
      await tell({ place, expect, told });
    } finally {
      await server.stop();
      given.say(told.report());
    }
  });
}

/** @param {import('../place.mjs').Place} place @param {string} url */
async function writeConfig(place, url) {
  await place.init('claude-code', '--no-instructions');
  const { token } = JSON.parse(await place.cairn('auth', 'pat', 'create', '--name', 'laptop', '--json'));
  const cairn = { type: 'http', url, headers: { Authorization: `Bearer ${token}` } };
  await writeFile(join(place.cwd, '.mcp.json'), JSON.stringify({ mcpServers: { cairn } }));
}

/** @param {{ place: import('../place.mjs').Place, expect: import('../expectations.mjs').Expect, told: Told }} story */
async function tell({ place, expect, told }) {
  let held = {};
  const first = await startHolding(PROGRAMS.claude, place, {
    async act(agent) {
      await agent.call('create_tasks', { tasks: [{ title: 'Write the cart' }, { title: 'Write the page' }] });
      const claim = await agent.call('claim_task', { task: 'shop-1' });
      told.note('the first', 'claim_task shop-1', claim);
      held = heldIn(claim.text);
    },
    async afterwards(agent) {
      const late = await agent.call('complete_task', { ...held, summary: 'The cart is there.' });
      told.note('the first, after that', 'complete_task shop-1', late);
      expect('and who had it is told to stop', late.text.includes('lock_lost: '), late.text);
    },
  });
  const second = async (agent) => {
    const resumed = await agent.call('resume_project');
    expect('a session beside it reads no token of its lock', !resumed.text.includes('lock_token'), resumed.text);
    const refused = await agent.call('claim_task', { task: 'shop-1' });
    told.note('a second beside it', 'claim_task shop-1', refused);
    expect('and does not get its task', refused.text.includes('lock_held: '), refused.text);
    const claim = await agent.call('claim_task');
    told.note('a second beside it', 'claim_task', claim);
    expect('but another', claim.text.includes('You hold shop-2'), claim.text);
    await agent.call('complete_task', { ...heldIn(claim.text), summary: 'The page is there.' });
  };
  await (await startSession(PROGRAMS.claude, place, { play: second })).ended;

  const third = async (agent) => {
    const refused = await agent.call('claim_task', { task: 'shop-1' });
    told.note('a third', 'claim_task shop-1', refused);
    const taken = await agent.call('claim_task', { task: 'shop-1', take_over: true });
    told.note('a third', 'claim_task shop-1, take_over', taken);
    expect('who takes it over has it', taken.text.includes('You hold shop-1'), taken.text);
  };
  await (await startSession(PROGRAMS.claude, place, { play: third })).ended;
  await first.goOn();
}
