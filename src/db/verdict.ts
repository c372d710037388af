/** What the database said of the proof that a request's calls carry: at each of its calls, at least one. */
export type Verdict = {
  add(accepted: boolean): void;
  /** Tells whether it was asked and accepted the proof every time; any other refusal leaves that open. */
  holds(): boolean;
};

export function createVerdict(): Verdict {
  let held: boolean | undefined;
  return {
    add(accepted) {
      held = accepted && held !== false;
    },
    holds: () => held === true,
  };
}
