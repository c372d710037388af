// An agent that knows no more than what it was shown last: it calls what the first paragraph, `Next:` or the hint of a refusal names.
import { heldIn } from '../../../build/bench/everyday.js';
import { withEach } from '../place.mjs';
import { PROGRAMS } from '../programs.mjs';
import { startSession } from '../session.mjs';
import { lineOf } from '../told.mjs';

const CALLS_MAX = 12;
const TASKS = [{ title: 'Write the cart' }, { title: 'Write the page' }];

/** The arguments that it makes up for what it is told to call. */
const DEEDS = {
  resume_project: () => ({}),
  create_tasks: () => ({ tasks: TASKS }),
  // A person asked for the first task; what is said since counts more.
  claim_task: ({ said, isFirst }) => (isFirst ? { task: 'shop-1' } : refIn(said)),
  add_artifact: ({ held }) => ({ ...held, type: 'test_report', ref: 'npm test: 3 passed' }),
  complete_task: ({ held }) => ({ ...held, summary: 'It is there, and tested.' }),
};

/** @param {import('../parts.mjs').Given} given */
export async function hints(given) {
  await withEach(given, async (name, place, expect) => {
    const program = PROGRAMS[name];
    await place.init(program.client, '--no-instructions');
    /** @type {{ tool: string, text: string }[]} */
    let story = [];
    await place.beside(async (bob) => {
      const play = async (agent) => {
        story = await follow(agent, () => bob.call(['claim_task', { task: 'shop-1' }]));
      };
      await (await startSession(program, place, { play })).ended;
    });
    const tools = story.map(({ tool }) => tool).join(' ');
    given.say(`${name}: ${tools}`);
    const refused = story.find(({ text }) => text.includes('lock_held: '));
    expect('it meets a task that another agent holds', refused !== undefined, story);
    expect('what it is told leads it through to a completed task', tools.endsWith('complete_task'), story);
    const completed = (await place.log()).filter(({ type }) => type === 'task.completed');
    expect('it completed the task that was free', completed.length === 1 && completed[0]?.task === 'shop-2', completed);
  });
}

/** @param {import('../agent.mjs').Agent} agent @param {() => Promise<unknown>} meanwhile what another does as soon as there are tasks */
async function follow(agent, meanwhile) {
  const story = [];
  let [, said = ''] = /Call (\w+) first\./.exec(agent.requests[0].all) ?? [];
  let held = {};
  for (let steps = toolsIn(said); steps.length > 0 && story.length < CALLS_MAX; ) {
    const [tool = '', ...rest] = steps;
    const isFirst = !story.some((call) => call.tool === tool);
    const { text } = await agent.call(tool, DEEDS[tool]({ said, held, isFirst }));
    story.push({ tool, text });
    if (tool === 'create_tasks') await meanwhile();
    if (text.includes('You hold')) held = heldIn(text);
    if (tool === 'complete_task') return story;
    said = adviceIn(text);
    steps = said === '' ? rest : toolsIn(said);
  }
  return story;
}

/** What an answer says to do next: its last line, or what a refusal has after its first sentence. @param {string} text */
function adviceIn(text) {
  // One client shows a refusal as the JSON that carried it.
  const plain = text.replaceAll('\\n', '\n');
  const lines = plain.split('\n');
  const refusal = lines.findIndex((line) => /\b(lock_held|not_found|invalid_input): /.test(line));
  if (refusal >= 0) return lines[refusal + 1] ?? '';
  return lineOf(plain, 'Next: ');
}

/** The tools of the first sentence that names any; what follows a comma or a semicolon is for other cases. @param {string} said */
function toolsIn(said) {
  const [sentence = ''] = said.split(/;|, or /);
  return [...sentence.matchAll(/\w+/g)].map(([word]) => word).filter((word) => word in DEEDS);
}

/** @param {string} said */
function refIn(said) {
  const task = /\b[a-z]+-\d+\b/.exec(said)?.[0];
  return task === undefined ? {} : { task };
}
