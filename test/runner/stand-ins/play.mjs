// What a stand-in does with a text, whatever it speaks. Words of the text: `work MS` takes so long, `silent MS` says
// nothing meanwhile, `use N` counts tokens, `ask` asks for leave, `question` asks what to do, `flood N` prints so many
// MB, with `lines` each line by itself, `limit` meets the provider's limit, `scout MS` leaves a sub-agent at work after
// the turn, `crash` ends the process, `fail` ends the turn with an error, `deaf` heeds no interrupt and no signal, like
// the process that it starts.
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

const LINE = `${'x'.repeat(1023)}\n`;
const BLOCK = LINE.repeat(64);
const DEAF = "trap '' TERM INT HUP; echo; while :; do sleep 1; done";

/** Plays the turns of an agent, which says how it speaks. */
export function plays(agent) {
  let turn;
  let deaf = false;
  process.on('SIGTERM', () => {
    if (!deaf) process.exit(143);
  });
  process.stderr.write(`begun with ${process.env.CAIRN_AGENT ?? 'nobody'} ${process.argv.slice(2).join(' ')}\n`);

  async function begin(content) {
    const has = (word) => new RegExp(`\\b${word}\\b`).test(content);
    const number = (word, otherwise) => Number(new RegExp(`${word} (\\d+)`).exec(content)?.[1] ?? otherwise);
    const mine = { joined: [], used: number('use', 10) };
    turn = mine;
    if (has('crash')) process.exit(3);
    if (!has('silent')) agent.say(`reads: ${content}`, mine.used);
    if (has('deaf')) {
      deaf = true;
      deafChild((pid) => agent.say(`deaf with ${pid}`, 0));
    }
    const [piece, count] = has('lines') ? [LINE, 1_024] : [BLOCK, 16];
    for (let pieces = count * number('flood', 0); pieces > 0 && turn === mine; pieces -= 1) {
      agent.print(piece);
      await drained();
    }
    if (has('ask')) agent.say(`was told: ${await agent.ask()}`, 0);
    if (has('question')) agent.say(`was told: ${await agent.question()}`, 0);
    await sleep(number('work', number('silent', 20)));
    if (turn !== mine) return;
    turn = undefined;
    if (has('scout')) agent.scout(number('scout', 0));
    if (has('limit')) agent.limit(/limit "(.+)"/.exec(content)?.[1]);
    else if (has('fail')) agent.fail('It failed.');
    else agent.done(['did', ...mine.joined].join(' + '), mine.used);
  }

  return {
    begin,
    isBusy: () => turn !== undefined,
    join(content) {
      turn.joined.push('steered');
      agent.say(`steered: ${content}`, 0);
    },
    interrupt() {
      if (deaf || turn === undefined) return;
      turn = undefined;
      agent.interrupted();
    },
  };
}

/** Starts a process that heeds no signal, and tells when it does not. */
export function deafChild(tell) {
  const child = spawn('sh', ['-c', DEAF], { stdio: ['ignore', 'pipe', 'ignore'] });
  child.stdout.once('data', () => tell(child.pid));
}

export function write(line) {
  process.stdout.write(`${line}\n`);
}

/** Waits while nobody reads. */
async function drained() {
  while (process.stdout.writableNeedDrain) await new Promise((resolve) => process.stdout.once('drain', resolve));
}
