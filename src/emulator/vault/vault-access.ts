/**
 * Checks the firewall and the permissions of a request to a vault. Each operation calls it. Refuses with 403.
 */

import { Refusal } from '../http/http.ts';
import type { Grant, ObjectKind, Vault } from '../world/model.ts';
import { isIdentity } from '../world/tenants.ts';
import { vaultRefusal } from './vault-errors.ts';
import type { Caller } from './vault-token.ts';

/** One use of one permission. `name` is absent if the use concerns the whole vault. */
export interface Use {
  readonly kind: ObjectKind;
  readonly permission: string;
  readonly name?: string | undefined;
}

/** RBAC data actions of the permissions, if they differ from `<kind>/<permission>/action`. */
const DATA_ACTIONS: Readonly<Record<string, string>> = {
  'secrets get': 'secrets/getSecret/action',
  'secrets list': 'secrets/readMetadata/action',
  'secrets set': 'secrets/setSecret/action',
  'secrets delete': 'secrets/delete',
  'keys get': 'keys/read',
  'keys list': 'keys/read',
  'keys update': 'keys/update/action',
  'keys delete': 'keys/delete',
  'certificates get': 'certificates/read',
  'certificates list': 'certificates/read',
  'certificates delete': 'certificates/delete',
};

const SUBSCRIPTION = '00000000-0000-4000-8000-000000000000';

/** Refuses a use that is not permitted with 403, in the text of the vault's permission model. */
export function requireAccess(vault: Vault, caller: Caller, use: Use): void {
  if (vault.grants.some((grant) => covers(grant, caller, use))) return;
  throw vault.access === 'rbac' ? deniedByRbac(vault, caller, use) : deniedByPolicy(vault, caller, use);
}

/** Refuses with 403 if the vault's firewall is closed. */
export function requireOpenFirewall(vault: Vault, caller: Caller, address: string): void {
  if (!vault.firewallClosed) return;
  const message =
    'Client address is not authorized and caller is not a trusted service.\r\n' +
    `Client address: ${address}\r\nCaller: ${callerText(caller)}\r\n${vaultText(vault)}\r\n`;
  throw new Refusal(vaultRefusal(403, 'Forbidden', message, 'ForbiddenByFirewall'));
}

function covers(grant: Grant, { identity }: Caller, use: Use): boolean {
  if (identity === undefined || !isIdentity(identity, grant.identity)) return false;
  const permissions = grant.permissions[use.kind];
  if (permissions !== 'all' && !permissions.includes(use.permission)) return false;
  const wanted = use.name?.toLowerCase();
  return grant.objects === undefined || grant.objects.some((name) => name.toLowerCase() === wanted);
}

function deniedByRbac(vault: Vault, caller: Caller, use: Use): Refusal {
  const action = DATA_ACTIONS[`${use.kind} ${use.permission}`] ?? `${use.kind}/${use.permission}/action`;
  const vaultId = `/subscriptions/${SUBSCRIPTION}/resourcegroups/emulator/providers/microsoft.keyvault/vaults/${vault.name}`;
  const resource = use.name === undefined ? vaultId : `${vaultId}/${use.kind}/${use.name}`;
  const message = [
    'Caller is not authorized to perform action on resource.',
    'If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.',
    `Caller: ${callerText(caller)}`,
    `Action: 'Microsoft.KeyVault/vaults/${action}'`,
    `Resource: '${resource}'`,
    'Assignment: (not found)',
    'DenyAssignmentId: null',
    "DecisionReason: 'DeniedWithNoValidRBAC' ",
    `${vaultText(vault)}\r\n`,
  ].join('\r\n');
  return new Refusal(vaultRefusal(403, 'Forbidden', message, 'ForbiddenByRbac'));
}

function deniedByPolicy(vault: Vault, caller: Caller, use: Use): Refusal {
  const message =
    `The user, group or application '${callerText(caller).replace(';iss=', ';numgroups=0;iss=')}' does not have ` +
    `${use.kind} ${use.permission} permission on key vault '${vault.name};location=${vault.region}'. For help resolving ` +
    'this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287';
  return new Refusal(vaultRefusal(403, 'Forbidden', message, 'AccessDenied'));
}

function callerText({ appId, objectId, issuer }: Caller): string {
  return `appid=${appId};oid=${objectId};iss=${issuer}`;
}

function vaultText({ name, region }: Vault): string {
  return `Vault: ${name};location=${region}`;
}
