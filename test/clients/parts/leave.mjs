// How a session of each client ends while it holds a task, with nobody beside it, and what the next one is told of it.
import { connect } from '../../../bench/peers/client.mjs';
import { startHolding } from '../holding.mjs';
import { CLI, withEach } from '../place.mjs';
import { PROGRAMS } from '../programs.mjs';
import { Told } from '../told.mjs';

/** @type {Record<string, (session: import('../holding.mjs').Holding) => Promise<unknown>>} */
const ENDS = {
  'ends by itself': (session) => session.goOn(),
  'client killed': (session) => session.kill(),
  'server killed': async (session) => {
    session.signalServer('SIGKILL');
    await session.goOn();
  },
};

/** @param {import('../parts.mjs').Given} given */
export async function leave(given) {
  await withEach(given, async (name, place, expect) => {
    const program = PROGRAMS[name];
    await place.cairn('init', '--client', program.client, '--no-instructions', '--yes');
    const tasks = Object.keys(ENDS).map((title) => ({ title }));
    await nextSession(place, (bob) => bob.call(['create_tasks', { tasks }]));
    const told = new Told();
    try {
      for (const [at, [how, end]] of Object.entries(ENDS).entries()) {
        const task = `shop-${at + 1}`;
        const act = async (agent) => {
          await agent.call('claim_task', { task });
        };
        const session = await startHolding(program, place, { act });
        told.restart();
        await end(session);
        const text = await nextSession(place, (bob) => bob.call(['resume_project', {}]));
        const line = text.split('\n').find((one) => one.startsWith(`- ${task} `)) ?? '';
        told.note(how, `resume_project, of ${task}`, { text: line });
        expect(`${how}: the next session is told`, line.includes('its session ended'), text);
      }
    } finally {
      given.say(`${program.title}\n\n${told.report()}\n`);
    }
  });
}

/** @param {import('../place.mjs').Place} place @param {(bob: import('../../../bench/peers/client.mjs').Client) => Promise<string>} act */
async function nextSession({ cwd, env }, act) {
  const bob = await connect({ script: CLI, args: ['--data-dir', env.CAIRN_DATA_DIR, '--agent', 'bob'], cwd });
  try {
    return await act(bob);
  } finally {
    await bob.stop();
  }
}
