import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cairnHere } from '../support/cairn-here.ts';
import { connect } from '../support/client.ts';
import { seedDataDir } from '../support/data-dir.ts';
import { wordsOf } from '../support/doc-commands.ts';

type Schema = {
  type?: string;
  enum?: string[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
};
type Offered = { name: string; description?: string; inputSchema: Schema };

/** The abilities of an agent: it calls tools, and asks the person it works for to run a command. */
export type Doing = {
  /** Every call so far, with what was read. */
  calls: { tool: string; args: Record<string, unknown>; text: string; refused: boolean }[];
  call(tool: string, args?: Record<string, unknown>): Promise<string>;
  ask(command: string): Promise<void>;
};

/** One agent: all that it knows are the instructions, the tools as they are listed, and what was answered. */
export type Agent = Doing & {
  name: string;
  instructions: string;
  tools: Offered[];
  leave(): Promise<void>;
};

type Client = { call(tool: string, args: Record<string, unknown>): Promise<{ text: string; isError: boolean }> };

export function doing(client: Client, ask: Doing['ask']): Doing {
  const calls: Doing['calls'] = [];
  return {
    calls,
    ask,
    async call(tool, args = {}) {
      const { text, isError } = await client.call(tool, args);
      calls.push({ tool, args, text, refused: isError });
      return text;
    },
  };
}

/** Agents on one data directory, which is gone afterwards. */
export async function openTeam(): Promise<{ join(name: string): Promise<Agent>; end(): Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'cairn-agents-'));
  await seedDataDir(dataDir);
  const flags = ['--data-dir', dataDir];
  const members: Agent[] = [];
  return {
    async join(name) {
      const member = await enter(name, flags);
      members.push(member);
      return member;
    },
    async end() {
      await Promise.all(members.map((member) => member.leave()));
      await cairnHere([...flags, 'db', 'stop']);
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function enter(name: string, flags: string[]): Promise<Agent> {
  const client = await connect('v1 client', name, [...flags, '--agent', name]);
  return {
    ...doing(client, async (command) => {
      const { code, stderr } = await cairnHere([...flags, ...wordsOf(command).slice(1)]);
      if (code !== 0) throw new Error(`${command}: ${stderr}`);
    }),
    name,
    instructions: client.instructions() ?? '',
    tools: (await client.listTools()) as Offered[],
    leave: () => client.close(),
  };
}

/** The tools that a text names, in its order. */
export function toolsIn(text: string, { tools }: Agent): string[] {
  const known = new Set(tools.map(({ name }) => name));
  return [...text.matchAll(/\b[a-z]+(?:_[a-z]+)+\b/g)].map(([word]) => word).filter((word) => known.has(word));
}

/** Returns the next step that an answer names. */
export function nextIn(text: string): string | undefined {
  return /^Next: (.+)$/m.exec(text)?.[1];
}

/** The first ref, which is no part of an id. */
export function refIn(text: string): string | undefined {
  return /(?<![\w-])[a-z][a-z0-9-]*-\d+(?![\w-])/.exec(text)?.[0];
}

/** The task that an answer says one holds, and the token for it. */
export function heldIn(text: string): { task: string; lock_token: number } | undefined {
  const [, task, token] = /You hold (\S+) until \S+\. lock_token: (\d+)/.exec(text) ?? [];
  return task === undefined ? undefined : { task, lock_token: Number(token) };
}

/** The acceptance criteria of an answer, by their numbers. */
export function criteriaIn(text: string): number[] {
  const list = text.split('acceptance criteria:\n')[1] ?? '';
  return [...list.matchAll(/^(\d+)\. "/gm)].map(([, number]) => Number(number));
}

/** An error as it is read: what is wrong, what to do, and what helps. */
export function refusalIn(text: string): { code: string; message: string; hint: string; details: Details } {
  const [first = '', ...rest] = text.split('\n');
  const [, code = '', message = ''] = /^([a-z_]+): (.*)$/.exec(first) ?? [];
  const details = rest.find((line) => line.startsWith('details: '))?.slice('details: '.length);
  const hint = rest.filter((line) => !line.startsWith('details: ')).join(' ');
  return { code, message, hint, details: JSON.parse(details ?? '{}') };
}
type Details = Record<string, unknown>;
