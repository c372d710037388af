import { of } from './mutant.ts';

/** Threats by files that others made: where they lead, what they say, what reading them costs. */
export const FILES = Object.freeze([
  ...of('T35', 'test/cli/atomic-write.test.ts', [
    {
      file: 'src/atomic-write.ts',
      find: "await open(part, 'wx', mode)",
      replace: "await open(part, 'w', mode)",
      name: 'under a name that was guessed is refused',
    },
    {
      file: 'src/atomic-write.ts',
      find: '{randomUUID()}.part`',
      replace: '{0}.part`',
      name: 'goes through no link that a name which could be foreseen leads to',
    },
    {
      file: 'src/atomic-write.ts',
      find: 'const target = isReal ? path : await realPathOf(path);',
      replace: 'const target = await realPathOf(path);',
      name: 'where someone else may write takes the place of a link',
    },
    {
      file: 'src/atomic-write.ts',
      find: 'file !== null && !replacesLink && ',
      replace: 'file !== null && ',
      name: 'is not written in place where someone else may write',
    },
    {
      file: 'src/atomic-write.ts',
      find: 'return leadsTo === null ? join(parent, basename(path)) : realPathOf(resolve(parent, leadsTo), links - 1);',
      replace: 'return join(parent, basename(path));',
      name: 'the real path of a file follows links',
    },
    {
      file: 'src/atomic-write.ts',
      find: 'if (isSpecial && !replacesLink) return',
      replace: 'if (isSpecial) return',
      name: 'where someone else may write takes the place of a pipe',
    },
  ]),
  ...of('T35', 'test/cli/brief-files.test.ts', [
    {
      file: 'src/bounded-read.ts',
      find: '(followsLink ? 0 : (constants.O_NOFOLLOW ?? 0))',
      replace: '0',
      name: 'is no link to another',
    },
  ]),
  ...of('T35', 'test/cli/clients.test.ts', [
    {
      file: 'src/clients/changes.ts',
      find: '!isWorkTree(pathWithin(root, real))',
      replace: '!isWorkTree(pathWithin(repository, file))',
      name: 'tells which files links lead out of the repository',
    },
    {
      file: 'src/clients/changes.ts',
      find: "path !== null && !path.split(sep).some((part) => part.toLowerCase() === '.git')",
      replace: 'path !== null',
      name: 'tells which files links lead out of the repository',
    },
    {
      file: 'src/clients/changes.ts',
      find: 'if (after === null) await rm(real);',
      replace: 'if (after === null) await rm(change.file);',
      name: 'undone removes the file that a link leads to',
    },
    {
      file: 'src/clients/changes.ts',
      find: 'if ((await realPathOf(file)) === real) return;',
      replace: 'return;',
      name: 'follows no link that came after the plan was shown',
    },
    {
      file: 'src/clients/changes.ts',
      find: 'if (copy !== null) return copy;',
      replace: 'if (isOurs) return copy;',
      name: 'undone without the copy of what was there loses nothing but our part',
    },
  ]),
  ...of('T36', 'test/cli/config.test.ts', [
    {
      file: 'src/project-file.ts',
      find: '.regex(SLUG).or(z.guid())',
      name: 'is refused by name when it says',
    },
    {
      file: 'src/project-file.ts',
      find: 'const BYTES_MAX = 65_536;',
      replace: 'const BYTES_MAX = 65_536_000;',
      name: 'is refused by name when it says',
    },
  ]),
  ...of('T36', 'test/cli/init.test.ts', [
    {
      file: 'src/cli/terminal/diff.ts',
      find: 'clean(line)',
      replace: 'line',
      name: 'a difference shows',
    },
  ]),
  ...of('T36', 'test/cli/edits.test.ts', [
    {
      file: 'src/clients/block.ts',
      find: ' && start === text.lastIndexOf(START)',
      name: 'is left alone where its marks are no pair',
    },
    {
      file: 'src/clients/block.ts',
      find: ' && end === text.lastIndexOf(END)',
      name: 'is left alone where its marks are no pair',
    },
  ]),
  ...of('T36', 'test/cli/launch.test.ts', [
    {
      file: 'src/clients/launch.ts',
      find: "? word : `'",
      replace: '? word : JSON.stringify(word) || `',
      name: 'hands on the directory',
    },
    {
      file: 'src/clients/launch.ts',
      find: '["$`%!^',
      replace: '["',
      name: 'on Windows is refused where a shell',
    },
    {
      file: 'src/clients/launch.ts',
      find: 'if (odd !== undefined) throw',
      replace: 'if (false) throw',
      name: 'on Windows is not started through cmd',
    },
  ]),
  ...of('T37', 'test/cli/config.test.ts', [
    {
      file: 'src/bounded-read.ts',
      find: '    if (!about.isFile()) throw',
      replace: '    if (false) throw',
      name: 'is looked for further up where its place is taken',
    },
    {
      file: 'src/bounded-read.ts',
      find: '    if (about.size > bytesMax) throw',
      replace: '    if (false) throw',
      name: 'is refused by name when it says',
    },
  ]),
  ...of('T37', 'test/cli/formats.test.ts', [
    {
      file: 'src/formats/checklist.ts',
      find: '/\\s\\(((?:[^()\\\\]|\\\\.)*)\\)$/',
      replace: '/\\s+\\(((?:[^()\\\\]|\\\\.)*)\\)$/',
      name: 'of markdown with a long line of " " takes',
    },
    {
      file: 'src/formats/checklist.ts',
      find: 'if (open.length >= LEVELS_MAX)',
      replace: 'if (false)',
      name: 'of more',
    },
    {
      file: 'src/formats/checklist.ts',
      find: 'if (items.length >= ITEMS_MAX)',
      replace: 'if (false)',
      name: 'of more',
    },
    {
      file: 'src/formats/checklist.ts',
      find: 'parent?.slice(-KEY_PART_MAX)',
      replace: 'parent',
      name: 'names its items in a length that does not grow',
    },
    {
      file: 'src/formats/backlog.ts',
      find: 'if (front.length > FRONT_CHARACTERS_MAX)',
      replace: 'if (false)',
      name: 'that has long YAML is refused',
    },
    {
      file: 'src/formats/backlog.ts',
      find: 'if (levelsOf(front) > FRONT_LEVELS_MAX)',
      replace: 'if (false)',
      name: 'that nests YAML flows is refused',
    },
    {
      file: 'src/formats/lines.ts',
      find: '(\\S.*)$/s',
      replace: '(.+)$/',
      name: 'of task-master with a long line of " " takes',
    },
    {
      file: 'src/formats/foreign-task.ts',
      find: 'escaped(message)',
      replace: 'message',
      name: 'that is refused is told of on one line',
    },
    {
      file: 'src/formats/formats.ts',
      find: 'escaped(text)',
      replace: 'text',
      name: 'that is refused is told of on one line',
    },
  ]),
  ...of('T37', 'test/cli/import.test.ts', [
    { file: 'src/formats/csv.ts', find: '＝＋－＠', name: 'lets no cell be a formula' },
  ]),
  ...of('T37', 'test/cli/edits.test.ts', [
    {
      file: 'src/clients/json.ts',
      find: 'return program !== null && OUR_HOOK.test(command.slice(program.index + program[0].length));',
      replace: 'return /(cairn|\\bcli\\.js\\b).*\\bhook (session-start|pre-compact|stop)\\b/s.test(command);',
      name: 'are told from those of others however long',
    },
  ]),
  ...of('T37', 'test/schema/archive.test.ts', [
    {
      file: 'src/services/archive.ts',
      find: 'line.event.seq !== expected || ',
      name: 'is refused, with',
    },
    {
      file: 'src/services/archive.ts',
      find: "if (expected !== archive.last_seq + 1) throw new Error('It has fewer events.');",
      name: 'is refused, with',
    },
    {
      file: 'src/events/history-file.ts',
      find: 'if (number - lastLine > LINES_BETWEEN_EVENTS_MAX)',
      replace: 'if (false)',
      name: 'is refused, with',
    },
  ]),
]);
