// A session of a client whose model is played.
import type { ChildProcess } from 'node:child_process';
import type { Agent } from './agent.ts';
import { type Play, startModel } from './model.ts';
import type { Place } from './place.ts';
import type { Program } from './programs.ts';
import { start } from './run.ts';

const ERR_CHARACTERS_MAX = 600;

type Session = {
  /** The script of its model. */
  play: Play;
  /** Its arguments, where not those of any session. */
  session?: string[];
  /** Arguments besides. */
  args?: string[];
  /** The person's messages, if `session` reads them as a stream of JSON. */
  prompts?: string[];
  /** Its sub-agents, by what their prompts begin with. */
  workers?: Record<string, Play>;
};

export type Ended = { agent: Agent };

/**
 * Starts a client in a place. `ended` resolves to all that reached its model; it fails when the play does, or the
 * client ends before it.
 */
export async function startSession(
  program: Program,
  place: Place,
  { play, args = [], prompts, workers = {}, session = program.session }: Session,
): Promise<{ client: ChildProcess; ended: Promise<Ended> }> {
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
