import { parse as parseToml } from '@decimalturn/toml-patch';
import { parse } from 'jsonc-parser';
import { describe, expect, test } from 'vitest';
import { applyEdit, type Edit, revertEdit } from '../../src/clients/edits.ts';

const ENTRY = { command: 'npx', args: ['-y', 'cairn-mcp'] };
const json: Edit = { kind: 'json', path: ['mcpServers', 'cairn'], value: ENTRY };
const toml: Edit = { kind: 'toml', table: ['mcp_servers', 'cairn'], value: ENTRY };

/** Files as their clients and people write them. */
const FILES: Record<string, { edit: Edit; content: string }> = {
  'Cursor, tabs, comments and a trailing comma': {
    edit: json,
    content: '{\n\t// mine\n\t"mcpServers": {\n\t\t"x": { "command": "y" }, // keep\n\t},\n}\n',
  },
  'Zed, four spaces and commented-out settings': {
    edit: { kind: 'json', path: ['context_servers', 'cairn'], value: ENTRY },
    content:
      '// Zed settings\n{\n    "theme": "One Dark",\n    "buffer_font_size": 15, // points\n    /* "vim_mode": true */\n    "languages": { "Rust": { "tab_size": 4 } }\n}\n',
  },
  'VS Code, inputs beside servers': {
    edit: { kind: 'json', path: ['servers', 'cairn'], value: ENTRY },
    content:
      '{\n  "inputs": [\n    { "type": "promptString", "id": "key", "description": "Key", "password": true }\n  ],\n  "servers": {\n    "github": { "type": "http", "url": "https://api.githubcopilot.com/mcp/" }\n  }\n}\n',
  },
  'Claude Code, all its state in one file': {
    edit: json,
    content: `${JSON.stringify({ numStartups: 12, projects: { '/home/ada/shop': { mcpServers: {}, history: [] } }, userID: 'f00' }, null, 2)}\n`,
  },
  'Claude Desktop on Windows, with a mark and carriage returns': {
    edit: json,
    content:
      '\uFEFF{\r\n  "globalShortcut": "",\r\n  "mcpServers": {\r\n    "fs": { "command": "C:\\\\fs.exe" }\r\n  }\r\n}',
  },
  'Gemini CLI, on one line': { edit: json, content: '{"selectedAuthType":"oauth","mcpServers":{}}' },
  'Codex, comments, arrays, a profile after the servers': {
    edit: toml,
    content:
      '# my codex\nmodel = "gpt-5" # the big one\n\n[mcp_servers.docs]\ncommand = "npx"\nargs = ["-y", "docs"]   # keep\n\n[mcp_servers.docs.env]\nKEY = "1"\n\n[profiles.fast]\nmodel = \'o4\'',
  },
  'Codex on Windows': {
    edit: toml,
    content: 'model = "gpt-5"\r\n\r\n[projects."C:\\\\Users\\\\ada\\\\shop"]\r\ntrust_level = "trusted"\r\n',
  },
  'Codex with its servers in an inline table': {
    edit: toml,
    content: 'mcp_servers = { docs = { command = "docs" } }\n[tui]\ntheme = "dark"\n',
  },
  'AGENTS.md without a last line feed': {
    edit: { kind: 'block', text: 'Call resume_project.' },
    content: '# Agents\n\nBe nice.',
  },
};

const said = (edit: Edit, content: string) =>
  edit.kind === 'toml' ? (parseToml(content) as object) : (parse(content.replace(/^\uFEFF/, '')) as object);

describe('the configuration of a client', () => {
  describe.each(Object.entries(FILES))('%s', (_, { edit, content }) => {
    test('gains the server and keeps every line that was there', () => {
      const after = applyEdit(edit, content, 'file');

      const kept = after.split(/\r?\n/).map((line) => line.replace(/,$/, '').trimEnd());
      for (const line of content.split(/\r?\n/)) {
        if (content.includes('\n') && !/^mcp_servers = /.test(line))
          expect(kept).toContain(line.replace(/,$/, '').trimEnd());
      }
      if (edit.kind === 'json') expect(said(edit, after)).toMatchObject({ [edit.path[0] as string]: { cairn: ENTRY } });
      if (edit.kind === 'toml')
        expect(said(edit, after)).toMatchObject({ ...said(edit, content), mcp_servers: { cairn: ENTRY } });
      expect(after.includes('\r\n')).toBe(content.includes('\r\n'));
      if (content.includes('\r\n')) expect(after.replaceAll('\r\n', '')).not.toContain('\n');
    });

    test('is not touched again when it says so already', () => {
      const after = applyEdit(edit, content, 'file');

      expect(applyEdit(edit, after, 'file')).toBe(after);
    });

    test('says what it said after the change is taken out of it', () => {
      const reverted = revertEdit(edit, applyEdit(edit, content, 'file'), 'file');

      if (edit.kind === 'block') expect(reverted.trimEnd()).toBe(content);
      else if (edit.kind === 'toml') expect(said(edit, reverted)).toEqual(said(edit, content));
      else expect(said(edit, reverted)).toMatchObject(said(edit, content));
    });
  });

  test('sets the entry out as people do, behind what is there', () => {
    const { content = '' } = FILES['Cursor, tabs, comments and a trailing comma'] ?? {};

    expect(applyEdit(json, content, 'file')).toBe(
      '{\n\t// mine\n\t"mcpServers": {\n\t\t"x": { "command": "y" }, // keep\n\t\t"cairn": {\n\t\t\t"command": "npx",\n\t\t\t"args": [\n\t\t\t\t"-y",\n\t\t\t\t"cairn-mcp"\n\t\t\t]\n\t\t}\n\t},\n}\n',
    );
    expect(applyEdit(toml, 'model = "x"\n', 'file')).toBe(
      'model = "x"\n\n[mcp_servers.cairn]\ncommand = "npx"\nargs = [ "-y", "cairn-mcp" ]\n',
    );
  });

  test('keeps what a person added to our entry, and makes a remote one local', () => {
    const own = applyEdit(json, '{"mcpServers":{"cairn":{"command":"old","disabled":true}}}', 'file');
    const remote = applyEdit(json, '{"mcpServers":{"cairn":{"url":"https://cairn.example/mcp"}}}', 'file');

    expect(parse(own).mcpServers.cairn).toEqual({ ...ENTRY, disabled: true });
    expect(parse(remote).mcpServers.cairn).toEqual(ENTRY);
    expect(parseToml(applyEdit(toml, '[mcp_servers.cairn]\ncommand = "old"\nenabled = false\n', 'file'))).toMatchObject(
      {
        mcp_servers: { cairn: { ...ENTRY, enabled: false } },
      },
    );
  });

  test.each([
    [json, '{ "mcpServers": '],
    [json, '["not", "an object"]'],
    [json, '{ "mcpServers": [] }'],
    [toml, 'model = = "x"'],
    [{ kind: 'hooks', entries: { Stop: {} } } as Edit, '{ "hooks": { "Stop": "all" } }'],
  ])('is left alone, by name, when it cannot be changed safely: %# ', (edit, content) => {
    expect(() => applyEdit(edit, content, '/home/ada/x.json')).toThrowError(
      expect.objectContaining({ code: 'invalid_input', message: expect.stringContaining('/home/ada/x.json') }),
    );
  });
});

describe('the block in a page', () => {
  const block: Edit = { kind: 'block', text: 'Ours.' };
  const [start, end] = ['<!-- cairn:start -->', '<!-- cairn:end -->'];

  test.each([
    `a\n${start}\nMine.\n${start}\nOurs.\n${end}\n`,
    `${start}\nOurs.\n${end}\nMine.\n${end}\n`,
    `${start}\nOurs.\n${end}\n${start}\nOurs.\n${end}\n`,
    `${end}\nMine.\n${start}\n`,
    `${start}\nMine.\n`,
    `Mine.\n${end}\n`,
  ])('is left alone where its marks are no pair: %j', (page) => {
    const refusal = expect.objectContaining({ code: 'invalid_input', message: expect.stringContaining('once each') });

    expect(() => applyEdit(block, page, 'AGENTS.md')).toThrow(refusal);
    expect(() => revertEdit(block, page, 'AGENTS.md')).toThrow(refusal);
  });
});

describe('hooks', () => {
  const entryOf = (command: string) => ({ Stop: { hooks: [{ type: 'command', command, timeout: 5 }] } });
  const entries = entryOf('node /opt/cairn/dist/cli.js hook stop');
  const edit: Edit = { kind: 'hooks', entries };
  const others = { Stop: [{ matcher: '', hooks: [{ type: 'command', command: 'claude-cortex hook stop' }] }] };

  test('stand beside those of others, once', () => {
    const before = JSON.stringify({ model: 'opus', hooks: others }, null, 2);

    const after = applyEdit({ kind: 'hooks', entries: entryOf('npx -y cairn-mcp hook stop') }, before, 'file');
    const { hooks } = JSON.parse(applyEdit(edit, after, 'file'));

    expect(hooks.Stop).toEqual([...others.Stop, entries.Stop]);
  });

  test('are told from those of others however long these are', () => {
    const command = `${'cairn '.repeat(50_000)}hook`;
    const before = JSON.stringify({ hooks: { Stop: [{ hooks: [{ type: 'command', command }] }] } });

    const started = performance.now();
    const { hooks } = JSON.parse(applyEdit(edit, before, 'file'));

    expect(hooks.Stop).toHaveLength(2);
    expect(performance.now() - started).toBeLessThan(4_000);
  });

  test('leave nothing behind', () => {
    const before = JSON.stringify({ model: 'opus', hooks: others }, null, 2);

    expect(JSON.parse(revertEdit(edit, applyEdit(edit, before, 'file'), 'file'))).toEqual({
      model: 'opus',
      hooks: others,
    });
    expect(JSON.parse(revertEdit(edit, applyEdit(edit, '{"model":"opus"}', 'file'), 'file'))).toEqual({
      model: 'opus',
    });
  });
});

test('the block in a page is replaced in place, and taken out whole', () => {
  const first = applyEdit({ kind: 'block', text: 'Old words.' }, '# Agents\n', 'AGENTS.md');
  const page = `${first}\n## Mine\n`;

  const second = applyEdit({ kind: 'block', text: 'New words.' }, page, 'AGENTS.md');

  expect(second).toBe('# Agents\n\n<!-- cairn:start -->\nNew words.\n<!-- cairn:end -->\n\n## Mine\n');
  expect(revertEdit({ kind: 'block', text: '' }, second, 'AGENTS.md')).toBe('# Agents\n\n## Mine\n');
});
