import { mintSecret, mintWorkspaceSecret, type Secret, type SecretKind } from '../../src/auth/secrets.ts';

const MINT: Readonly<Record<SecretKind, (tenant_id: string) => Secret>> = Object.freeze({
  access: (tenant_id) => mintWorkspaceSecret('access', tenant_id),
  refresh: (tenant_id) => mintWorkspaceSecret('refresh', tenant_id),
  code: (tenant_id) => mintWorkspaceSecret('code', tenant_id),
  pat: (tenant_id) => mintWorkspaceSecret('pat', tenant_id),
  client: () => mintSecret('client'),
  session: () => mintSecret('session'),
  txn: () => mintSecret('txn'),
  browser: () => mintSecret('browser'),
  request: () => mintSecret('request'),
  login: () => mintSecret('login'),
  invitation: () => mintSecret('invitation'),
});

/** A secret of every kind, each in a workspace if it acts in one. */
export function mintEachKind(tenant_id: string): string[] {
  return Object.values(MINT).map((mint) => mint(tenant_id).secret);
}
