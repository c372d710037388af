import * as z from 'zod';
import type { Tool } from './tool.ts';

export type JsonSchema = { type: 'object'; [keyword: string]: unknown };

const known = new WeakMap<Tool, { input: JsonSchema; output: JsonSchema }>();

/** What a client is told of a tool's arguments and results. Made once: each list would pay for it again. */
export function jsonSchemas(tool: Tool): { input: JsonSchema; output: JsonSchema } {
  const schemas = known.get(tool) ?? {
    input: jsonSchema(tool.input, 'input'),
    output: jsonSchema(tool.output, 'output'),
  };
  known.set(tool, schemas);
  return schemas;
}

function jsonSchema(schema: z.ZodObject, io: 'input' | 'output'): JsonSchema {
  const { $schema: _, ...converted } = z.toJSONSchema(schema, {
    io,
    override({ jsonSchema: node, path }) {
      slim(node);
      if (io === 'output' && path.length > 0) close(node);
    },
  });
  return { ...converted, type: 'object' };
}

/** A result's own fields are told with their types; what is within them shows itself, and would triple the list of tools. */
function close(node: z.core.JSONSchema.BaseSchema): void {
  delete node.properties;
  delete node.required;
  delete node.additionalProperties;
}

/** Leaves out what says nothing: every token of it is read by a model, again and again. */
function slim(node: z.core.JSONSchema.BaseSchema): void {
  if (node.maximum === Number.MAX_SAFE_INTEGER) delete node.maximum;
  if (node.minimum === Number.MIN_SAFE_INTEGER) delete node.minimum;
  if (node.format !== undefined) delete node.pattern;
  delete node.propertyNames;
  if (typeof node.additionalProperties === 'object' && Object.keys(node.additionalProperties).length === 0) {
    delete node.additionalProperties;
  }
}
