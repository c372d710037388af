import type { COMMAND_MODES } from '../events/commands.ts';
import type { Ended, Limited } from './ended.ts';
import type { Keeper } from './keeper.ts';
import type { Signalled } from './process-group.ts';

export type Mode = (typeof COMMAND_MODES)[number];

/** What an agent asks a person before it goes on. */
export type Question = {
  /** Where it may be asked again: whoever answered it once has answered it. */
  id?: string;
  kind: 'permission' | 'question';
  /** What it wants to do or to know, in one line of at most 500 characters. */
  title: string;
  /** What it showed of it: tool, arguments, command, files. */
  detail?: Record<string, unknown>;
  /** Answers to choose from, where the agent names them. */
  options?: string[];
};

export type Answer = {
  decision: 'approved' | 'denied';
  /** A chosen option, or words. */
  answer?: string;
  /** What the agent is told with it. */
  note?: string;
};

/** What a driver sees of a turn while it goes on. */
export type Watcher = {
  /** The text has been written to the agent, which may have it from now on. */
  delivered(): void;
  /** The agent has begun with the text, which it so has. */
  acknowledged(): void;
  printed(stream: 'stdout' | 'stderr', text: string): void;
  /** Tokens so far, of this turn. */
  used(tokens: { in: number; out: number }): void;
  /** What the agent has at work beside itself now, by name: sub-agents, and what it left running. */
  works(subagents: readonly string[]): void;
  /** The process that carries it was told to end, or killed. */
  signalled(how: Signalled): void;
  /** Settles with the answer; the signal aborts when the agent withdraws the question, or its turn ends. */
  asks(question: Question, signal: AbortSignal): Promise<Answer>;
};

/** A text on its way through an agent. */
export type Turn = {
  /** Settles when the agent is done with it; a turn that joined another ends with that one. */
  ended: Promise<Ended | Limited>;
  /** Asks the agent to end the turn; its process stays where the driver can do that. */
  interrupt(): void;
  /** Ends the process that carries it: told to, then killed. */
  stop(): void;
};

/** Gives texts to one agent, by that agent's own way. It owns the process. */
export type Driver = {
  /** The way of delivery in words, for people. */
  path: string;
  modes: readonly Mode[];
  /** Starts the process, where one is kept for all turns. */
  open(): Promise<void>;
  deliver(text: string, how: { run: string; mode: Mode; watcher: Watcher; env: Record<string, string> }): Turn;
  /** Goes on with the turn of an earlier runner, after so many characters that it printed; undefined without one. */
  resume?(run: string, how: { watcher: Watcher; characters: number }): Turn | undefined;
  /** Where its processes outlive their runner. */
  keeper?: Keeper;
  /** Ends the processes: asked to, then told to, then killed. Settles when they are gone. */
  close(): Promise<void>;
  /** The processes that are alive, for limits of memory and processor. */
  pids(): readonly number[];
};
