import { backlog } from './backlog.mjs';
import { cairn } from './cairn.mjs';
import { dex } from './dex.mjs';
import { memory } from './memory.mjs';
import { memoryBank } from './memory-bank.mjs';
import { ohno } from './ohno.mjs';
import { shrimp } from './shrimp.mjs';
import { taskMaster } from './task-master.mjs';

/**
 * How the same work is said to one server. A `Place` is where it works: its store, its package, who acts.
 * @typedef {{ dir: string, folder: string, agent: string, runtime?: string }} Place
 * @typedef {[tool: string, args: object]} Call
 * @typedef {{ id: string, text: string }} Stored
 * @typedef {import('../client.mjs').Client} Client
 * @typedef {object} Server
 * @property {string} name
 * @property {string} [package] on npm; none for this build
 * @property {'bun'} [runtime] where it does not run on Node.js
 * @property {(place: Place) => import('../client.mjs').Command} command
 * @property {(place: Place & { count: number, open: () => Promise<Client> }) => Promise<string[]>} prepare makes a store with that many open tasks; answers with their ids
 * @property {(title: string, description: string, place: Place) => Call} create
 * @property {(text: string) => string | undefined} created the id in the answer
 * @property {(id: string, note: string, place: Place) => Call} update
 * @property {(stored: Stored, note: string) => boolean} [isUpdated] where the note cannot be stored
 * @property {Call | ((place: Place) => Call)} list
 * @property {Call | ((place: Place) => Call)} next what an agent asks that looks for work and takes none yet
 * @property {(client: Client, place: Place) => Promise<string | undefined>} claim finds a free task and takes it, in as many calls as its documents tell an agent to make
 * @property {(place: Place & { open: () => Promise<Client> }) => Promise<Stored[]>} stored what is in the store, past the server
 */

/** @type {readonly Server[]} */
export const SERVERS = [cairn, taskMaster, backlog, memory, memoryBank, shrimp, dex, ohno];
