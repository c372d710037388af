import { basename, join } from 'node:path';
import { CLIENTS } from '../../clients/catalog.ts';
import { type Change, findOutside, makeEdits, planUndo, undoEdits } from '../../clients/changes.ts';
import { detectClients, findRepository } from '../../clients/detect.ts';
import { trustLines } from '../../clients/hooks.ts';
import { hookCommand, serverCommand } from '../../clients/launch.ts';
import { planInit } from '../../clients/plan.ts';
import type { Wanted } from '../../clients/wanted.ts';
import { type Config, thisHost } from '../../config.ts';
import { DomainError } from '../../errors.ts';
import { CreateProject } from '../../services/projects.ts';
import { escaped } from '../../text.ts';
import { projects as projectTools } from '../../tools/projects.ts';
import { inLocalContext, parseGiven, perform } from '../local-context.ts';
import { canAsk } from '../terminal/ask.ts';
import { diffLines } from '../terminal/diff.ts';
import { printLine, styled } from '../terminal/output.ts';
import { CLI } from './demo-client.ts';
import { askConfirmation, askWanted, type InitOptions, type Surroundings } from './init-questions.ts';

/** The changes to show, those among them that a link leads out of the repository, and why files were skipped. */
type Shown = { changes: readonly Change[]; outside: readonly Change[]; skipped: readonly DomainError[] };

/** `cairn init`: configures clients, binds the repository to a project, and shows changes before it writes. */
export async function runInit(config: Config, options: InitOptions): Promise<void> {
  const host = thisHost();
  const repository = await findRepository(process.cwd(), host);
  const from = repository ?? process.cwd();
  const notes = join(config.configDir, 'setup');
  if (options.undo) return undo(from, notes, options);

  const detected = await detectClients(host, repository);
  const around = { host, repository, detected, project: config.project ?? slugOf(basename(from)) };
  const chosen = asksPeople(options) ? await askWanted(around, options) : chooseAlone(around, options);
  if (chosen === null) return leave();
  const wanted: Wanted = {
    ...chosen,
    repository,
    hook: (event, client) =>
      hookCommand(client === 'claude-code' ? [event] : [event, client], config, { cli: CLI, host }),
    server: (shared) => serverCommand(config, { cli: CLI, host, shared }),
  };
  const skipped: DomainError[] = [];
  const planned = await planInit(wanted, host, (error) => skipped.push(error));
  const shown = await show({ changes: planned, skipped }, from, options);
  if (planned.length > 0 && !options.dryRun) {
    if (!(await mayWrite(shown, options))) return leave();
    if (wanted.project !== undefined) await ensureProject(config, wanted.project, basename(from));
    await makeEdits(planned, from, notes);
  }
  for (const line of report(shown, options, wanted)) printLine(line);
}

function asksPeople(options: InitOptions): boolean {
  return !options.yes && !options.dryRun && canAsk(options);
}

/** Chooses without a person: the named clients, otherwise the detected ones, in the repository if there is one. */
function chooseAlone(
  { detected, repository, project }: Surroundings,
  options: InitOptions,
): Omit<Wanted, 'repository' | 'hook' | 'server'> {
  const clients = options.client === undefined ? detected : CLIENTS.filter(({ id }) => options.client?.includes(id));
  if (clients.length === 0) {
    throw new DomainError('invalid_input', 'No client was found on this machine.', {
      hint: `Name one with --client: ${CLIENTS.map(({ id }) => id).join(', ')}.`,
    });
  }
  return {
    clients,
    scope: options.scope ?? (repository === null ? 'user' : 'project'),
    project: options.binding && repository !== null ? project : undefined,
    hooks: options.hooks === true,
    instructions: options.instructions,
  };
}

/** Asks to write all or nothing; a change that a link leads out of the repository needs its own permission. */
async function mayWrite({ changes, outside }: Shown, options: InitOptions): Promise<boolean> {
  const asksAgain = outside.length > 0 && !options.followLinks;
  if (options.yes) {
    if (asksAgain) throw leadsOut(outside);
    return true;
  }
  if (asksPeople(options)) {
    if (!(await askConfirmation(`Write ${changes.map(({ file }) => escaped(basename(file))).join(', ')}?`)))
      return false;
    return !asksAgain || askConfirmation(`Write to ${placesOf(outside)}, outside of this repository?`, false);
  }
  throw new DomainError('invalid_input', 'Nothing was written: there is no terminal to ask on.', {
    hint: 'Repeat with --yes to write this, or with --dry-run to only see it.',
  });
}

function leadsOut(outside: readonly Change[]): DomainError {
  const files = outside.map(({ file, real }) => `${escaped(file)} leads to ${escaped(real)}`);
  return new DomainError('invalid_input', `Nothing was written: ${files.join('; ')}, outside of this repository.`, {
    hint: 'Put a file in the place of the link, or repeat with --follow-links if that is what you want to change.',
  });
}

function placesOf(changes: readonly Change[]): string {
  return changes.map(({ real }) => escaped(real)).join(', ');
}

async function show({ changes, skipped }: Omit<Shown, 'outside'>, from: string, { json }: InitOptions): Promise<Shown> {
  const outside = await findOutside(changes, from);
  for (const change of json ? [] : changes) {
    const { file, before, after } = change;
    printLine(`${styled('bold', escaped(file))} ${styled('dim', `(${kindOf(before, after)})`)}`);
    if (outside.includes(change))
      printLine(styled('yellow', `  ! leads to ${placesOf([change])}, outside of this repository`));
    for (const line of diffLines(before ?? '', after ?? '')) printLine(line);
    printLine();
  }
  for (const { message, hint } of json ? [] : skipped) process.stderr.write(`cairn: ${message}\n${hint}\n`);
  if (skipped.length > 0) process.exitCode = 1;
  return { changes, outside, skipped };
}

function report(shown: Shown, options: InitOptions, wanted: Wanted): string[] {
  const { clients, project } = wanted;
  if (options.json) return [asJson(shown, options, { clients: clients.map(({ id }) => id), project })];
  const isAnythingLeft = shown.changes.length > 0 || shown.skipped.length > 0;
  if (!isAnythingLeft) return ['Everything is set up already.'];
  if (options.dryRun || shown.changes.length === 0) return ['Nothing was written.'];
  return [
    `${styled('green', 'Done.')} \`cairn init --undo\` takes it back; \`cairn doctor\` checks it.`,
    ...clients.map(({ name, reload }) => `  ${styled('bold', name)}: ${reload}.`),
    ...trustLines(wanted).map((line) => `  ${styled('yellow', line)}.`),
    ...wanted.server(true).passes.map((name) => `  ${name} was not written: set it where your clients start.`),
  ];
}

function asJson({ changes, outside, skipped }: Shown, { dryRun }: InitOptions, more: object = {}): string {
  const files = changes.map((change) => ({
    file: change.file,
    change: kindOf(change.before, change.after),
    ...(outside.includes(change) && { leads_to: change.real }),
  }));
  const left = skipped.map(({ code, message, hint }) => ({ code, message, hint }));
  return JSON.stringify({ written: !dryRun, files, ...(left.length > 0 && { skipped: left }), ...more }, null, 2);
}

function kindOf(before: string | null, after: string | null): string {
  if (before === null) return 'new';
  return after === null ? 'removed' : 'changed';
}

/** Creates the project if it does not exist yet. */
async function ensureProject(config: Config, slug: string, name: string): Promise<void> {
  const input = parseGiven(CreateProject, { slug, name });
  await inLocalContext(config, (ctx) => perform(ctx, projectTools.commands.create_project, input)).catch((error) => {
    if (!(error instanceof DomainError && error.code === 'already_exists')) throw error;
  });
}

/** Makes a slug from the name of the directory. */
export function slugOf(name: string): string {
  const slug = name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '')
    .slice(0, 31)
    .replace(/-+$/, '');
  return slug === '' ? 'project' : slug;
}

async function undo(from: string, notes: string, options: InitOptions): Promise<void> {
  const skipped: DomainError[] = [];
  const changes = await planUndo(from, notes, (error) => skipped.push(error));
  const shown = await show({ changes, skipped }, from, options);
  if (changes.length > 0 && !options.dryRun) {
    if (!(await mayWrite(shown, options))) return leave();
    await undoEdits(changes, from, notes);
  }
  if (options.json) return printLine(asJson(shown, options));
  if (changes.length === 0 && skipped.length === 0) return printLine('There is nothing to undo here.');
  printLine(
    options.dryRun || changes.length === 0
      ? 'Nothing was written.'
      : `${styled('green', 'Undone.')} The project and its data stay.`,
  );
}

function leave(): void {
  printLine('Nothing was written.');
  process.exitCode = 130;
}
