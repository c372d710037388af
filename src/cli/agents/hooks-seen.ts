import { join } from 'node:path';
import { CLIENTS } from '../../clients/catalog.ts';
import { clientsWithHooks } from '../../clients/changes.ts';
import { HOOK_HOSTS } from '../../clients/hooks.ts';
import type { Config } from '../../config.ts';
import type { Agent } from '../../events/agents.ts';
import { hostName } from '../../host-name.ts';
import { DIALECTS, isHookClient } from '../hook/dialects.ts';
import { readGaveUp } from '../hook/gave-up.ts';
import { fromNow } from '../terminal/table.ts';

/**
 * Tells of each client for which `cairn init` has installed hooks here that none of them has spoken: a client that does
 * not trust them says nothing.
 */
export function hooksNeverSeen({ configDir }: Pick<Config, 'configDir'>, agents: readonly Agent[]): string[] {
  const installed = clientsWithHooks(join(configDir, 'setup'));
  const here = hostName();
  return HOOK_HOSTS.filter(({ id }) => installed.includes(id)).flatMap(({ id, trust }) => {
    const type = isHookClient(id) ? DIALECTS[id].type : id;
    if (agents.some((agent) => agent.driver === 'hook' && agent.type === type && agent.host === here)) return [];
    const name = CLIENTS.find((client) => client.id === id)?.name ?? id;
    return `${name}: hooks never seen${trust === undefined ? '' : `. ${trust}`}.`;
  });
}

/** Tells of each client whose last trouble with a hook is fresh: the hook itself said nothing. */
export function hooksThatGaveUp({ dataDir }: Pick<Config, 'dataDir'>): string[] {
  return readGaveUp(dataDir).map(
    ({ event, agent, at, why }) => `The hook ${event} of ${agent} gave up ${fromNow(at)}: ${why}`,
  );
}
