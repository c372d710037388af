import { DEFAULT_TOOLS, SCOPES, scopeWords } from '../../src/tools/catalog.ts';
import { argumentsInFull, type JsonSchema, jsonSchemas } from '../../src/tools/json-schema.ts';
import type { Tool, Toolset } from '../../src/tools/tool.ts';

type Field = { type?: string; description?: string; [keyword: string]: unknown };

/** The reference page of a toolset, made from what its tools declare. */
export function toolsetPage({ name, description, tools }: Toolset): string {
  return [
    `# ${name}`,
    `${description} Generated from \`src/tools/${name}.ts\` by \`npm run docs\`.`,
    ...tools.map(toolEntry),
    '',
  ].join('\n\n');
}

/** README's table of toolsets; the tools of the default one are marked. */
export function toolsetTable(toolsets: readonly Toolset[]): string {
  const rows = toolsets.map(({ name, purpose, tools }) => {
    const names = tools.map((tool) => `\`${tool.name}\`${DEFAULT_TOOLS.includes(tool.name) ? '*' : ''}`);
    return `| [\`${name}\`](docs/tools/${name}.md) | ${names.join(' ')} | ${purpose} |`;
  });
  const all = `| \`default\` | ${DEFAULT_TOOLS.length} of those below, marked * | what an agent needs every day |`;
  return ['| toolset | tools | for |', '| --- | --- | --- |', all, ...rows].join('\n');
}

/** The table of scopes in docs/auth.md. */
export function scopeTable(): string {
  const rows = SCOPES.map((scope) => `| \`${scope}\` | ${scopeWords(scope)} |`);
  return ['| scope | allows to |', '| --- | --- |', ...rows].join('\n');
}

function toolEntry(tool: Tool): string {
  const { output } = jsonSchemas(tool);
  const shown = DEFAULT_TOOLS.includes(tool.name) ? 'in the default toolset' : 'not in the default toolset';
  return [
    `## ${tool.name}`,
    `**${tool.title}** · ${tool.effect} · scope \`${tool.scope}\` · ${shown}`,
    tool.description,
    argumentTable(argumentsInFull(tool)),
    `Returns ${Object.keys(output['properties'] ?? {})
      .map((field) => `\`${field}\``)
      .join(', ')}.`,
  ].join('\n\n');
}

function argumentTable(input: JsonSchema): string {
  const required = (input['required'] ?? []) as string[];
  const rows = Object.entries((input['properties'] ?? {}) as Record<string, Field>).map(
    ([name, field]) =>
      `| \`${name}\`${required.includes(name) ? ' *' : ''} | ${kindOf(field)} | ${cell(field.description ?? '')} |`,
  );
  return ['| argument (* required) | kind | meaning |', '| --- | --- | --- |', ...rows].join('\n');
}

function kindOf(field: Field): string {
  const { enum: values, pattern, maxLength, maxItems, minimum, maximum, items, default: preset } = field;
  const parts = [
    Array.isArray(values) ? values.join(', ') : field.type,
    items !== undefined && `of ${kindOf(items as Field)}`,
    pattern !== undefined && `matching \`${pattern}\``,
    maxLength !== undefined && `at most ${maxLength} characters`,
    maxItems !== undefined && `at most ${maxItems}`,
    (minimum !== undefined || maximum !== undefined) && `${minimum ?? ''} to ${maximum ?? ''}`.trim(),
    preset !== undefined && `default ${JSON.stringify(preset)}`,
  ];
  return cell(parts.filter((part) => part !== undefined && part !== false).join(', '));
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
