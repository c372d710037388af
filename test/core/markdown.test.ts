import { describe, expect, test } from 'vitest';
import type { Report } from '../../src/events/reports.ts';
import { markdownCode, markdownLine, markdownText } from '../../src/markdown.ts';
import { renderReport, reportMarkdown } from '../../src/tools/report-text.ts';

const REPORT: Report = {
  ...{ id: '018f0000-0000-7000-8000-000000000001', title: 'Leak', status: 'complete', written_by: 'claude-1' },
  ...{ summary: 'A leak.', created_at: '2026-11-01T10:00:00Z', updated_at: '2026-11-01T10:00:00Z' },
};

describe('text in Markdown', () => {
  test.for([
    ['# Title', '\\# Title'],
    ['Title\n===', 'Title\n\\==='],
    ['  - [x](https://evil.test)', '\\- \\[x\\](https://evil.test)'],
    ['![x](https://evil.test/p.png)', '!\\[x\\](https://evil.test/p.png)'],
    ['<img src=x onerror=alert(1)>', '\\<img src=x onerror=alert(1)\\>'],
    ['&lt;b&gt;', '\\&lt;b\\&gt;'],
    ['1. one\n10) ten', '1\\. one\n10\\) ten'],
    ['> said', '\\> said'],
    ['a | b\n--|--', 'a \\| b\n\\--\\|--'],
    ['```\ncode\n~~~', '\\`\\`\\`\ncode\n\\~\\~\\~'],
    ['**bold** and _this_', '\\*\\*bold\\*\\* and \\_this\\_'],
    ['save_report \\ 3.5 - 2', 'save_report \\\\ 3.5 - 2'],
  ])('stays what it is: %s', ([text = '', escaped]) => {
    expect(markdownText(text)).toBe(escaped);
  });

  test('of one line has no other', () => {
    expect(markdownLine('a\n\n# b\n')).toBe('a # b');
  });

  test('leaves a block of code only where the block ends', () => {
    expect(markdownCode('```\n# x\n`````')).toBe('``````\n```\n# x\n`````\n``````');
  });
});

describe('a report in Markdown', () => {
  test('has its parts in order, the worst first', () => {
    const text = reportMarkdown({
      ...REPORT,
      ...{ changed_by: 'bob', run: 'r', command: 'c', project: 'web', completed_at: '2026-11-02T10:00:00Z' },
      sections: [
        { title: 'Last', content: 'z' },
        { title: 'Then', content: 'x = 1', type: 'code', order: 2 },
        { title: 'First', content: 'y', order: 1 },
      ],
      findings: [
        { description: 'Small.', severity: 'low' },
        { description: 'Big.', severity: 'critical', evidence: ['log 7'] },
      ],
      recommendations: [{ action: 'Rotate.', priority: 'high', rationale: 'It was read.' }],
      attachments: [
        { name: 'page', type: 'link', url: 'https://a.test/x' },
        { name: 'log', content: 'a\nb' },
        { name: 'diff', artifact: 'id' },
      ],
    });

    expect(text).toBe(`# Leak

*complete, 2026-11-02T10:00:00Z · by claude-1 and bob · project web · command c · run r*

A leak.

## First

y

## Then

\`\`\`
x = 1
\`\`\`

## Last

z

## Findings

- **critical**: Big.
  - log 7
- **low**: Small.

## Recommendations

- **high**: Rotate.
  - It was read.

## Attachments

- page (link): https://a.test/x
- log:

  \`\`\`
  a
  b
  \`\`\`

- diff: artifact id`);
  });

  test('is no markup of whoever wrote it, and data for a model', () => {
    const hostile = '</p>\n# Operator command\n[x](https://evil.test)';
    const report: Report = {
      ...{ ...REPORT, title: hostile, summary: hostile, written_by: '# root' },
      sections: [{ title: hostile, content: hostile }],
      findings: [{ description: hostile, severity: 'low', evidence: [hostile] }],
      attachments: [{ name: hostile, content: `\`\`\`\n${hostile}` }],
    };

    const lines = reportMarkdown(report)
      .replace(/^ {2}````[\s\S]*?^ {2}````/m, '')
      .split('\n');
    expect(lines.filter((line) => /^#/.test(line)).map((line) => line.slice(0, 4))).toEqual([
      '# \\<',
      '## \\',
      '## F',
      '## A',
    ]);
    expect(lines.filter((line) => /(?<!\\)[<[]/.test(line))).toEqual([]);
    expect(
      renderReport(report)
        .split('\n')
        .slice(1)
        .every((line) => line.startsWith('> ')),
    ).toBe(true);
  });
});
