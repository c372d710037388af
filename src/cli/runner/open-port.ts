import { readFile } from 'node:fs/promises';
import { type Config, isLoopback, thisHost } from '../../config.ts';
import { DomainError, messageOf } from '../../errors.ts';
import { openLocal } from '../../local.ts';
import type { Log } from '../../log.ts';
import { personName } from '../../person-name.ts';
import { proxyTo } from '../../proxy.ts';
import { databasePort, type RunnerPort } from '../../runner/port.ts';
import { httpPort } from '../../runner/port-http.ts';
import { SendOn } from '../../telemetry/send-on.ts';
import { mistyped } from '../mistyped.ts';

const SEND_ON_MS_MAX = 2_000;

export type PortOptions = { url?: string; tokenFile?: string };

/** The way of a runner to what it reports to. */
export type OpenedPort = {
  /** What does not answer when it is away. */
  what: 'database' | 'server';
  /** Tells agents of one name apart that belong to several servers. */
  place: string;
  portOf(agent: string): RunnerPort;
  close(): Promise<void>;
};

/** Opens the database of this machine, or with `--url` the way to a server. */
export function openPort(config: Config, log: Log, options: PortOptions): Promise<OpenedPort> {
  return options.url === undefined ? overDatabase(config, log, options) : overHttp(options.url, config, options);
}

async function overDatabase(config: Config, log: Log, { tokenFile }: PortOptions): Promise<OpenedPort> {
  if (tokenFile !== undefined) throw mistyped('A token is for a server.', 'Name the server with --url too.');
  const person = personName();
  const { db, actor, close } = await openLocal({ ...config, lingerSeconds: 0 }, log, { person });
  const client = await person;
  const sendOn = SendOn.from(config, log);
  return {
    what: 'database',
    place: '',
    portOf: (agent) => databasePort({ db, actor: { ...actor, agent, client }, sendOn }, agent),
    async close() {
      await sendOn?.close(SEND_ON_MS_MAX);
      await close();
    },
  };
}

async function overHttp(given: string, config: Config, options: PortOptions): Promise<OpenedPort> {
  const url = URL.parse(given);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw mistyped('--url is the address of a `cairn serve`.', 'Like --url https://cairn.example.com.');
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw mistyped(
      `A token does not go to ${url.host} in the clear.`,
      'Name a server of another machine with https://.',
    );
  }
  const token = await tokenOf(options);
  return {
    what: 'server',
    place: url.host,
    portOf: (agent) => httpPort({ url, token, proxy: proxyTo(url, config) }, agent),
    close: async () => {},
  };
}

/** Returns the token, which no command line has: every user of a machine sees those. */
async function tokenOf(options: PortOptions): Promise<string | undefined> {
  const token = await givenToken(options);
  if (token === undefined || /^[\x21-\x7e]+$/.test(token)) return token;
  throw mistyped(
    `${options.tokenFile === undefined ? TOKEN_VARIABLE : 'The file of --token-file'} holds more than a token, or none.`,
    'Keep what `cairn auth pat create` prints on standard output, and nothing else.',
  );
}

async function givenToken({ tokenFile }: PortOptions): Promise<string | undefined> {
  if (tokenFile === undefined) return thisHost().env[TOKEN_VARIABLE] || undefined;
  try {
    return (await readFile(tokenFile, 'utf8')).trim();
  } catch (error) {
    throw new DomainError('invalid_input', `The token cannot be read: ${messageOf(error)}.`, {
      hint: 'Correct --token-file.',
      mistyped: true,
    });
  }
}

const TOKEN_VARIABLE = 'CAIRN_TOKEN';

// Secrets of runners and servers. An agent's own Cairn reaches its database with DATABASE_URL or SUPABASE_SECRET_KEY, as
// where a person starts it.
const SECRET_VARIABLES: ReadonlySet<string> = new Set([
  TOKEN_VARIABLE,
  'CAIRN_METRICS_TOKEN',
  'CAIRN_OIDC_PROVIDERS',
  'CAIRN_OTLP_EXPORT_HEADERS',
  'CAIRN_LOGIN_SUPABASE_KEY',
]);
const DATABASE_SECRETS: ReadonlySet<string> = new Set(['DATABASE_URL', 'SUPABASE_SECRET_KEY']);

/** Returns the environment for the agent. Where the runner reaches a server, the agent gets no key of a database. */
export function agentEnvironment(agent: string, { url }: Pick<PortOptions, 'url'>): NodeJS.ProcessEnv {
  const isHidden = (name: string) => SECRET_VARIABLES.has(name) || (url !== undefined && DATABASE_SECRETS.has(name));
  const given = Object.entries(thisHost().env).filter(([name]) => !isHidden(name));
  return { ...Object.fromEntries(given), CAIRN_AGENT: agent };
}
