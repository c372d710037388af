import type { Config } from '../../config.ts';
import { verifyArchives } from '../../services/archive.ts';
import { RedactEvent } from '../../services/history.ts';
import { admin } from '../../tools/admin.ts';
import { person } from '../../tools/person.ts';
import { inLocalContext, parseGiven, perform, type WorkspaceOption } from '../local-context.ts';
import { type JsonOption, printResult } from '../terminal/output.ts';

export type VerifyOptions = JsonOption & WorkspaceOption & { archive?: boolean };

export type RedactOptions = JsonOption & WorkspaceOption & { reason: string };

/** `cairn events verify`: exit status 0 when the log and everything made of it are whole, 1 when not. */
export async function runVerify(config: Config, options: VerifyOptions): Promise<void> {
  const result = await inLocalContext(
    config,
    async (ctx) => {
      const archived = options.archive === false ? undefined : await verifyArchives(ctx);
      const verified = await perform(ctx, person.verify_events, {});
      const difference = archived?.difference ?? verified.difference;
      return {
        ...verified,
        ok: difference === undefined,
        archived: archived?.events ?? 0,
        ...(difference && { difference }),
      };
    },
    options,
  );
  if (!result.ok) process.exitCode = 1;
  printResult(result, options, ({ ok, events, archived, position, tables, difference }) => [
    ...(archived > 0 ? [`Checked ${archived} events in the archive.`] : []),
    `Checked ${events} events up to position ${position}: chain, payloads, versions, positions.`,
    `Compared every row with what the log makes of it: ${tables.map(({ table, rows }) => `${table} ${rows}`).join(', ')}.`,
    ok ? 'Everything agrees.' : `The first difference: ${JSON.stringify(difference)}`,
  ]);
}

/** `cairn events replay`: rebuilds the read model. */
export async function runReplay(config: Config, options: JsonOption & WorkspaceOption): Promise<void> {
  const replayed = await inLocalContext(config, (ctx) => perform(ctx, person.replay_events, {}), options);
  printResult(replayed, options, ({ events, tables }) => [`Rebuilt ${tables.join(', ')} from ${events} events.`]);
}

/** `cairn events redact EVENT`: blanks the text of an event, on the record. */
export async function runRedact(config: Config, event: string, options: RedactOptions): Promise<void> {
  const input = parseGiven(RedactEvent, { event, reason: options.reason });
  const redacted = await inLocalContext(config, (ctx) => perform(ctx, admin.commands.redact_event, input), options);
  printResult(redacted, options, ({ seq, type }) => [`Redacted event #${seq} (${type}).`]);
}
