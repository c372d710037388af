import * as z from 'zod';
import { jsonObject, line } from '../text.ts';
import type { EventTypes } from './event-type.ts';
import { ProjectRef } from './projects.ts';

/** @public */
export const messageEvents = () =>
  ({
    'message.enqueued': {
      says: 'a trigger left a message',
      creates: true,
      by: 'door',
      data: z.object({ project: ProjectRef, topic: line(100), payload: jsonObject(65_536) }),
    },
  }) as const satisfies EventTypes;
