import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Agent, connect } from '../support/client.ts';
import { openPersonWorld, type PersonWorld } from '../support/person-world.ts';

// An agent that knows the texts of the tools and nothing else: it looks for the tool whose description has the words of
// what it wants, fills what the schema asks for, and goes on as the answers say.

type Field = { type?: string; enum?: string[]; items?: Field; properties?: Record<string, Field>; required?: string[] };
type Listed = { name: string; description?: string; inputSchema: Field };

let world: PersonWorld;

beforeAll(async () => {
  world = await openPersonWorld();
});

afterAll(() => world?.close());

const enter = (name: string) =>
  connect('v1 client', name, [...world.flags, '--agent', name, '--project', 'web', '--toolsets', 'default,agents']);

async function toolFor(agent: Agent, words: RegExp): Promise<Listed> {
  const found = ((await agent.listTools()) as Listed[]).filter(({ description = '' }) => words.test(description));
  expect(found).toHaveLength(1);
  return found[0] as Listed;
}

/** A value of the form that a field asks for; texts are the words. */
function filled({ type, enum: values, items = {}, properties = {}, required = [] }: Field, words: string): unknown {
  if (values !== undefined) return values[0];
  if (type === 'array') return [filled(items, words)];
  if (type !== 'object') return type === 'string' ? words : 1;
  return Object.fromEntries(required.map((name) => [name, filled(properties[name] ?? {}, words)]));
}

function given(tool: Listed, names: string[], words: string): Record<string, unknown> {
  const { properties = {} } = tool.inputSchema;
  return Object.fromEntries(names.map((name) => [name, filled(properties[name] ?? {}, words)]));
}

describe('an agent that knows nothing but the texts of the tools', () => {
  test('saves a report in parts, and another session reads it', async () => {
    const writer = await enter('stork');
    const save = await toolFor(writer, /what an investigation found/);
    const begun = await writer.call(save.name, given(save, ['title', 'findings'], 'The gate squeaks'));
    expect(begun.isError).toBe(false);
    const [, next = '', report = ''] = /Next: (\w+) with report (\S+) and what is new/.exec(begun.text) ?? [];
    const parts = given(save, ['summary', 'sections', 'recommendations'], 'Oil the hinge');
    const done = await writer.call(next, { report, ...parts, complete: true });
    expect(done.text).toMatch(/complete: 1 section, 1 finding, 1 recommendation, 0 attachments\.$/);
    await writer.close();

    const reader = await enter('heron');
    const read = await toolFor(reader, /^Read a report/);
    const { text } = await reader.call(read.name);
    expect(text).toContain('> # The gate squeaks');
    expect(text).toContain('> - **critical**: The gate squeaks');
    expect(text).toContain('> - **critical**: Oil the hinge');
    const { text: hits } = await reader.call('search', { query: 'hinge' });
    expect(hits).toContain(`report ${report} "The gate squeaks" by stork`);
    await reader.close();
  });

  test('remembers something, and another session is told when it resumes, and when it contradicts', async () => {
    const writer = await enter('stork');
    const note = await toolFor(writer, /later runs and other agents should know/);
    const { required = [] } = note.inputSchema;
    const noted = await writer.call(note.name, given(note, required, 'The gate opens at six'));
    expect(noted.isError).toBe(false);
    await writer.close();

    const other = await enter('heron');
    const resume = await toolFor(other, /Call this first/);
    const told = await other.call(resume.name);
    expect(told.text).toContain('- fact "The gate opens at six": "The gate opens at six", noted by stork, today');
    const input = { ...given(note, required, 'The gate opens at six'), text: 'It opens at seven' };
    expect((await other.call(note.name, input)).text).toContain(
      'It supersedes "The gate opens at six" by stork, today.',
    );
    await other.close();

    const third = await enter('crane');
    const read = await toolFor(third, /what was remembered/);
    const { text } = await third.call(read.name);
    expect(text).toContain('"It opens at seven", noted by heron, today, instead of "The gate opens at six" by stork');
    expect((await third.call('search', { query: 'six' })).text).toContain('(superseded)" by stork');
    await third.close();
  });
});
