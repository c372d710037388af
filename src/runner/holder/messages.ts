import * as z from 'zod';
import { COMMAND_MODES } from '../../events/commands.ts';
import { Link, Step } from '../../services/steps.ts';
import { DRIVER_NAMES } from '../driver-names.ts';
import { Ended, Limited } from '../ended.ts';

/** Of a holder and a runner of different builds, which may not understand each other. */
export const PROTOCOL = 3;

const Run = z.string();
const Stream = z.enum(['stdout', 'stderr']);

/** What a holder is started with. */
export const Start = z.object({
  /** Of its socket, or of its named pipe. */
  path: z.string(),
  secret: z.string(),
  /** What kind of agent it is. */
  type: z.string(),
  driver: z.enum(DRIVER_NAMES),
  command: z.string(),
  args: z.array(z.string()),
  env: z.record(z.string(), z.string().optional()),
  graceMs: z.number(),
  quietMs: z.number(),
  /** How long it waits for the next runner. */
  waitMs: z.number(),
});
export type Start = z.infer<typeof Start>;

const Question = z.object({
  id: z.string(),
  kind: z.enum(['permission', 'question']),
  title: z.string(),
  detail: z.record(z.string(), z.unknown()).exactOptional(),
  options: z.array(z.string()).exactOptional(),
});
const Answer = z.object({
  decision: z.enum(['approved', 'denied']),
  answer: z.string().exactOptional(),
  note: z.string().exactOptional(),
});
const Tokens = z.object({ in: z.number(), out: z.number() });
const Piece = z.object({ stream: Stream, text: z.string() });

const Printed = z.object({ characters: z.int(), bytes: z.int() });
const Mark = z.object({ sequence: z.int(), ...Printed.shape });

/** What a holder knows of a run. */
export const HeldRun = z.object({
  run: Run,
  /** Where its driver works. */
  cwd: z.string(),
  /** What its runner keeps with it. */
  kept: z.unknown(),
  delivered: z.boolean(),
  acknowledged: z.boolean(),
  used: Tokens.exactOptional(),
  works: z.array(z.string()),
  asks: z.array(Question),
  ended: z.union([Ended, Limited]).exactOptional(),
  /** How much it printed before what is still there. */
  after: Printed,
  printed: z.array(Piece),
  marks: z.array(Mark),
});
export type HeldRun = z.infer<typeof HeldRun>;

export const ToHolder = z.discriminatedUnion('say', [
  z.object({ say: z.literal('hello'), secret: z.string(), protocol: z.int() }),
  z.object({ say: z.literal('open'), cwd: z.string() }),
  z.object({ say: z.literal('keep'), run: Run, cwd: z.string(), kept: z.unknown() }),
  z.object({
    say: z.literal('deliver'),
    run: Run,
    cwd: z.string(),
    text: z.string(),
    mode: z.enum(COMMAND_MODES),
    env: z.record(z.string(), z.string()),
  }),
  z.object({ say: z.literal('resumed'), run: Run }),
  z.object({ say: z.literal('interrupt'), run: Run }),
  z.object({ say: z.literal('stop'), run: Run }),
  z.object({ say: z.literal('forget'), run: Run }),
  z.object({ say: z.literal('answer'), run: Run, ask: z.string(), answer: Answer }),
  z.object({ say: z.literal('sends'), run: Run, mark: Mark }),
  z.object({ say: z.literal('sent'), run: Run, characters: z.int() }),
  z.object({ say: z.literal('stored'), id: z.int() }),
  z.object({ say: z.literal('close'), cwd: z.string() }),
  z.object({ say: z.literal('quit') }),
]);
export type ToHolder = z.infer<typeof ToHolder>;

/** Those of this form. A holder of another build keeps what is not answered: what nobody can read must not stay in it. */
function allOf<Item extends z.ZodType>(item: Item) {
  return z
    .array(z.unknown())
    .transform((given): z.infer<Item>[] => given.flatMap((one) => item.safeParse(one).data ?? []));
}

export const FromHolder = z.discriminatedUnion('say', [
  z.object({ say: z.literal('holds'), runs: z.array(HeldRun) }),
  // To a second runner, instead.
  z.object({ say: z.literal('taken') }),
  z.object({ say: z.literal('opened'), cwd: z.string(), path: z.string(), modes: z.array(z.enum(COMMAND_MODES)) }),
  z.object({
    say: z.literal('failed'),
    cwd: z.string(),
    code: z.string(),
    message: z.string(),
    hint: z.string().exactOptional(),
  }),
  z.object({ say: z.literal('delivered'), run: Run }),
  z.object({ say: z.literal('acknowledged'), run: Run }),
  z.object({ say: z.literal('printed'), run: Run, ...Piece.shape }),
  z.object({ say: z.literal('used'), run: Run, tokens: Tokens }),
  z.object({ say: z.literal('works'), run: Run, subagents: z.array(z.string()) }),
  z.object({ say: z.literal('signalled'), run: Run, how: z.enum(['term', 'kill']) }),
  z.object({ say: z.literal('asks'), run: Run, question: Question }),
  z.object({ say: z.literal('withdrew'), run: Run, ask: z.string() }),
  z.object({ say: z.literal('ended'), run: Run, ended: z.union([Ended, Limited]) }),
  // Until they are stored.
  z.object({ say: z.literal('steps'), id: z.int(), run: Run, steps: allOf(Step), links: allOf(Link) }),
  z.object({ say: z.literal('pids'), cwd: z.string(), pids: z.array(z.int()) }),
  z.object({ say: z.literal('closed'), cwd: z.string() }),
]);
export type FromHolder = z.infer<typeof FromHolder>;
