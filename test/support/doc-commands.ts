/** A fenced block of a page: its language, and the words after it (`md file=plan.md`). */
export type Block = { language: string; about: string; body: string };

export function fencedBlocks(markdown: string): Block[] {
  return [...markdown.matchAll(/^```(\w+)(?: ([^\n]*))?\n(.*?)^```$/gms)].map(
    ([, language = '', about = '', body = '']) => ({ language, about, body }),
  );
}

/** The commands of a shell block, without comments. */
export function commandLines(blocks: Block[]): string[] {
  return blocks
    .filter(({ language }) => ['sh', 'bash'].includes(language))
    .flatMap(({ body }) => body.replaceAll('\\\n', ' ').split('\n'))
    .map((line) => line.replace(/\s+#.*$/, '').trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** Returns the commands of a `console` block, behind `$`, each with its output. */
export function transcriptOf({ body }: Block): { line: string; shown: string }[] {
  return body
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [line = '', ...shown] = part.split('\n');
      return { line, shown: shown.join('\n') };
    });
}

/** The words of a command line, quoted ones whole. */
export function wordsOf(line: string): string[] {
  return (line.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replace(/^"(.*)"$/, '$1'));
}

// Commands of the docs that are not run, with the reason; for Cairn's own commands, the test asks for help instead.
const NOT_RUN: readonly [command: RegExp, because: string][] = [
  [/^npm (ci|test|run|start|install|exec)\b/, 'the repository, which is what runs this'],
  [/^npx\b/, 'the published package'],
  [/^node \/path\/to\/cairn\//, 'a clone of somebody else'],
  [/^(claude|docker|supabase|openssl|curl|git|gh|psql|ngrok|systemctl|sudo|code|codex|gemini)\b/, 'other programs'],
  [/\b(DATABASE_URL|SUPABASE_\w+|CAIRN_\w+)=/, 'a server that is not there'],
  [/ --to s3:/, 'a bucket that is not there'],
  [/^cairn (serve|watch)\b|^cairn audit .*--follow/, 'does not end'],
  [/^cairn (login|logout|auth)\b/, 'people and their accounts'],
  [/^cairn( mcp)?$/, 'waits for a client'],
  [/^cairn agent run /, 'drives an agent until it is ended'],
  [/^cairn agent (un)?install /, 'changes what the system starts'],
  [/^cairn (send|trace|runs interrupt|approvals (approve|deny|answer)) /, 'needs an agent that is there'],
];

export function whyNotRun(line: string): string | undefined {
  return NOT_RUN.find(([command]) => command.test(line))?.[1];
}

/** Returns the lines of the text that are missing from the output; `…` stands for anything. */
export function missingLines(text: string, shown: string): string[] {
  const patterns = text
    .trim()
    .split('\n')
    .map((line) => line.trim());
  return patterns.filter((line) => {
    const parts = line.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return !new RegExp(parts.join('.*')).test(shown);
  });
}
