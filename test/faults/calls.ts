/**
 * The outbound calls of the provider, one per row: the Mount that needs the call, the host that answers it, and the words
 * by which a message has to name that host. Lanes put faults on them.
 */
import type { IncomingMessage } from 'node:http';
import { Secret } from '../../src/base/secret.ts';
import type { PublishRequest } from '../../src/driver/publish.ts';
import type { Fault as EmulatorFault } from '../../src/emulator/host/faults.ts';
import { objectsText } from '../support/parity.ts';

/** One Mount of a lane, with everything of its own: tenant, identity, vault, pod and class. */
export interface Cell {
  readonly number: number;
  readonly tenant: string;
  readonly client: string;
  readonly clientSecret: string;
  readonly vault: string;
  readonly pod: string;
  readonly serviceAccount: string;
  readonly className: string;
  /** Begins every value of its secrets. */
  readonly value: string;
}

/** The hosts that a relay stands before. */
export type HostName = 'vault' | 'login' | 'imds' | 'nmi' | 'proxy' | 'api' | 'issuer';

/** How the identity of a Mount logs in. */
export type IdentityOfCall = 'principal' | 'managed' | 'pod' | 'binding' | 'workload';

/** One outbound call. */
export interface Call {
  readonly name: string;
  readonly host: HostName;
  readonly identity: IdentityOfCall;
  readonly object: Readonly<Record<string, unknown>>;
  readonly matches: (request: IncomingMessage) => boolean;
  /** The requests of a cell, as the emulator's faults select them. Absent: the emulator does not answer the call. */
  readonly at?: (cell: Cell) => Pick<EmulatorFault, 'on' | 'vault' | 'path'>;
  /** A text that a message has to contain, one of them. */
  readonly named: (cell: Cell) => readonly string[];
  /** What has to pass between the good Mount and a repeat of it, so that the repeat needs the call. */
  readonly after?: 'its token ends' | 'its class is asked for again';
  /** Bodies of refusals by status, in place of those that the emulator has for every fault. */
  readonly refusals?: Readonly<Record<number, Readonly<Record<string, string>>>>;
  /** True if a Mount never waits for the call, and does not fail with it. */
  readonly background?: boolean;
}

const OBJECT = 's';
const secret = { objectName: OBJECT, objectType: 'secret' };
const inPath =
  (part: string) =>
  ({ url = '' }: IncomingMessage): boolean =>
    url.includes(part);
const vaultCall = (name: string, object: Call['object'], path: string): Call => ({
  name,
  host: 'vault',
  identity: 'principal',
  object,
  matches: inPath(path),
  at: ({ vault }) => ({ on: 'vault', vault, path }),
  named: ({ vault }) => [`vault "${vault}"`, `the vault at ${vault}.vault.faults.test:`],
});
const entra = ['Entra ID at login.faults.test:'];
/** Refusals of Entra ID: no such tenant, wrong secret, conditional access. */
const ENTRA_REFUSALS = {
  400: { error: 'invalid_tenant', error_description: 'AADSTS90002: Tenant not found.' },
  401: { error: 'invalid_client', error_description: 'AADSTS7000215: Invalid client secret provided.' },
  403: { error: 'access_denied', error_description: 'AADSTS53003: Access has been blocked.' },
};

/** All outbound calls. */
export const CALLS: readonly Call[] = [
  vaultCall('secret', secret, '/secrets/'),
  vaultCall('versions of a secret', { ...secret, objectVersionHistory: 2 }, '/versions'),
  vaultCall('certificate', { objectName: OBJECT, objectType: 'cert' }, '/certificates/'),
  vaultCall('key', { objectName: OBJECT, objectType: 'key' }, '/keys/'),
  {
    name: 'token of Entra ID',
    host: 'login',
    identity: 'principal',
    object: secret,
    matches: inPath('/oauth2/v2.0/token'),
    at: ({ tenant }) => ({ on: 'entra', path: `/${tenant}/oauth2/v2.0/token` }),
    named: () => entra,
    refusals: ENTRA_REFUSALS,
    after: 'its token ends',
  },
  {
    name: 'metadata of Entra ID',
    host: 'login',
    identity: 'principal',
    object: secret,
    matches: inPath('/.well-known/openid-configuration'),
    at: ({ tenant }) => ({ on: 'entra', path: `/${tenant}/v2.0/.well-known/` }),
    named: () => entra,
    refusals: ENTRA_REFUSALS,
    after: 'its token ends',
  },
  {
    name: 'IMDS',
    host: 'imds',
    identity: 'managed',
    object: secret,
    matches: () => true,
    at: () => ({ on: 'imds' }),
    named: () => ['the managed identity endpoint'],
    after: 'its token ends',
  },
  {
    name: "pod identity's NMI",
    host: 'nmi',
    identity: 'pod',
    object: secret,
    matches: () => true,
    at: () => ({ on: 'nmi' }),
    // The official provider's words name no host.
    named: () => ["pod identity's NMI at localhost:2579", 'nmi response failed', 'nmi did not return'],
    after: 'its token ends',
  },
  {
    name: 'token proxy of identity binding',
    host: 'proxy',
    identity: 'binding',
    object: secret,
    matches: () => true,
    at: ({ tenant }) => ({ on: 'entra', path: `/${tenant}/` }),
    named: () => ["the cluster's token proxy at proxy.faults.test:"],
    refusals: ENTRA_REFUSALS,
  },
  {
    name: 'OpenID documents of the issuer',
    host: 'issuer',
    identity: 'workload',
    object: secret,
    matches: () => true,
    at: () => ({ on: 'issuer' }),
    named: () => [],
    background: true,
  },
  {
    name: 'API server',
    host: 'api',
    identity: 'managed',
    object: secret,
    matches: () => true,
    named: () => ['the API server at api.faults.test:'],
    after: 'its class is asked for again',
  },
];

/** The number of the cell of the other Mounts, whose hosts have no fault. */
export const BYSTANDER = 0;

/** The Mount of a bystander: a service principal that reads a secret. */
export const BYSTANDER_CALL: Pick<Call, 'identity' | 'object'> = { identity: 'principal', object: secret };

/** Returns the cell of a number. */
export function cellOf(number: number): Cell {
  const digits = String(number).padStart(8, '0');
  return {
    number,
    tenant: `${digits}-1111-4111-8111-111111111111`,
    client: `${digits}-2222-4222-8222-222222222222`,
    clientSecret: `Cl1ent~of~${number}~hidden`,
    vault: `cell-${number}`,
    pod: `pod-${number}`,
    serviceAccount: `account-${number}`,
    className: `class-${number}`,
    value: `Value~of~${number}~hidden`,
  };
}

/** Returns the seed of an emulator with a tenant, an identity and a vault for each cell. */
export function seedOf(call: Call, cells: readonly Cell[], issuer: string): string {
  const key = { kty: 'EC', crv: 'P-256' };
  const objects = ({ number, value }: Cell) => {
    const { objectType } = number === BYSTANDER ? secret : call.object;
    if (objectType === 'key') return { keys: [{ name: OBJECT, ...key }] };
    if (objectType === 'cert') return { certificates: [{ name: OBJECT, key }] };
    return { secrets: [{ name: OBJECT, versions: [0, 1].map((version) => ({ value: `${value}-${version}` })) }] };
  };
  return JSON.stringify({
    ...(issuer !== '' && { serviceAccountIssuer: issuer }),
    tenants: cells.map((cell) => ({
      id: cell.tenant,
      identities: [
        {
          name: `identity-${cell.number}`,
          clientId: cell.client,
          secrets: [{ value: cell.clientSecret }],
          managed: { pods: [{ namespace: 'prod', name: cell.pod }] },
          federated: ['api://AzureADTokenExchange', 'api://AKSIdentityBinding'].map((audience) => ({
            subject: subjectOf(cell),
            audience,
          })),
        },
      ],
    })),
    vaults: cells.map((cell) => ({
      name: cell.vault,
      tenant: cell.tenant,
      grants: [{ identity: `identity-${cell.number}`, secrets: 'all', keys: 'all', certificates: 'all' }],
      ...objects(cell),
    })),
  });
}

/** Returns the subject of the tokens of a cell's service account. */
export function subjectOf({ serviceAccount }: Cell): string {
  return `system:serviceaccount:prod:${serviceAccount}`;
}

const PARAMETERS: Readonly<Record<IdentityOfCall, (cell: Cell) => Readonly<Record<string, string>>>> = {
  principal: () => ({}),
  managed: ({ client }) => ({ useVMManagedIdentity: 'true', userAssignedIdentityID: client }),
  pod: () => ({ usePodIdentity: 'true' }),
  binding: ({ client }) => ({ useAzureTokenProxy: 'true', clientID: client }),
  workload: ({ client }) => ({ clientID: client }),
};

const AUDIENCES: Readonly<Partial<Record<IdentityOfCall, string>>> = {
  binding: 'api://AKSIdentityBinding',
  workload: 'api://AzureADTokenExchange',
};

/** Returns `spec.parameters` of the class of a cell. */
export function parametersOf(call: Pick<Call, 'identity' | 'object'>, cell: Cell): Readonly<Record<string, string>> {
  const { vault, tenant } = cell;
  return {
    keyvaultName: vault,
    tenantID: tenant,
    objects: objectsText([call.object]),
    ...PARAMETERS[call.identity](cell),
  };
}

/** Returns what a driver publishes for a cell. `newToken` makes a token of a service account. */
export function publishRequestOf(
  call: Pick<Call, 'identity' | 'object'>,
  cell: Cell,
  newToken: (request: { readonly subject: string; readonly audience: string }) => string,
): Omit<PublishRequest, 'targetDir'> {
  const audience = AUDIENCES[call.identity];
  const token = audience && newToken({ subject: subjectOf(cell), audience });
  const expirationTimestamp = new Date(Date.now() + 3_600_000).toISOString();
  return {
    parameters: parametersOf(call, cell),
    volumeAttributes: { secretProviderClass: cell.className },
    pod: { name: cell.pod, namespace: 'prod', uid: `uid-${cell.number}`, serviceAccount: cell.serviceAccount },
    ...(audience && { tokens: new Secret(JSON.stringify({ [audience]: { token, expirationTimestamp } })) }),
    ...(call.identity === 'principal' && {
      nodePublishSecret: { clientid: new Secret(cell.client), clientsecret: new Secret(cell.clientSecret) },
    }),
  };
}
