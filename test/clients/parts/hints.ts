// An agent that knows no more than what it was shown last: it calls what the first paragraph, `Next:` or the hint of a
// refusal names.
import { heldIn } from '../../../bench/everyday.ts';
import type { Agent } from '../agent.ts';
import { lineOf } from '../answer-log.ts';
import type { Given } from '../given.ts';
import type { Play } from '../model.ts';
import { withEach } from '../place.ts';
import { PROGRAMS } from '../programs.ts';
import { startSession } from '../session.ts';

const CALLS_MAX = 12;
const TASKS = [{ title: 'Write the cart' }, { title: 'Write the page' }];

/** The last answer, the task that the model holds, and whether this is its first call of the tool. */
type Known = { said: string; held: object; isFirst: boolean };
/** A tool that it called, and its answer. */
type Called = { tool: string; text: string };

/** The arguments that it makes up for what it is told to call. */
const DEEDS: Record<string, (known: Known) => object> = {
  resume_project: () => ({}),
  create_tasks: () => ({ tasks: TASKS }),
  // A person asked for the first task; what is said since counts more.
  claim_task: ({ said, isFirst }) => (isFirst ? { task: 'shop-1' } : refIn(said)),
  add_artifact: ({ held }) => ({ ...held, type: 'test_report', ref: 'npm test: 3 passed' }),
  complete_task: ({ held }) => ({ ...held, summary: 'It is there, and tested.' }),
};

export async function hints(given: Given): Promise<void> {
  await withEach(given, async (name, place, expect) => {
    const program = PROGRAMS[name];
    await place.init(program.client, '--no-instructions');
    let story: Called[] = [];
    await place.beside(async (bob) => {
      const play: Play = async (agent) => {
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

/** `meanwhile` is what another does as soon as there are tasks. */
async function follow(agent: Agent, meanwhile: () => Promise<unknown>) {
  const story: Called[] = [];
  let [, said = ''] = /Call (\w+) first\./.exec(agent.first.all) ?? [];
  let held: object = {};
  for (let steps = toolsIn(said); steps.length > 0 && story.length < CALLS_MAX; ) {
    const [tool = '', ...rest] = steps;
    const isFirst = !story.some((call) => call.tool === tool);
    const { text } = await agent.call(tool, DEEDS[tool]?.({ said, held, isFirst }));
    story.push({ tool, text });
    if (tool === 'create_tasks') await meanwhile();
    if (text.includes('You hold')) held = heldIn(text);
    if (tool === 'complete_task') return story;
    said = adviceIn(text);
    steps = said === '' ? rest : toolsIn(said);
  }
  return story;
}

/** Returns the next step that an answer names: its last line, or the text after the first sentence of a refusal. */
function adviceIn(text: string) {
  // One client shows a refusal as the JSON that carried it.
  const plain = text.replaceAll('\\n', '\n');
  const lines = plain.split('\n');
  const refusal = lines.findIndex((line) => /\b(lock_held|not_found|invalid_input): /.test(line));
  if (refusal >= 0) return lines[refusal + 1] ?? '';
  return lineOf(plain, 'Next: ');
}

/** The tools of the first sentence that names any; what follows a comma or a semicolon is for other cases. */
function toolsIn(said: string) {
  const [sentence = ''] = said.split(/;|, or /);
  return [...sentence.matchAll(/\w+/g)].map(([word]) => word).filter((word) => word in DEEDS);
}

function refIn(said: string) {
  const task = /\b[a-z]+-\d+\b/.exec(said)?.[0];
  return task === undefined ? {} : { task };
}
