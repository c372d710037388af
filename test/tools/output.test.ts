import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Agent, CLIENT_KINDS, connect, connectTo } from '../support/client.ts';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';
import { INITIALIZE, sendRaw } from '../support/raw-http.ts';
import { type Serving, startServing } from '../support/serve.ts';

type Listed = { name: string; outputSchema?: object; _meta?: object };

let world: LocalWorld;
let serving: Serving;

beforeAll(async () => {
  world = await openLocalWorld();
  serving = await startServing(['--data-dir', world.dataDir, '--output', 'text']);
  const agent = await connectTo('v1 client', 'planner', { url: serving.url });
  await agent.call('create_project', { slug: 'web', name: 'Web' });
  await agent.close();
});
afterAll(async () => {
  await serving?.stop();
  await world?.close();
});

const TEXT = /^web: no tasks; 0 ready\./;

async function answerOf(agent: Agent): Promise<{ text: string; data: object; declared: number }> {
  const { text, data } = await agent.call('list_tasks', { project: 'web' });
  const tools = (await agent.listTools()) as Listed[];
  await agent.close();
  return { text, data, declared: tools.filter(({ outputSchema }) => outputSchema !== undefined).length };
}

const parsed = (text: string) => JSON.parse(text);
const data = { project: 'web', tasks: [] };

describe.each(CLIENT_KINDS)('the %s', (kind) => {
  const flags = () => ['--data-dir', world.dataDir, '--toolsets', 'all'];

  test('reads text alone when nothing is said, and no tool declares a shape that would have to be sent', async () => {
    const overStdio = await answerOf(await connect(kind, 'ada', [...flags(), '--output', 'text']));
    const overHttp = await answerOf(await connectTo(kind, 'ada', { url: serving.url }));

    for (const { text, data, declared } of [overStdio, overHttp]) {
      expect(text).toMatch(TEXT);
      expect(data).toEqual({});
      expect(declared).toBe(0);
    }
  });

  test('is given data that asks for it, by a flag or in the address', async () => {
    const overStdio = await answerOf(await connect(kind, 'ada', [...flags(), '--output', 'json']));
    const overHttp = await answerOf(await connectTo(kind, 'ada', { url: new URL('/mcp?output=json', serving.url) }));

    for (const answer of [overStdio, overHttp]) {
      expect(answer.data).toMatchObject(data);
      expect(parsed(answer.text)).toEqual(answer.data);
      expect(answer.declared).toBeGreaterThanOrEqual(19);
    }
  });

  test('is given both that asks for both', async () => {
    const overStdio = await answerOf(await connect(kind, 'ada', [...flags(), '--output', 'both']));
    const overHttp = await answerOf(await connectTo(kind, 'ada', { url: new URL('/mcp?output=both', serving.url) }));

    for (const { text, data: given, declared } of [overStdio, overHttp]) {
      expect(text).toMatch(TEXT);
      expect(given).toMatchObject(data);
      expect(declared).toBeGreaterThanOrEqual(19);
    }
  });

  test('finds the three tools of the first minute marked for loading at once, and is told what to call first', async () => {
    const agent = await connect(kind, 'ada', flags());

    const tools = (await agent.listTools()) as Listed[];
    const [first] = (agent.instructions() ?? '').split('\n\n');

    await agent.close();
    const loaded = tools.filter(({ _meta }) => JSON.stringify(_meta) === '{"anthropic/alwaysLoad":true}');
    expect(loaded.map(({ name }) => name).sort()).toEqual(['claim_task', 'complete_task', 'resume_project']);
    expect(first).toMatch(/^Cairn is the memory that agents share .* Call resume_project first\.$/);
  });
});

test('a kind of answer that there is not is refused', async () => {
  const answer = await sendRaw(new URL('/mcp?output=xml', serving.url), INITIALIZE);

  expect(answer.status).toBe(400);
  expect(JSON.stringify(answer)).toContain('output is text, json or both.');
});
