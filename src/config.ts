import { homedir } from 'node:os';
import { resolve } from 'node:path';
import * as z from 'zod';
import { defaultConfigDir, defaultDataDir } from './default-directories.ts';
import { DomainError } from './errors.ts';
import { findProjectFile } from './project-file.ts';
import { Flag, HeaderList, Json, NameList } from './setting-forms.ts';
import { cleanName } from './text.ts';

/** The content of tools' answers: text for a model, data for a program, or both. */
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
  /** Its part in addresses here: /login/oidc/ID. */
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

const Config = z.object({
  /** The directory of the embedded database. */
  dataDir: z.string().min(1).max(1_000),
  /** How long the embedded database lingers after the last process has left; with 0 that process stops it. */
  lingerSeconds: z.coerce.number().int().min(0).max(3_600).default(45),
  /** A PostgreSQL server to use instead of the embedded one. */
  databaseUrl: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'must start with postgres:// or postgresql://')
    .optional(),
  /** A Supabase project to use instead: its URL, and the key for calls by a signed-in user or a server. */
  supabaseUrl: z.url({ protocol: /^https?$/, error: 'must start with https://' }).optional(),
  supabasePublishableKey: z.string().min(1).max(1_000).optional(),
  supabaseSecretKey: z.string().min(1).max(1_000).optional(),
  /** The directory in which `cairn login` keeps sessions. */
  configDir: z.string().min(1).max(1_000),
  /**
   * The name under which this process acts; by default derived from the client. A worker's name follows it after a /,
   * 120 in all.
   */
  agent: z
    .string()
    .max(79)
    .overwrite((name) => cleanName(name, 79))
    .refine((name) => /^[^/]+$/.test(name), 'must be a name that can be seen, without /')
    .optional(),
  /** The session of the client that started this process, if the client names it. */
  clientSession: z.string().min(4).max(200).optional().catch(undefined),
  /** How long a hook may keep a client waiting before it asks for a command; counted from the hook's own start. */
  hookMs: z.coerce.number().int().min(50).max(10_000).default(300),
  /** How many runners of agents this machine has at once, at most. */
  maxAgents: z.coerce.number().int().min(1).max(1_000).default(8),
  /** The slug of the project that tools use by default. */
  project: z.string().min(1).max(100).optional(),
  toolsets: NameList.default(['default']),
  output: Output.default('text'),
  readOnly: Flag.default(false),
  logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  /** The address on which `cairn serve` listens. */
  host: z.string().min(1).max(255).default(DEFAULT_HOST),
  port: z.coerce.number().int().min(0).max(65_535).default(DEFAULT_PORT),
  /** The address by which clients reach it, if it differs: an origin without a path. */
  publicUrl: PublicUrl.optional(),
  /** Requires authentication. */
  auth: Flag.default(false),
  /** The authorization server whose tokens replace ours, exactly as its metadata names itself. */
  authIssuer: z
    .url({ protocol: /^https?$/, error: 'must start with https://' })
    .max(500)
    .optional(),
  /** Allows that server to be on a private network. */
  authIssuerPrivate: Flag.default(false),
  /** Web pages of other origins that may call `/mcp`. */
  allowedOrigins: NameList.pipe(z.array(Origin).max(20)).default([]),
  /** The number of trusted proxies in front: as many entries of X-Forwarded-For count, from the right. */
  trustedProxies: z.coerce.number().int().min(0).max(10).default(0),
  /** The token for `/metrics`; without one only this machine may read them. */
  metricsToken: z.string().min(16).max(500).optional(),
  /** An endpoint of OTLP to which steps are sent on, and the headers for it, as `OTEL_EXPORTER_OTLP_HEADERS` has them. */
  otlpExportUrl: z
    .url({ protocol: /^https?$/, error: 'must start with https://' })
    .max(2_000)
    .refine((url) => !/^\w+:\/\/[^/]*@/.test(url), 'must have no password: that is a header')
    .optional(),
  otlpExportHeaders: HeaderList.default({}),
  /** OpenID providers to sign in with. */
  oidcProviders: Json.pipe(z.array(OidcProvider).max(10)).default([]),
  /** A Supabase project to sign in with; by default that of the database. */
  loginSupabaseUrl: z.url({ protocol: /^https?$/, error: 'must start with https://' }).optional(),
  loginSupabaseKey: z.string().min(1).max(1_000).optional(),
  /** Addresses and domains that may have an account without an invitation, if verified. */
  allowEmails: NameList.default([]),
  allowDomains: NameList.default([]),
  /** Lets a verified address join a new identity to the account that has it. */
  linkByEmail: Flag.default(false),
  /** The lifetimes of our authorization server's tokens, and how long a used refresh token gives siblings. */
  accessTokenSeconds: z.coerce.number().int().min(900).max(86_400).default(3_600),
  refreshTokenDays: z.coerce.number().int().min(1).max(366).default(30),
  grantDays: z.coerce.number().int().min(1).max(366).default(90),
  refreshGraceSeconds: z.coerce.number().int().min(0).max(600).default(120),
  /** Lets programs request the scope `admin`. */
  allowAdmin: Flag.default(false),
  /** Hosts whose client documents count; by default any on the public internet. */
  clientDocumentHosts: NameList.optional(),
  /** Lets clients identify themselves by the address of their document; otherwise all register. */
  clientDocuments: Flag.default(true),
  /** The proxies between this machine and the internet, as every program reads them, and the hosts past them. */
  httpsProxy: z.string().max(2_000).optional().catch(undefined),
  httpProxy: z.string().max(2_000).optional().catch(undefined),
  noProxy: z
    .string()
    .default('')
    .transform((list) => list.split(/[\s,]+/).filter((name) => name !== '')),
  /** The service of `s3:` places and the keys to it: checked by who opens one, as they may be for other programs. */
  s3Endpoint: z.string().max(2_000).optional().catch(undefined),
  s3Region: z.string().max(200).optional().catch(undefined),
  s3AccessKeyId: z.string().max(500).optional().catch(undefined),
  s3SecretAccessKey: z.string().max(500).optional().catch(undefined),
  s3SessionToken: z.string().max(10_000).optional().catch(undefined),
});

export type Config = z.infer<typeof Config>;

/** Command line flags as given; each wins over its environment variable. */
export type Flags = { [Name in keyof Config]?: string | boolean | undefined };

/** Every program with internet access, or every S3 client, reads these, so they are no settings of ours. */
const SHARED_VARIABLES = Object.freeze({
  httpsProxy: ['https_proxy', 'HTTPS_PROXY'],
  httpProxy: ['http_proxy', 'HTTP_PROXY'],
  noProxy: ['no_proxy', 'NO_PROXY'],
  s3Endpoint: ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'],
  s3Region: ['AWS_REGION', 'AWS_DEFAULT_REGION'],
  s3AccessKeyId: ['AWS_ACCESS_KEY_ID'],
  s3SecretAccessKey: ['AWS_SECRET_ACCESS_KEY'],
  s3SessionToken: ['AWS_SESSION_TOKEN'],
});

const VARIABLES: Readonly<Record<Exclude<keyof Config, keyof typeof SHARED_VARIABLES>, string>> = Object.freeze({
  dataDir: 'CAIRN_DATA_DIR',
  lingerSeconds: 'CAIRN_LINGER_SECONDS',
  databaseUrl: 'DATABASE_URL',
  supabaseUrl: 'SUPABASE_URL',
  supabasePublishableKey: 'SUPABASE_PUBLISHABLE_KEY',
  supabaseSecretKey: 'SUPABASE_SECRET_KEY',
  configDir: 'CAIRN_CONFIG_DIR',
  agent: 'CAIRN_AGENT',
  clientSession: 'CLAUDE_CODE_SESSION_ID',
  hookMs: 'CAIRN_HOOK_MS',
  maxAgents: 'CAIRN_MAX_AGENTS',
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
  otlpExportUrl: 'CAIRN_OTLP_EXPORT_URL',
  otlpExportHeaders: 'CAIRN_OTLP_EXPORT_HEADERS',
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
  const flagged = new Map<string, unknown>(Object.entries(flags));
  for (const [name, variable] of Object.entries(VARIABLES)) {
    // Many tools write "not set" as an empty variable.
    const value = flagged.get(name) ?? (env[variable] || undefined);
    if (value !== undefined) given[name] = value;
  }
  for (const [name, variables] of Object.entries(SHARED_VARIABLES)) {
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

/** Refuses two engines: a developer's environment may name both, and then only a flag decides. */
function oneEngine(config: Config, flags: Flags): Config {
  const { databaseUrl, supabaseUrl, ...rest } = config;
  if (databaseUrl === undefined || supabaseUrl === undefined) return config;
  if (flags.databaseUrl !== undefined && flags.supabaseUrl === undefined) return { ...rest, databaseUrl };
  if (flags.supabaseUrl !== undefined && flags.databaseUrl === undefined) return { ...rest, supabaseUrl };
  throw new DomainError('invalid_input', 'DATABASE_URL and SUPABASE_URL both name a database.', {
    hint: 'Unset one of them, or say which one with --database-url or --supabase-url.',
  });
}

/** The user's machine, as far as paths depend on it. */
export type Host = { platform: NodeJS.Platform; home: string; env: NodeJS.ProcessEnv };

export function thisHost(): Host {
  return { platform: process.platform, home: homedir(), env: process.env };
}

/** Returns the directory in which this process started; it may have been removed since. */
function workingDirectory(): string | undefined {
  try {
    return process.cwd();
  } catch {
    return undefined;
  }
}

/**
 * Returns the URL by which clients reach a server, before it listens. Raises invalid_input for a port that is not known
 * yet.
 */
export function publicUrlOf({ host, port, publicUrl }: Config): URL {
  if (publicUrl === undefined && port === 0) {
    throw new DomainError('invalid_input', '--auth needs an address that is known before the server starts.', {
      hint: 'Choose a --port, or say --public-url.',
    });
  }
  return new URL(publicUrl ?? `http://${host.includes(':') ? `[${host}]` : host}:${port}`);
}

/** Tells whether an address was configured: then it counts, not a server's own announcement. */
export function choosesAddress({ host, port, publicUrl }: Config): boolean {
  return publicUrl !== undefined || host !== DEFAULT_HOST || port !== DEFAULT_PORT;
}

/** Returns the environment for a process of ours that follows only its flags. */
export function ownEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const ours = new Set(Object.values(VARIABLES));
  return Object.fromEntries(Object.entries(env).filter(([name]) => !ours.has(name)));
}

function invalidConfig(error: z.ZodError): DomainError {
  const issue = error.issues[0];
  const name = String(issue?.path[0]);
  const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return new DomainError('invalid_input', `The setting --${flag} is not valid: ${issue?.message}.`, {
    hint: `Correct the flag --${flag} or the environment variable ${new Map(Object.entries(VARIABLES)).get(name)}.`,
  });
}
