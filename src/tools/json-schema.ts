import * as z from 'zod';
import type { Tool } from './tool.ts';

export type JsonSchema = { type: 'object'; [keyword: string]: unknown };

type Node = z.core.JSONSchema.BaseSchema;

const known = new WeakMap<Tool, { input: JsonSchema; output: JsonSchema }>();

/** The schemas of a tool's arguments and results for clients. Made once: otherwise each list would pay for it again. */
export function jsonSchemas(tool: Tool): { input: JsonSchema; output: JsonSchema } {
  const schemas = known.get(tool) ?? {
    input: jsonSchema(tool.input, 'input', leaveOutSizes),
    output: jsonSchema(tool.output, 'output', close),
  };
  known.set(tool, schemas);
  return schemas;
}

/** A tool's arguments with all their limits, for people. */
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

/** Removes sizes: few texts and lists come near their limits, and a refusal names the exceeded one. */
function leaveOutSizes(node: Node): void {
  for (const size of ['minLength', 'maxLength', 'minItems', 'maxItems', 'minimum'] as const) delete node[size];
  if (node.default === false) delete node.default;
}

/** Describes a result's own fields with their types, and allows more; nested fields explain themselves. */
function close(node: Node, depth: number): void {
  delete node.additionalProperties;
  if (depth === 0) return;
  delete node.properties;
  delete node.required;
  delete node.items;
}

/** Removes redundant parts: a model reads every token of it, again and again. */
function slim(node: Node): void {
  if (node.maximum === Number.MAX_SAFE_INTEGER) delete node.maximum;
  if (node.minimum === Number.MIN_SAFE_INTEGER) delete node.minimum;
  if (node.format !== undefined) delete node.pattern;
  delete node.propertyNames;
  if (typeof node.additionalProperties === 'object' && Object.keys(node.additionalProperties).length === 0) {
    delete node.additionalProperties;
  }
}
