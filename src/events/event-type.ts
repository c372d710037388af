import type * as z from 'zod';

/**
 * An event type, declared once. `npm run schema` makes of it what SQL checks and the table of docs/events.md; tools take
 * the same schemas. The types are in functions, so that a start of the program makes none of them.
 */
export type EventType = {
  /** What the event says, as a phrase. */
  says: string;
  /** It begins its stream. */
  creates?: true;
  /** Who records it, if not any caller: the door, as what follows from another event, or only a verb of Cairn's own. */
  by?: 'door' | 'verb';
  data: z.ZodObject;
  /** The fields that the door adds, and no caller may give. */
  added?: z.ZodObject;
};

export type EventTypes = Readonly<Record<`${string}.${string}`, EventType>>;
