// A client that asks before it runs a command: a person's answer decides.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { drive, hasEnded } from '../driving.ts';
import type { Given } from '../given.ts';
import { withEach } from '../place.ts';
import { PROGRAMS } from '../programs.ts';

const NO = 'Not on this branch.';

export async function asks(given: Given): Promise<void> {
  await withEach(given, async (name, place, expect) => {
    const program = PROGRAMS[name];
    const { tool, input } = program.shell;
    await place.cairn('init', '--client', program.client, '--no-instructions', '--yes');
    await drive(program, place, {
      args: program.driven.asks,
      first: 'Make the files.',
      async tell(agent, driven, { run }) {
        const [yes, no] = ['allowed', 'refused'].map((file) => join(place.cwd, file)) as [string, string];
        const allowed = agent.callOwn(tool, [input(`touch ${yes}`, true)]);
        const first = await driven.approval();
        expect('what it wants to run is a question', JSON.stringify(first).includes(yes), first);
        const waiting = await driven.until(run, ({ status }) => status !== 'running');
        expect('its run waits for an approval', waiting.status === 'waiting_approval', waiting);
        given.say(`${name}: ${(await place.typed('approvals', 'approve', first.id)).trim()}`);
        await allowed;
        expect('a yes lets it run', existsSync(yes), agent.last.results.at(-1));

        const refused = agent.callOwn(tool, [input(`touch ${no}`, true)]);
        const second = await driven.approval();
        given.say(`${name}: ${(await place.typed('approvals', 'deny', second.id, '-m', NO)).trim()}`);
        // The end of the turn may be all that a client makes of a no.
        await driven.send('Go on.');
        await refused;
        expect('a no does not', !existsSync(no), agent.last.results.at(-1));
        // Over the Agent Client Protocol the words follow the turn of a no.
        if (!agent.last.all.includes(NO)) await agent.say('It was refused.');
        expect('and its model reads why', agent.last.all.includes(NO), agent.last.all.slice(-2_000));
        // A client may make the end of the turn of a no: then it is in the next one already.
        if (!agent.last.all.includes('Go on.')) await agent.say('One is there.');
        const { status } = await driven.until(run, hasEnded);
        given.say(`${name}: ${status}`);
        expect('and the next command is taken', agent.last.all.includes('Go on.'), agent.last.all.slice(-2_000));
      },
    });
  });
}
