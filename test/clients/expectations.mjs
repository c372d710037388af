// What the parts expected, and what they saw.

/** @typedef {{ part: string, client: string, what: string, isMet: boolean, seen: string }} Expectation */
/** @typedef {(what: string, isMet: boolean, seen?: unknown) => void} Expect */

const SEEN_CHARACTERS_MAX = 1_500;

export class Expectations {
  /** @type {Expectation[]} */
  all = [];

  /** @param {string} part @param {string} client @returns {Expect} */
  of(part, client) {
    return (what, isMet, seen = '') => {
      const text = typeof seen === 'string' ? seen : JSON.stringify(seen);
      this.all.push({ part, client, what, isMet, seen: text.slice(0, SEEN_CHARACTERS_MAX) });
    };
  }

  get failed() {
    return this.all.filter(({ isMet }) => !isMet);
  }

  /** A row for each thing that was expected, a column for each client. @param {string[]} clients @returns {string[][]} */
  rows(clients) {
    const rows = new Map(this.all.map(({ part, what }) => [`${part}: ${what}`, { part, what }]));
    const answer = (/** @type {Expectation | undefined} */ found) => (found?.isMet ? 'yes' : '**NO**');
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
