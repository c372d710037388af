// What sessions were told, in the order in which they were.
import { table } from '../../build/bench/section.js';

const CHARACTERS_MAX = 260;

export class Told {
  /** @type {string[][]} */
  #rows = [];
  #started = performance.now();

  /** What happens from now on is some time after this. */
  restart() {
    this.#started = performance.now();
  }

  get seconds() {
    return Math.round((performance.now() - this.#started) / 1_000);
  }

  /** @param {string} who @param {string} call @param {{ text: string }} shown */
  note(who, call, { text }) {
    const begin = text.split('\n').slice(0, 2).join(' ').slice(0, CHARACTERS_MAX);
    this.#rows.push([who, `${this.seconds} s`, call, begin]);
  }

  report() {
    return table(['who', 'after', 'call', 'what it was told'], this.#rows).join('\n');
  }
}

/** The first line of an answer that begins so; empty where none does. @param {string} text @param {string} beginning */
export function lineOf(text, beginning) {
  return text.split('\n').find((line) => line.startsWith(beginning)) ?? '';
}
