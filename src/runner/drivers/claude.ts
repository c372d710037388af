import { createInterface } from 'node:readline';
import * as z from 'zod';
import { newId } from '../../events/ids.ts';
import type { Driver, Ended, Mode, Turn, Watcher } from '../driver.ts';
import { ProcessGroup, type Program } from '../process-group.ts';
import { Tail } from '../tail.ts';
import { startFailure } from './pipe.ts';

type Options = { program: Program; graceMs: number };

// What Claude Code needs to be driven (its stream-json format of `claude -p`), unless the caller has said it.
const FLAGS: readonly (readonly string[])[] = [
  ['-p'],
  ['--input-format', 'stream-json'],
  ['--output-format', 'stream-json'],
  ['--verbose'],
];

const Count = z.int().min(0).catch(0);
const Usage = z
  .object({
    input_tokens: Count,
    output_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
  })
  .partial();
const Block = z.union([
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({ type: z.literal('tool_use'), name: z.string(), input: z.unknown() }),
  z.object({ type: z.string() }),
]);
/** The lines that count; of others there are many, and more with each version. */
const Line = z.union([
  z.object({ type: z.literal('system'), session_id: z.string() }),
  z.object({ type: z.literal('assistant'), message: z.object({ content: z.array(Block), usage: Usage.optional() }) }),
  z.object({
    type: z.literal('result'),
    subtype: z.string(),
    is_error: z.boolean().optional(),
    result: z.string().optional(),
    usage: Usage.optional(),
  }),
]);

/** Drives Claude Code over its stream of JSON: one process for all turns, which texts join and requests interrupt. */
export function claudeDriver(options: Options): Driver {
  const session = new ClaudeSession(options);
  return {
    path: 'stream-json of Claude Code',
    modes: ['turn', 'steer', 'interrupt'],
    open: async () => {},
    deliver: (text, how) => session.deliver(text, how),
    close: () => session.close(),
    pids: () => session.pids(),
  };
}

type Pending = { watcher: Watcher; resolve(ended: Ended): void; interrupted: boolean; begun: boolean };

class ClaudeSession {
  readonly #options: Options;
  #group: ProcessGroup | undefined;
  /** Continues the conversation when the process is started again. */
  #session: string | undefined;
  #pending: Pending[] = [];
  #said = new Tail();
  #used = { in: 0, out: 0 };
  #complained = new Tail();

  constructor(options: Options) {
    this.#options = options;
  }

  deliver(text: string, { mode, watcher, env }: { mode: Mode; watcher: Watcher; env: Record<string, string> }): Turn {
    const group = this.#opened(env);
    if (this.#pending.length === 0) {
      this.#said = new Tail();
      this.#used = { in: 0, out: 0 };
    }
    const ended = new Promise<Ended>((resolve) => {
      this.#pending.push({ watcher, resolve, interrupted: false, begun: false });
    });
    const mine = this.#pending.at(-1);
    const message = { role: 'user', content: text };
    const priority = mode === 'turn' ? undefined : mode === 'steer' ? 'next' : 'now';
    this.#send(group, { type: 'user', message, parent_tool_use_id: null, ...(priority && { priority }) });
    return {
      ended,
      interrupt: () => {
        if (mine !== undefined) mine.interrupted = true;
        this.#send(group, { type: 'control_request', request_id: newId(), request: { subtype: 'interrupt' } });
      },
      stop: () => void group.stop({ graceMs: this.#options.graceMs }),
    };
  }

  async close(): Promise<void> {
    const group = this.#group;
    if (group === undefined) return;
    group.child.stdin.end();
    await group.stop({ graceMs: this.#options.graceMs });
  }

  pids(): number[] {
    return this.#group?.pid === undefined ? [] : [this.#group.pid];
  }

  #opened(env: Record<string, string>): ProcessGroup {
    if (this.#group !== undefined) return this.#group;
    const { program } = this.#options;
    const missing = FLAGS.filter(([flag = '']) => !program.args.includes(flag)).flat();
    const resumed = this.#session === undefined ? [] : ['--resume', this.#session];
    const args = [...program.args, ...missing, ...resumed];
    const group = new ProcessGroup({ ...program, args, env: { ...program.env, ...env } });
    this.#group = group;
    createInterface({ input: group.child.stdout, crlfDelay: Infinity }).on('line', (line) => this.#read(line));
    group.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#complained.add(text);
      for (const { watcher } of this.#pending) watcher.printed('stderr', text);
    });
    void group.exited.then(({ code, signal, error }) => {
      if (this.#group === group) this.#group = undefined;
      void group.stop({ graceMs: this.#options.graceMs });
      const why = code === null ? `It was ended by ${signal}.` : `It ended with ${code}.`;
      const about = error === undefined ? `${why} ${this.#complained.text}`.trim() : startFailure(error);
      this.#end(({ interrupted }) =>
        interrupted
          ? { status: 'cancelled', end_reason: 'interrupted' }
          : { status: 'failed', end_reason: error === undefined ? 'crashed' : 'error', error: about },
      );
    });
    return group;
  }

  #send(group: ProcessGroup, line: object): void {
    group.child.stdin.write(`${JSON.stringify(line)}\n`);
  }

  #read(text: string): void {
    const parsed = Line.safeParse(jsonOf(text));
    if (!parsed.success) return;
    const line = parsed.data;
    if (line.type === 'system') this.#session = line.session_id;
    else if (line.type === 'assistant') this.#show(line.message);
    else {
      const { subtype, is_error = false, result = this.#said.text, usage } = line;
      this.#use(usage, { replaces: true });
      const failed = is_error || subtype !== 'success';
      this.#end(({ interrupted }) => {
        if (interrupted) return { status: 'cancelled', end_reason: 'interrupted', result };
        return failed
          ? { status: 'failed', end_reason: 'error', error: `${subtype}: ${result}`.slice(0, 2_000) }
          : { status: 'completed', end_reason: 'completed', result };
      });
    }
  }

  #show({ content, usage }: { content: z.infer<typeof Block>[]; usage?: z.infer<typeof Usage> | undefined }): void {
    for (const pending of this.#pending) {
      if (!pending.begun) pending.watcher.acknowledged();
      pending.begun = true;
    }
    for (const block of content) {
      const text = shown(block);
      if (text === '') continue;
      if ('text' in block) this.#said.add(text);
      this.#pending[0]?.watcher.printed('stdout', text);
    }
    this.#use(usage, { replaces: false });
  }

  /** A message counts itself alone, the result the whole turn. */
  #use(usage: z.infer<typeof Usage> | undefined, { replaces }: { replaces: boolean }): void {
    if (usage === undefined) return;
    const { input_tokens = 0, output_tokens = 0, cache_read_input_tokens: read = 0 } = usage;
    const total = { in: input_tokens + read + (usage.cache_creation_input_tokens ?? 0), out: output_tokens };
    this.#used = replaces ? total : { in: this.#used.in + total.in, out: this.#used.out + total.out };
    this.#pending[0]?.watcher.used(this.#used);
  }

  #end(how: (pending: Pending) => Ended): void {
    for (const pending of this.#pending.splice(0)) pending.resolve(how(pending));
  }
}

function shown(block: z.infer<typeof Block>): string {
  if ('text' in block) return `${block.text}\n`;
  if ('name' in block) return `> ${block.name} ${JSON.stringify(block.input).slice(0, 500)}\n`;
  return '';
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
