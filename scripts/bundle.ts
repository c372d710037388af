// Bundles src/cli.ts with all that it imports into dist/, as it is published: a few files are found and read sooner
// than two hundred. What is imported when it runs (a command, an engine) stays a file of its own. Beside it, the
// licences of what is in the bundle.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { PACKAGE_ROOT } from '../src/package-root.ts';

const ROOT = fileURLToPath(PACKAGE_ROOT);
const OUT = join(ROOT, 'dist');
const LICENCES = 'THIRD-PARTY-LICENSES.txt';
// CommonJS packages call `require` for what Node.js brings.
const REQUIRE =
  "import { createRequire as __createRequire } from 'node:module';const require = __createRequire(import.meta.url);";

/** `pg` asks whether this is another runtime than Node.js by a global whose first use loads all of fetch. */
const nodeAlone: Plugin = {
  name: 'node-alone',
  setup: ({ onLoad }) =>
    onLoad({ filter: /[\\/]pg[\\/]lib[\\/]stream\.js$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const contents = text.replace('function isCloudflareRuntime() {', '$&\n  return false;');
      if (contents === text) throw new Error(`${path} is not as it was: see whether this is still needed.`);
      return { contents, loader: 'js' };
    }),
};

const { metafile } = await build({
  absWorkingDir: ROOT,
  entryPoints: { cli: 'src/cli.ts', holder: 'src/runner/holder/main.ts' },
  outdir: OUT,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  // Prefers the entry points for bundlers: esbuild cannot follow every `require` of some CommonJS packages.
  mainFields: ['module', 'main'],
  target: 'node20.20',
  minify: argv.includes('--minify'),
  banner: { js: REQUIRE },
  external: ['pg-native'],
  plugins: [nodeAlone],
  metafile: true,
  logLevel: 'warning',
});
for (const [file, { imports }] of Object.entries(metafile.inputs)) {
  const nameless = imports.find(
    ({ kind, path }) => kind === 'dynamic-import' && metafile.inputs[path]?.format === 'cjs',
  );
  if (nameless) throw new Error(`${file} imports ${nameless.path} when it runs: CommonJS has no names there.`);
}
await mkdir(OUT, { recursive: true });
await writeFile(join(OUT, LICENCES), await licencesOf(Object.keys(metafile.inputs)));
if (argv.includes('--metafile')) await writeFile(join(ROOT, 'build', 'bundle.json'), JSON.stringify(metafile));
await removeOthers(
  new Set([LICENCES, ...Object.keys(metafile.outputs).map((file) => relative(OUT, join(ROOT, file)))]),
);

async function licencesOf(files: string[]): Promise<string> {
  const folders = files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0] ?? []);
  const texts = await Promise.all([...new Set(folders)].sort().map(licenceOf));
  return `Cairn contains these packages.\n\n${texts.join('\n')}`;
}

async function licenceOf(folder: string): Promise<string> {
  const manifest = await readFile(join(ROOT, folder, 'package.json'), 'utf8');
  const { name, version, license } = JSON.parse(manifest) as { name: string; version: string; license?: string };
  const file = (await readdir(join(ROOT, folder))).find((entry) => /^licen[cs]e/i.test(entry));
  if (!license && file === undefined) throw new Error(`${name} has no licence: it cannot be bundled.`);
  const text = file === undefined ? '' : await readFile(join(ROOT, folder, file), 'utf8');
  return `${'='.repeat(80)}\n${name} ${version} (${license ?? 'see below'})\n\n${text.trim()}\n`;
}

/** Removes the files of earlier builds. */
async function removeOthers(kept: Set<string>): Promise<void> {
  for (const entry of await readdir(OUT, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    if (entry.isFile() && !kept.has(relative(OUT, file).replaceAll('\\', '/'))) await rm(file);
  }
}
