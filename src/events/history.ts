import * as z from 'zod';
import { said } from '../text.ts';
import type { EventTypes } from './event-type.ts';

export const EventRedacted = z.object({ reason: said(4_000) });

/** @public */
export const historyEvents = () =>
  ({
    'event.redacted': { says: 'a payload was blanked, and why', by: 'door', data: EventRedacted },
  }) as const satisfies EventTypes;
