// Draws what terminals showed.

const CHARACTER = 8.2;
const LINE = 19;
const MARGIN = 20;
const BAR = 33;
const BUTTONS = ['#e06c75', '#e5c07b', '#98c379'];
const COLOURS = {
  text: '#d8dee9',
  heading: '#ffffff',
  agent: '#88c0d0',
  dim: '#7b879d',
  refused: '#e06c75',
  done: '#98c379',
};

export type Part = [text: string, colour: keyof typeof COLOURS];

const COLUMNS = 108;

/** Draws terminals one below the other, each with its lines. */
export function drawTerminals(label: string, terminals: Part[][][]): string {
  const width = Math.ceil(COLUMNS * CHARACTER + 2 * MARGIN);
  const drawn: string[] = [];
  let top = 0;
  for (const lines of terminals) {
    const height = BAR + lines.length * LINE + MARGIN;
    drawn.push(drawTerminal(lines, { top, height }));
    top += height + MARGIN;
  }
  const height = top - MARGIN;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="13.5">
${drawn.join('\n')}
</g>
</svg>
`;
}

function drawTerminal(lines: Part[][], { top, height }: { top: number; height: number }): string {
  const buttons = BUTTONS.map((colour, at) => `<circle cx="${22 + 20 * at}" cy="${top + 20}" r="6" fill="${colour}"/>`);
  const rows = lines.map(
    (parts, at) => `<text x="${MARGIN}" y="${top + BAR + (at + 1) * LINE - 5}">${parts.map(span).join('')}</text>`,
  );
  return `<rect y="${top}" width="100%" height="${height}" rx="8" fill="#1b2028"/>
${buttons.join('')}
${rows.join('\n')}`;
}

function span([text, colour]: Part): string {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  // Else several are drawn as one, and none at the start.
  const spaced = escaped.replace(/^ +| {2,}/g, (spaces) => '\u00a0'.repeat(spaces.length));
  const weight = colour === 'heading' ? ' font-weight="bold"' : '';
  return `<tspan fill="${COLOURS[colour]}"${weight}>${spaced}</tspan>`;
}

export function cut(line: string): string {
  return line.length > COLUMNS ? `${line.slice(0, COLUMNS - 1)}…` : line;
}
