// The expectations of the parts, and their observations.

type Expectation = { part: string; client: string; what: string; isMet: boolean; seen: string };
export type Expect = (what: string, isMet: boolean, seen?: unknown) => void;

const SEEN_CHARACTERS_MAX = 1_500;

export class Expectations {
  all: Expectation[] = [];

  of(part: string, client: string): Expect {
    return (what, isMet, seen = '') => {
      const text = typeof seen === 'string' ? seen : JSON.stringify(seen);
      this.all.push({ part, client, what, isMet, seen: text.slice(0, SEEN_CHARACTERS_MAX) });
    };
  }

  get failed(): Expectation[] {
    return this.all.filter(({ isMet }) => !isMet);
  }

  /** A row for each thing that was expected, a column for each client. */
  rows(clients: string[]): string[][] {
    const rows = new Map(this.all.map(({ part, what }) => [`${part}: ${what}`, { part, what }]));
    const answer = (found: Expectation | undefined) => (found?.isMet ? 'yes' : '**NO**');
    return [...rows.values()].map(({ part, what }) => [
      part,
      what,
      ...clients.map((client) => {
        const found = this.all.filter((one) => one.part === part && one.what === what && one.client === client);
        return found.length === 0 ? '' : answer(found.find(({ isMet }) => !isMet) ?? found[0]);
      }),
    ]);
  }
}
