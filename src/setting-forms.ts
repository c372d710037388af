// How settings are written in flags and variables.
import * as z from 'zod';

const Written = z.enum(['0', '1', 'true', 'false', '']).transform((v) => v === '1' || v === 'true');
export const Flag = z.union([z.boolean(), Written]);
export const NameList = z
  .string()
  .max(500)
  .transform((list) =>
    list
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  );

/** A setting that is a list or an object is written as JSON. */
export const Json = z
  .string()
  .max(20_000)
  .transform((written, context): unknown => {
    try {
      return JSON.parse(written);
    } catch {
      context.addIssue('must be JSON');
      return z.NEVER;
    }
  });

/** Pairs like `Authorization=Basic%20xyz,x-team=web`. An error never shows them. */
export const HeaderList = z
  .string()
  .max(10_000)
  .transform((written, context): Record<string, string> => {
    try {
      const pairs = written.split(',').filter((pair) => pair.trim() !== '');
      const named = new Headers(
        pairs.map((pair): [string, string] => {
          const [name = '', ...value] = pair.split('=');
          if (value.length === 0) throw new Error('A header has a name and a value.');
          return [name.trim(), decodeURIComponent(value.join('=').trim())];
        }),
      );
      return Object.fromEntries(named);
    } catch {
      context.addIssue('must be like Authorization=Basic%20xyz,x-team=web');
      return z.NEVER;
    }
  });
