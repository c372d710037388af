// Sessions that reach one server over HTTP with one token: nobody sees their processes.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { heldIn } from '../../../bench/everyday.mjs';
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
  await place.cairn('init', '--client', 'claude-code', '--no-instructions', '--yes');
  const { token } = JSON.parse(await place.cairn('auth', 'pat', 'create', '--name', 'laptop', '--json'));
  const cairn = { type: 'http', url, headers: { Authorization: `Bearer ${token}` } };
  await writeFile(join(place.cwd, '.mcp.json'), JSON.stringify({ mcpServers: { cairn } }));
}

/** @param {{ place: import('../place.mjs').Place, expect: import('../expectations.mjs').Expect, told: Told }} story */
async function tell({ place, expect, told }) {
  const first = await startHolding(place, {
    act: async (agent) => {
      await agent.call('create_tasks', { tasks: [{ title: 'Write the cart' }, { title: 'Write the page' }] });
      told.note('the first', 'claim_task shop-1', await agent.call('claim_task', { task: 'shop-1' }));
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

  await first.kill();
  const third = async (agent) => {
    const refused = await agent.call('claim_task', { task: 'shop-1' });
    told.note('the next, the first killed', 'claim_task shop-1', refused);
    expect('a killed session keeps its task for a while', refused.text.includes('lock_held: '), refused.text);
    const taken = await agent.call('claim_task', { task: 'shop-1', take_over: true });
    told.note('the next, the first killed', 'claim_task shop-1, take_over', taken);
    expect('who takes it over has it', taken.text.includes('You hold shop-1'), taken.text);
  };
  await (await startSession(PROGRAMS.claude, place, { play: third })).ended;
}
