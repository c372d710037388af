import { isId } from '../events/ids.ts';
import { ref } from '../text.ts';

/** The whole id of something that a tool lists. */
export function idListedBy(tool: string) {
  return ref().refine(isId, `must be a whole id: ${tool} shows the ids`);
}
