import { access } from 'node:fs/promises';
import type { Host } from '../config.ts';
import { CLIENTS, type Client, pathOf } from './catalog.ts';

/** Lists clients that left a trace on this machine or in the repository, in the order of the catalog. */
export async function detectClients(host: Host, repository: string | null): Promise<Client[]> {
  const found = await Promise.all(CLIENTS.map((client) => anyThere(placesOf(client, host, repository))));
  return CLIENTS.filter((_, at) => found[at]);
}

function placesOf(client: Client, host: Host, repository: string | null): string[] {
  const { join, delimiter } = pathOf(host);
  const directories = (host.env['PATH'] ?? host.env['Path'] ?? '').split(delimiter).filter((path) => path !== '');
  const endings = host.platform === 'win32' ? ['.exe', '.cmd'] : [''];
  return [
    ...client.traces(host),
    ...(repository === null ? [] : (client.projectTraces ?? []).map((trace) => join(repository, trace))),
    ...client.programs.flatMap((program) =>
      directories.flatMap((directory) => endings.map((ending) => join(directory, program + ending))),
    ),
  ];
}

async function anyThere(places: string[]): Promise<boolean> {
  const there = await Promise.all(
    places.map((place) =>
      access(place).then(
        () => true,
        () => false,
      ),
    ),
  );
  return there.includes(true);
}

/** Returns the nearest directory, from here up, that holds a repository. */
export async function findRepository(directory: string, host: Host): Promise<string | null> {
  const { join, dirname } = pathOf(host);
  for (let at = directory; ; at = dirname(at)) {
    if (await anyThere([join(at, '.git')])) return at;
    if (dirname(at) === at) return null;
  }
}
