import { setTimeout as sleep } from 'node:timers/promises';
import {
  isJSONRPCNotification,
  type JSONRPCMessage,
  type McpServer,
  ProtocolError,
  ProtocolErrorCode,
  ResourceNotFoundError,
  type ServerEvent,
  type ServerEventBus,
  SUBSCRIPTION_ID_META_KEY,
} from '@modelcontextprotocol/server';
import * as z from 'zod';
import type { Context } from '../../context.ts';
import { domainErrorFrom } from '../../errors.ts';
import { followEvents } from '../../services/events.ts';
import { toolNamed } from '../../tools/catalog.ts';
import { runCommand } from '../../tools/command.ts';
import { events as eventTools } from '../../tools/events.ts';
import { callTool } from '../../tools/tool.ts';
import { resourceUris, subjectOf } from './resources.ts';
import type { ServerOptions } from './server-options.ts';

const SUBSCRIPTIONS_MAX = 1_000;
const RETRY_MS = 1_000;
const ACKNOWLEDGE_MS_MAX = 5_000;

type Changed = (uri: string) => void;

/**
 * Names every resource that an event touches, from now on, until the signal ends it. Settles once it has begun: later
 * events are named. Raises the errors of list_events.
 */
async function followResources(ctx: Context, changed: Changed, signal: AbortSignal): Promise<void> {
  // Uses the one path, which knows whether this caller may read events.
  const { list_events } = eventTools.commands;
  const { position } = await runCommand(ctx, list_events, (input) => input.parse({ project: '*', page_size: 1 }));
  void (async () => {
    for await (const { events } of followEvents(ctx, position, signal)) {
      for (const uri of new Set(events.flatMap(resourceUris))) changed(uri);
    }
  })().catch((err) => ctx.log.warn({ err }, 'a subscription ended'));
}

/** Follows while something is subscribed: one reader, however many resources. */
function follower(contextOf: () => Promise<Context>, changed: Changed) {
  let following: { begun: Promise<void>; stop: AbortController } | undefined;
  return {
    begin(): Promise<void> {
      if (following !== undefined) return following.begun;
      const stop = new AbortController();
      const begun = contextOf().then((ctx) => followResources(ctx, changed, stop.signal));
      following = { begun, stop };
      begun.catch(() => {
        following = undefined;
      });
      return begun;
    },
    end(): void {
      following?.stop.abort();
      following = undefined;
    },
  };
}

const Subscription = z.looseObject({ uri: z.string().max(500) });

/** Adds `resources/subscribe` and `unsubscribe` of the 2025 protocol, for a lasting connection. */
export function addSubscriptions(server: McpServer, { contextOf }: ServerOptions): void {
  const uris = new Set<string>();
  const { begin, end } = follower(
    () => contextOf(server),
    (uri) => {
      if (uris.has(uri)) server.server.sendResourceUpdated({ uri }).catch(() => {});
    },
  );

  server.server.setRequestHandler('resources/subscribe', async ({ params }, request) => {
    const { uri } = Subscription.parse(params);
    if (uris.size >= SUBSCRIPTIONS_MAX)
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `There are ${SUBSCRIPTIONS_MAX} subscriptions already.`);
    await refuseUnknown(await contextOf(server, request), uri);
    uris.add(uri);
    await begin();
    return {};
  });
  server.server.setRequestHandler('resources/unsubscribe', ({ params }) => {
    uris.delete(Subscription.parse(params).uri);
    if (uris.size === 0) end();
    return {};
  });
  const onclose = server.server.onclose;
  server.server.onclose = () => {
    end();
    onclose?.();
  };
}

async function refuseUnknown(ctx: Context, uri: string): Promise<void> {
  const subject = subjectOf(uri);
  if (subject === undefined) throw new ResourceNotFoundError(uri);
  try {
    if (subject.ref === undefined) await callTool(ctx, toolNamed('get_project'), { project: subject.slug });
    else await callTool(ctx, toolNamed('get_task'), { task: subject.ref });
  } catch (thrown) {
    const error = domainErrorFrom(thrown);
    if (error.code === 'not_found') throw new ResourceNotFoundError(uri, error.message);
    throw new ProtocolError(ProtocolErrorCode.InternalError, error.message);
  }
}

const Acknowledged = z.looseObject({
  notifications: z.looseObject({ resourceSubscriptions: z.array(z.string()).min(1) }),
  _meta: z.looseObject({ [SUBSCRIPTION_ID_META_KEY]: z.union([z.string(), z.number()]) }),
});
const Cancelled = z.looseObject({ requestId: z.union([z.string(), z.number()]) });

/**
 * Follows events for `subscriptions/listen` of the 2026 protocol on a connection. The SDK answers it and filters for
 * each subscription; the messages on the connection show when one exists.
 */
export function listenFollower(contextOf: () => Promise<Context>, changed: Changed) {
  const open = new Set<string | number>();
  const { begin, end } = follower(contextOf, changed);

  /** The client was told that it will hear, so this waits for a database that is away. */
  async function beginPatiently(): Promise<void> {
    while (open.size > 0) {
      if (
        await begin().then(
          () => true,
          () => false,
        )
      )
        return;
      await sleep(RETRY_MS, undefined, { ref: false });
    }
  }

  return {
    /** Await it before the message is sent: events after an acknowledgement must be announced. */
    async sending(message: JSONRPCMessage): Promise<void> {
      if (!isJSONRPCNotification(message) || message.method !== 'notifications/subscriptions/acknowledged') return;
      const acknowledged = Acknowledged.safeParse(message.params).data;
      if (acknowledged === undefined) return;
      open.add(acknowledged._meta[SUBSCRIPTION_ID_META_KEY]);
      await Promise.race([beginPatiently(), sleep(ACKNOWLEDGE_MS_MAX, undefined, { ref: false })]);
    },
    received(message: JSONRPCMessage): void {
      if (!isJSONRPCNotification(message) || message.method !== 'notifications/cancelled') return;
      const cancelled = Cancelled.safeParse(message.params).data;
      if (cancelled !== undefined && open.delete(cancelled.requestId) && open.size === 0) end();
    },
    end(): void {
      open.clear();
      end();
    },
  };
}

/**
 * Announces the changes that a caller may see, for one stream over HTTP, from now on; keeps those before the stream
 * listens. Ends with the stream.
 */
export async function resourceBus(ctx: Context, over: () => void): Promise<ServerEventBus & { endUnheard(): void }> {
  const stop = new AbortController();
  const early = new Set<string>();
  let hear: ((event: ServerEvent) => void) | undefined;
  const changed = (uri: string) => (hear === undefined ? early.add(uri) : hear({ kind: 'resource_updated', uri }));
  function end(): void {
    stop.abort();
    over();
  }
  await followResources(ctx, changed, stop.signal);
  return {
    publish: (event) => hear?.(event),
    subscribe(listener) {
      hear = listener;
      for (const uri of early) listener({ kind: 'resource_updated', uri });
      early.clear();
      return end;
    },
    endUnheard: () => hear === undefined && end(),
  };
}
