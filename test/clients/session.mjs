// A session of a client whose model is played.
import { startModel } from './model.mjs';
import { start } from './run.mjs';

const ERR_CHARACTERS_MAX = 600;

/**
 * @typedef {object} Options
 * @property {string[]} [args] besides those of every session
 * @property {string[]} [prompts] what a person types, where `session` reads it as a stream of JSON
 * @property {Record<string, import('./model.mjs').Play>} [workers] its sub-agents, by what their prompts begin with
 */

/**
 * Starts a client in a place. `ended` resolves to all that reached its model, and fails when the play does or the client ends before it.
 * @param {import('./programs.mjs').Program} program @param {import('./place.mjs').Place} place
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
  const finish = async () => {
    try {
      let exit;
      const exited = client.ended.then((ended) => {
        exit = ended;
        throw new Error(
          `${program.title} ended with ${exit.code ?? exit.signal} before its play: ${`${exit.err}${exit.out}`.slice(-ERR_CHARACTERS_MAX)}`,
        );
      });
      await Promise.race([model.played, exited]);
      exited.catch(() => {});
      exit = await client.ended;
      return { agent: model.agent, exit };
    } finally {
      model.close();
    }
  };
  return { client: client.child, agent: model.agent, ended: finish() };
}
