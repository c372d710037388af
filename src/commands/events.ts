import type { Config } from '../config.ts';
import { RedactEvent, redactEvent } from '../services/history.ts';
import { replayEvents, verifyEvents } from '../services/transfer.ts';
import { say } from './paint.ts';
import { asPerson, parseGiven } from './person.ts';

/** `cairn events verify`: exit status 0 when the log and everything made of it are whole, 1 when not. */
export async function runVerify(config: Config): Promise<void> {
  const result = await asPerson(config, verifyEvents);
  say(`Checked ${result.events} events up to position ${result.position}: chain, payloads, versions, positions.`);
  const rows = result.tables.map(({ table, rows }) => `${table} ${rows}`).join(', ');
  say(`Compared every row with what the log makes of it: ${rows}.`);
  if (result.ok) return say('Everything agrees.');
  say(`The first difference: ${JSON.stringify(result.difference)}`);
  process.exitCode = 1;
}

/** `cairn events replay`: makes the read model anew. */
export async function runReplay(config: Config): Promise<void> {
  const { events, tables } = await asPerson(config, replayEvents);
  say(`Rebuilt ${tables.join(', ')} from ${events} events.`);
}

/** `cairn events redact EVENT`: blanks what an event says, on the record. */
export async function runRedact(config: Config, event: string, { reason }: { reason: string }): Promise<void> {
  const input = parseGiven(RedactEvent, { event, reason });
  const redacted = await asPerson(config, (ctx) => redactEvent(ctx, input));
  say(`Redacted event #${redacted.seq} (${redacted.type}).`);
}
