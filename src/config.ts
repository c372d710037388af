import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import * as z from 'zod';
import { DomainError } from './errors.ts';
import { findProjectFile } from './project-file.ts';
import { cleanName } from './text.ts';

const Flag = z.union([
  z.boolean(),
  z.enum(['0', '1', 'true', 'false', '']).transform((v) => v === '1' || v === 'true'),
]);
const NameList = z
  .string()
  .max(500)
  .transform((list) =>
    list
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  );

/** What the answers of tools hold: text for a model, data for a program, or both. */
export const Output = z.enum(['text', 'json', 'both']);
export type Output = z.infer<typeof Output>;

const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_PORT = 7070;

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** Tells whether only this machine reaches the host that a URL or a bind address names. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host) || host === '::1';
}

const Origin = z.string().refine((text) => URL.canParse(text) && new URL(text).origin === text.replace(/\/$/, ''), {
  message: 'must be an origin like https://cairn.example.com, without a path',
});
const PublicUrl = Origin.transform((text) => new URL(text).origin).refine(
  (origin) => origin.startsWith('https://') || isLoopback(new URL(origin).hostname),
  { message: 'must start with https:// unless it is of this machine' },
);

const OidcProvider = z.strictObject({
  /** Part of its addresses here: /login/oidc/ID. */
  id: z.string().regex(/^[\w-]{1,40}$/, 'must be a short word'),
  /** The text of its button. */
  name: z.string().min(1).max(60),
  issuer: z
    .url({ protocol: /^https?$/ })
    .refine((url) => url.startsWith('https:') || isLoopback(new URL(url).hostname), {
      message: 'must start with https://',
    }),
  client_id: z.string().min(1).max(500),
  client_secret: z.string().min(1).max(1_000).optional(),
});
export type OidcProvider = z.infer<typeof OidcProvider>;

/** A setting that is a list or an object is written as JSON. */
const Json = z
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

const Config = z.object({
  /** The directory of the embedded database. */
  dataDir: z.string().min(1).max(1_000),
  /** How long the embedded database goes on when the last one has left; with 0 whoever leaves last stops it. */
  lingerSeconds: z.coerce.number().int().min(0).max(3_600).default(45),
  /** A PostgreSQL server to use instead of the embedded one. */
  databaseUrl: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'must start with postgres:// or postgresql://')
    .optional(),
  /** A Supabase project to use instead: its URL, and a key that a signed-in user or a server calls it with. */
  supabaseUrl: z.url({ protocol: /^https?$/, error: 'must start with https://' }).optional(),
  supabasePublishableKey: z.string().min(1).max(1_000).optional(),
  supabaseSecretKey: z.string().min(1).max(1_000).optional(),
  /** The directory in which `cairn login` keeps sessions. */
  configDir: z.string().min(1).max(1_000),
  /** The name under which this process acts; otherwise derived from the client. A worker's comes behind it and a /, 120 in all. */
  agent: z
    .string()
    .max(79)
    .overwrite((name) => cleanName(name, 79))
    .refine((name) => /^[^/]+$/.test(name), 'must be a name that can be seen, without /')
    .optional(),
  /** The session of the client that starts this process, where the client says so. */
  clientSession: z.string().min(4).max(200).optional().catch(undefined),
  /** The slug of the project that tools use when none is named. */
  project: z.string().min(1).max(100).optional(),
  toolsets: NameList.default(['default']),
  output: Output.default('text'),
  readOnly: Flag.default(false),
  logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  /** `cairn serve` listens here. */
  host: z.string().min(1).max(255).default(DEFAULT_HOST),
  port: z.coerce.number().int().min(0).max(65_535).default(DEFAULT_PORT),
  /** Clients reach it here, when that is not where it listens: an origin without a path. */
  publicUrl: PublicUrl.optional(),
  /** Callers have to prove who they are. */
  auth: Flag.default(false),
  /** The authorization server whose tokens count instead of ours, exactly as its metadata names itself. */
  authIssuer: z
    .url({ protocol: /^https?$/, error: 'must start with https://' })
    .max(500)
    .optional(),
  /** That server may be on a private network. */
  authIssuerPrivate: Flag.default(false),
  /** Web pages of other origins that may call `/mcp`. */
  allowedOrigins: NameList.pipe(z.array(Origin).max(20)).default([]),
  /** So many proxies stand in front: that many entries of X-Forwarded-For, from the right, are believed. */
  trustedProxies: z.coerce.number().int().min(0).max(10).default(0),
  /** A scraper presents this token to read `/metrics`; without one this machine alone may. */
  metricsToken: z.string().min(16).max(500).optional(),
  /** OpenID providers to sign in with. */
  oidcProviders: Json.pipe(z.array(OidcProvider).max(10)).default([]),
  /** A Supabase project to sign in with; by default that of the database. */
  loginSupabaseUrl: z.url({ protocol: /^https?$/, error: 'must start with https://' }).optional(),
  loginSupabaseKey: z.string().min(1).max(1_000).optional(),
  /** These may have an account without an invitation: verified addresses, and all of a domain. */
  allowEmails: NameList.default([]),
  allowDomains: NameList.default([]),
  /** A verified address joins a new identity to the account that has it. */
  linkByEmail: Flag.default(false),
  /** The lives of what our authorization server gives, and the time for which a used refresh token gives siblings. */
  accessTokenSeconds: z.coerce.number().int().min(900).max(86_400).default(3_600),
  refreshTokenDays: z.coerce.number().int().min(1).max(366).default(30),
  grantDays: z.coerce.number().int().min(1).max(366).default(90),
  refreshGraceSeconds: z.coerce.number().int().min(0).max(600).default(120),
  /** Programs may ask for the scope `admin`. */
  allowAdmin: Flag.default(false),
  /** Hosts whose client documents count; by default any on the public internet. */
  clientDocumentHosts: NameList.optional(),
  /** Clients may be known by the address of their document; else all of them register. */
  clientDocuments: Flag.default(true),
  /** What stands between this machine and the internet, as the environment says it to every program; and the hosts that it does not concern. */
  httpsProxy: z.string().max(2_000).optional().catch(undefined),
  noProxy: z
    .string()
    .default('')
    .transform((list) => list.split(/[\s,]+/).filter((name) => name !== '')),
});

export type Config = z.infer<typeof Config>;

/** Command line flags as given; each wins over its environment variable. */
export type Flags = { [Name in keyof Config]?: string | boolean | undefined };

/** Read by every program that goes out, and therefore no settings of ours. */
const PROXY_VARIABLES = Object.freeze({
  httpsProxy: ['https_proxy', 'HTTPS_PROXY'],
  noProxy: ['no_proxy', 'NO_PROXY'],
});

const VARIABLES: Readonly<Record<Exclude<keyof Config, keyof typeof PROXY_VARIABLES>, string>> = Object.freeze({
  dataDir: 'CAIRN_DATA_DIR',
  lingerSeconds: 'CAIRN_LINGER_SECONDS',
  databaseUrl: 'DATABASE_URL',
  supabaseUrl: 'SUPABASE_URL',
  supabasePublishableKey: 'SUPABASE_PUBLISHABLE_KEY',
  supabaseSecretKey: 'SUPABASE_SECRET_KEY',
  configDir: 'CAIRN_CONFIG_DIR',
  agent: 'CAIRN_AGENT',
  clientSession: 'CLAUDE_CODE_SESSION_ID',
  project: 'CAIRN_PROJECT',
  toolsets: 'CAIRN_TOOLSETS',
  output: 'CAIRN_OUTPUT',
  readOnly: 'CAIRN_READ_ONLY',
  logLevel: 'CAIRN_LOG_LEVEL',
  host: 'CAIRN_HOST',
  port: 'CAIRN_PORT',
  publicUrl: 'CAIRN_PUBLIC_URL',
  auth: 'CAIRN_AUTH',
  authIssuer: 'CAIRN_AUTH_ISSUER',
  authIssuerPrivate: 'CAIRN_AUTH_ISSUER_PRIVATE',
  allowedOrigins: 'CAIRN_ALLOWED_ORIGINS',
  trustedProxies: 'CAIRN_TRUSTED_PROXIES',
  metricsToken: 'CAIRN_METRICS_TOKEN',
  oidcProviders: 'CAIRN_OIDC_PROVIDERS',
  loginSupabaseUrl: 'CAIRN_LOGIN_SUPABASE_URL',
  loginSupabaseKey: 'CAIRN_LOGIN_SUPABASE_KEY',
  allowEmails: 'CAIRN_ALLOW_EMAILS',
  allowDomains: 'CAIRN_ALLOW_DOMAINS',
  linkByEmail: 'CAIRN_LINK_BY_EMAIL',
  accessTokenSeconds: 'CAIRN_ACCESS_TOKEN_SECONDS',
  refreshTokenDays: 'CAIRN_REFRESH_TOKEN_DAYS',
  grantDays: 'CAIRN_GRANT_DAYS',
  refreshGraceSeconds: 'CAIRN_REFRESH_GRACE_SECONDS',
  allowAdmin: 'CAIRN_ALLOW_ADMIN',
  clientDocumentHosts: 'CAIRN_CLIENT_DOCUMENT_HOSTS',
  clientDocuments: 'CAIRN_CLIENT_DOCUMENTS',
});

/** Reads flags, environment and the file that binds the working directory into one validated object. */
export function readConfig(
  flags: Flags = {},
  env: NodeJS.ProcessEnv = process.env,
  directory = workingDirectory(),
): Config {
  const given: Record<string, unknown> = { dataDir: defaultDataDir(env), configDir: defaultConfigDir(env) };
  for (const [name, variable] of Object.entries(VARIABLES)) {
    // An empty variable is how many tools write "not set".
    const value = flags[name as keyof Config] ?? (env[variable] || undefined);
    if (value !== undefined) given[name] = value;
  }
  for (const [name, variables] of Object.entries(PROXY_VARIABLES)) {
    const value = variables.map((variable) => env[variable]).find(Boolean);
    if (value !== undefined) given[name] = value;
  }
  if (given['project'] === undefined && directory !== undefined) given['project'] = findProjectFile(directory)?.project;
  const parsed = Config.safeParse(given);
  if (!parsed.success) throw invalidConfig(parsed.error);
  const { dataDir, configDir, authIssuer } = parsed.data;
  const auth = parsed.data.auth || authIssuer !== undefined;
  return oneEngine({ ...parsed.data, auth, dataDir: resolve(dataDir), configDir: resolve(configDir) }, flags);
}

/** Both may be in the environment of whoever works with the project; then only a flag says which one is meant. */
function oneEngine(config: Config, flags: Flags): Config {
  const { databaseUrl, supabaseUrl, ...rest } = config;
  if (databaseUrl === undefined || supabaseUrl === undefined) return config;
  if (flags.databaseUrl !== undefined && flags.supabaseUrl === undefined) return { ...rest, databaseUrl };
  if (flags.supabaseUrl !== undefined && flags.databaseUrl === undefined) return { ...rest, supabaseUrl };
  throw new DomainError('invalid_input', 'DATABASE_URL and SUPABASE_URL both name a database.', {
    hint: 'Unset one of them, or say which one with --database-url or --supabase-url.',
  });
}

/** The machine that a person works on, as far as paths depend on it. */
export type Host = { platform: NodeJS.Platform; home: string; env: NodeJS.ProcessEnv };

export function thisHost(): Host {
  return { platform: process.platform, home: homedir(), env: process.env };
}

/** The directory that this process was started in; it may have been removed since. */
function workingDirectory(): string | undefined {
  try {
    return process.cwd();
  } catch {
    return undefined;
  }
}

/** The URL by which clients reach a server, before it listens. Raises invalid_input for a port that is not known yet. */
export function publicUrlOf({ host, port, publicUrl }: Config): URL {
  if (publicUrl === undefined && port === 0) {
    throw new DomainError('invalid_input', 'With --auth the address must be known beforehand.', {
      hint: 'Choose a --port, or say --public-url.',
    });
  }
  return new URL(publicUrl ?? `http://${host.includes(':') ? `[${host}]` : host}:${port}`);
}

/** Tells whether an address was chosen: then it counts, and not what a server said of itself. */
export function choosesAddress({ host, port, publicUrl }: Config): boolean {
  return publicUrl !== undefined || host !== DEFAULT_HOST || port !== DEFAULT_PORT;
}

/** The environment for a process of ours that follows its flags alone. */
export function ownEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const ours = new Set(Object.values(VARIABLES));
  return Object.fromEntries(Object.entries(env).filter(([name]) => !ours.has(name)));
}

function invalidConfig(error: z.ZodError): DomainError {
  const issue = error.issues[0];
  const name = String(issue?.path[0]) as keyof typeof VARIABLES;
  const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return new DomainError('invalid_input', `The setting --${flag} is not valid: ${issue?.message}.`, {
    hint: `Correct the flag --${flag} or the environment variable ${VARIABLES[name]}.`,
  });
}

/** The directory of the embedded database when nothing names another one. */
export function defaultDataDir(env: NodeJS.ProcessEnv = process.env): string {
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'cairn');
  if (process.platform === 'win32') return join(env['LOCALAPPDATA'] ?? join(homedir(), 'AppData', 'Local'), 'cairn');
  if (env['XDG_DATA_HOME']) return join(env['XDG_DATA_HOME'], 'cairn');
  // PostgreSQL refuses to run as root, and the user it runs as instead may not enter root's home.
  if (process.getuid?.() === 0) return '/var/lib/cairn';
  return join(homedir(), '.local', 'share', 'cairn');
}

/** The directory of what concerns the user of this machine, apart from the database. */
function defaultConfigDir(env: NodeJS.ProcessEnv): string {
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Preferences', 'cairn');
  if (process.platform === 'win32') return join(env['APPDATA'] ?? join(homedir(), 'AppData', 'Roaming'), 'cairn');
  return join(env['XDG_CONFIG_HOME'] || join(homedir(), '.config'), 'cairn');
}
