import type { DriverName } from '../../src/runner/driver-names.ts';

type Shown = {
  next: 'the same process' | 'a new process';
  steer: 'joins its turn' | 'follows its turn';
  interrupt: 'its process stays' | 'ends its process';
  /** While its runner beats. */
  hang: 'ends the run' | 'is taken for done';
  budget: 'ends the run' | 'none';
  crash: 'started again in the same conversation' | 'started anew';
  usageLimit: 'with the time of its end' | 'without a time' | 'none';
};

/** What each driver shows with its stand-in, where they differ: the suites ask for it, and docs/control.md says it. */
export const SHOWN: Record<DriverName, Shown> = {
  claude: {
    next: 'the same process',
    steer: 'joins its turn',
    interrupt: 'its process stays',
    hang: 'ends the run',
    budget: 'ends the run',
    crash: 'started again in the same conversation',
    usageLimit: 'with the time of its end',
  },
  codex: {
    next: 'the same process',
    steer: 'joins its turn',
    interrupt: 'its process stays',
    hang: 'ends the run',
    budget: 'ends the run',
    crash: 'started again in the same conversation',
    usageLimit: 'with the time of its end',
  },
  acp: {
    next: 'the same process',
    steer: 'follows its turn',
    interrupt: 'its process stays',
    hang: 'ends the run',
    budget: 'ends the run',
    crash: 'started again in the same conversation',
    usageLimit: 'without a time',
  },
  pipe: {
    next: 'a new process',
    steer: 'follows its turn',
    interrupt: 'ends its process',
    hang: 'ends the run',
    budget: 'none',
    crash: 'started anew',
    usageLimit: 'none',
  },
  pty: {
    next: 'the same process',
    steer: 'follows its turn',
    interrupt: 'its process stays',
    hang: 'is taken for done',
    budget: 'none',
    crash: 'started anew',
    usageLimit: 'none',
  },
};
