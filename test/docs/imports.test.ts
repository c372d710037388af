import { readdirSync, readFileSync } from 'node:fs';
import { matchesGlob } from 'node:path';
import { expect, test } from 'vitest';

type Override = { includes: string[]; linter: { rules: { style?: { noRestrictedImports?: unknown } } } };

const ROOT = new URL('../../', import.meta.url);
// The top: it may import everything.
const UNLIMITED = ['src/cli', 'src/cli.ts'];

test('every folder and file of src has a row in the table of imports', () => {
  const { overrides } = JSON.parse(readFileSync(new URL('biome.json', ROOT), 'utf8')) as { overrides: Override[] };
  const limited = overrides
    .filter(({ linter }) => linter.rules.style?.noRestrictedImports !== undefined)
    .map(({ includes }) => includes);
  const isLimited = (path: string) =>
    limited.some((globs) => {
      const [taken, left] = [
        globs.filter((glob) => !glob.startsWith('!')),
        globs.filter((glob) => glob.startsWith('!')),
      ];
      return taken.some((glob) => matchesGlob(path, glob)) && !left.some((glob) => matchesGlob(path, glob.slice(1)));
    });

  const entries = readdirSync(new URL('src', ROOT), { withFileTypes: true });
  const free = entries
    .map((entry) => ({
      name: `src/${entry.name}`,
      path: `src/${entry.name}${entry.isDirectory() ? '/any/file.ts' : ''}`,
    }))
    .filter(({ path }) => !isLimited(path));

  expect(free.map(({ name }) => name).sort()).toEqual(UNLIMITED);
});

// Sources and sinks of many commands: they write by the services of their events, which have no tool.
const BESIDE = ['adoption.ts', 'adoption-plan.ts', 'archive.ts', 'records.ts', 'transfer.ts'];
// Reads that no tool has: completions and following for the protocol itself, and one agent with its figures.
const READS = ['suggestRefs', 'followEvents', 'getAgent'];

test('what commands, pages and servers do goes through the one path: of services they know forms and types', () => {
  const files = ['cli', 'web', 'server'].flatMap((folder) =>
    readdirSync(new URL(`src/${folder}/`, ROOT), { recursive: true, encoding: 'utf8' }).map(
      (name) => `src/${folder}/${name}`,
    ),
  );

  const called = files
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => {
      const imports = readFileSync(new URL(file, ROOT), 'utf8').matchAll(
        /^import \{([^}]+)\} from '[./]+services\/([\w-]+\.ts)'/gm,
      );
      return [...imports].flatMap(([, names = '', module = '']) =>
        (BESIDE.includes(module) ? [] : names.split(','))
          .map((name) => name.trim())
          .filter((name) => /^[a-z]/.test(name) && !name.startsWith('type ') && !READS.includes(name))
          .map((name) => `${file}: ${name}`),
      );
    });

  expect(called).toEqual([]);
});
