// npm run pictures: plays `cairn demo` and draws what it printed as docs/pictures/demo.svg. Times and ids are replaced,
// so that the same program draws the same picture.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from '../src/package-root.ts';

const CLI = fileURLToPath(new URL('dist/cli.js', PACKAGE_ROOT));
const FILE = fileURLToPath(new URL('docs/pictures/demo.svg', PACKAGE_ROOT));
const COLUMNS = 108;
const CHARACTER = 8.2;
const LINE = 19;
const MARGIN = 20;
const TOP = 52;
const COLOURS = {
  text: '#d8dee9',
  heading: '#ffffff',
  agent: '#88c0d0',
  dim: '#7b879d',
  refused: '#e06c75',
  done: '#98c379',
};

const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, 'demo'], {
  encoding: 'utf8',
  env: { ...process.env, NO_COLOR: '1' },
});
if (status !== 0) throw new Error(`cairn demo exited with ${status}\n${stderr}`);

const steady = stdout
  .replace(/\d{4}-\d\d-\d\dT(\d\d):\d\d:\d\dZ/g, '2026-11-21T09:30:00Z')
  .replace(/ \([0-9a-f]{8}-[0-9a-f-]{27}\)/g, '')
  .trimEnd();
writeFileSync(FILE, draw(steady.split('\n')));
console.log(`wrote ${FILE}`);

function draw(lines: string[]): string {
  const [width, height] = [Math.ceil(COLUMNS * CHARACTER + 2 * MARGIN), TOP + lines.length * LINE + MARGIN];
  const rows = lines.map((line, at) => {
    // White space at the start of a text is not drawn.
    const text = line.trimStart();
    const x = MARGIN + Math.round((line.length - text.length) * CHARACTER);
    return `<text x="${x}" y="${TOP + (at + 1) * LINE - 5}">${spans(text, line !== text)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="What cairn demo prints">
<rect width="100%" height="100%" rx="8" fill="#1b2028"/>
<circle cx="22" cy="20" r="6" fill="#e06c75"/><circle cx="42" cy="20" r="6" fill="#e5c07b"/><circle cx="62" cy="20" r="6" fill="#98c379"/>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="13.5" fill="${COLOURS.text}">
<text x="${MARGIN}" y="${TOP - 5}">${span('$ cairn demo', 'dim')}</text>
${rows.join('\n')}
</g>
</svg>
`;
}

function spans(line: string, indented: boolean): string {
  const shown = line.length > COLUMNS ? `${line.slice(0, COLUMNS - 1)}…` : line;
  const [, agent, tool = '', args = ''] = /^(\w+ >) (\w+)( .*)$/.exec(shown) ?? [];
  if (agent !== undefined) return `${span(agent, 'agent')} ${span(tool, 'text')}${span(args, 'dim')}`;
  if (indented) return span(shown, /^[a-z]+_[a-z]+: /.test(shown) ? 'refused' : 'text');
  return span(shown, shown.startsWith('Done:') ? 'done' : 'heading');
}

function span(text: string, colour: keyof typeof COLOURS): string {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const weight = colour === 'heading' ? ' font-weight="bold"' : '';
  return `<tspan fill="${COLOURS[colour]}"${weight}>${escaped}</tspan>`;
}
