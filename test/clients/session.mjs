// A session of a client whose model is played.
import { startModel } from './model.mjs';
import { start } from './run.mjs';

const ERR_CHARACTERS_MAX = 600;

/**
 * @typedef {object} Session
 * @property {import('./model.mjs').Play} play what its model does
 * @property {string[]} [session] its arguments, where not those of any session
 * @property {string[]} [args] arguments besides
 * @property {string[]} [prompts] what a person types, where `session` reads it as a stream of JSON
 * @property {Record<string, import('./model.mjs').Play>} [workers] its sub-agents, by what their prompts begin with
 */

/**
 * Starts a client in a place. `ended` resolves to all that reached its model; it fails when the play does, or the client ends before it.
 * @param {import('./programs.mjs').Program} program @param {import('./place.mjs').Place} place @param {Session} options
 */
export async function startSession(
  program,
  place,
  { play, args = [], prompts, workers = {}, session = program.session },
) {
  const model = await startModel(program, play, workers);
  await program.prepare?.(model.url, place);
  const [command = '', ...first] = program.command;
  const client = start(command, [...first, ...session, ...args], {
    cwd: place.cwd,
    env: { ...place.env, ...program.env(model.url, place) },
    prompts,
  });
  const endedEarly = client.ended.then(({ code, signal, out, err }) => {
    const last = `${err}${out}`.slice(-ERR_CHARACTERS_MAX);
    throw new Error(`${program.title} ended with ${code ?? signal} before its play: ${last}`);
  });
  endedEarly.catch(() => {});
  const finish = async () => {
    try {
      await Promise.race([model.played, endedEarly]);
      await client.ended;
      return { agent: model.agent };
    } finally {
      client.kill();
      model.close();
    }
  };
  return { client: client.child, ended: finish() };
}
