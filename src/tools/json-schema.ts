import * as z from 'zod';
import type { Tool } from './tool.ts';

export type JsonSchema = { type: 'object'; [keyword: string]: unknown };

type Node = z.core.JSONSchema.BaseSchema;

const known = new WeakMap<Tool, { input: JsonSchema; output: JsonSchema }>();

/** What a client is told of a tool's arguments and results. Made once: each list would pay for it again. */
export function jsonSchemas(tool: Tool): { input: JsonSchema; output: JsonSchema } {
  const schemas = known.get(tool) ?? {
    input: jsonSchema(tool.input, 'input', leaveOutSizes),
    output: jsonSchema(tool.output, 'output', close),
  };
  known.set(tool, schemas);
  return schemas;
}

/** A tool's arguments with all their limits, as people read them. */
export function argumentsInFull(tool: Tool): JsonSchema {
  return jsonSchema(tool.input, 'input');
}

function jsonSchema(schema: z.ZodObject, io: 'input' | 'output', shorten?: (node: Node, depth: number) => void) {
  const { $schema: _, ...converted } = z.toJSONSchema(schema, {
    io,
    override({ jsonSchema: node, path }) {
      slim(node);
      shorten?.(node, path.length);
    },
  });
  return { ...converted, type: 'object' } satisfies JsonSchema;
}

/** Few texts and lists come near their limits, and a refusal names the one that was passed. */
function leaveOutSizes(node: Node): void {
  for (const size of ['minLength', 'maxLength', 'minItems', 'maxItems', 'minimum'] as const) delete node[size];
  if (node.default === false) delete node.default;
}

/** A result's own fields are told with their types, and may become more; what is within them shows itself. */
function close(node: Node, depth: number): void {
  delete node.additionalProperties;
  if (depth === 0) return;
  delete node.properties;
  delete node.required;
  delete node.items;
}

/** Leaves out what says nothing: every token of it is read by a model, again and again. */
function slim(node: Node): void {
  if (node.maximum === Number.MAX_SAFE_INTEGER) delete node.maximum;
  if (node.minimum === Number.MIN_SAFE_INTEGER) delete node.minimum;
  if (node.format !== undefined) delete node.pattern;
  delete node.propertyNames;
  if (typeof node.additionalProperties === 'object' && Object.keys(node.additionalProperties).length === 0) {
    delete node.additionalProperties;
  }
}
