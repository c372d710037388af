import * as z from 'zod';
import { ref } from '../text.ts';

/** The whole id of something that a tool lists. */
export function idListedBy(tool: string) {
  return ref().refine((id) => z.guid().safeParse(id).success, `must be a whole id: ${tool} shows the ids`);
}
