import { Secret } from '../base/secret.ts';
import { quote } from '../base/words.ts';
import type { NodePublishSecret, Pod } from './attributes.ts';
import type { Stage } from './finding.ts';
import type { Identity } from './model.ts';
import { findToken, IDENTITY_BINDING_AUDIENCE, WORKLOAD_IDENTITY_AUDIENCE } from './tokens.ts';

/** The identity a manifest asks for; its credentials come with the request. */
export type IdentityRequest =
  /** `secretName` is the node-publish secret's name, where the manifest tells it. */
  | { readonly kind: 'service-principal'; readonly secretName: string }
  | { readonly kind: 'workload-identity'; readonly clientId: string }
  | { readonly kind: 'identity-binding'; readonly clientId: string }
  | { readonly kind: 'managed-identity'; readonly clientId: string }
  | { readonly kind: 'pod-identity' };

/** What came with the request to prove an identity. */
export interface Credentials {
  readonly pod: Pod;
  readonly tokens: Secret | undefined;
  readonly secret: NodePublishSecret | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Sentences about parameters that are ignored and were meant to name another identity; default: none. */
  readonly ignored?: readonly string[];
}

/** The identity with its credentials, or what is missing and how to provide it. */
export type ResolvedIdentity =
  | { readonly ok: true; readonly identity: Identity }
  | { readonly ok: false; readonly message: string; readonly stage: Stage };

/** The official provider's texts for tokens that are not there, or cannot be read. */
const TOKENS = {
  'workload-identity': {
    audience: WORKLOAD_IDENTITY_AUDIENCE,
    missing: 'failed to parse workload identity tokens, error: service account tokens not found',
    unreadable: 'failed to parse workload identity tokens',
  },
  'identity-binding': {
    audience: IDENTITY_BINDING_AUDIENCE,
    missing: 'service account tokens are required for identity binding',
    unreadable: 'failed to parse service account token for identity binding',
  },
} as const;

/** The official provider's name of an identity mode, part of its error texts. */
const MODE: Readonly<Record<IdentityRequest['kind'], string>> = {
  'service-principal': 'None',
  'workload-identity': 'None',
  'identity-binding': 'AzureTokenProxy',
  'managed-identity': 'VMManagedIdentity',
  'pod-identity': 'PodIdentity',
};

/** What a request lacks that no credentials can mend; undefined where it is whole. */
export function requestProblem(request: IdentityRequest): string | undefined {
  if (request.kind !== 'identity-binding' || request.clientId !== '') return undefined;
  return `${failureOf(request)}clientID is required for identity binding`;
}

/** Finds the credentials of the identity that the manifest asks for. Only what the identity uses is read. */
export function resolveIdentity(
  request: IdentityRequest,
  tenantId: string,
  credentials: Credentials,
): ResolvedIdentity {
  const refuse: Refuse = (reason, stage = 'parameters') => ({
    ok: false,
    message: `${failureOf(request)}${reason}`,
    stage,
  });
  switch (request.kind) {
    case 'managed-identity':
      return { ok: true, identity: request };
    case 'pod-identity': {
      const { name, namespace } = credentials.pod;
      return { ok: true, identity: { kind: 'pod-identity', podName: name, podNamespace: namespace } };
    }
    case 'workload-identity':
    case 'identity-binding': {
      const { audience, missing, unreadable } = TOKENS[request.kind];
      const hint = `${tokenHint(audience)}${modeHint(request, credentials.secret)}`;
      if (credentials.tokens === undefined) return refuse(`${missing}${hint}`);
      const found = findToken(credentials.tokens, audience, credentials.now);
      if (!found.ok) return refuse(`${unreadable}, error: ${found.reason}${found.absent ? hint : ''}`, found.stage);
      const { kind, clientId } = request;
      return { ok: true, identity: { kind, tenantId, clientId, token: found.token } };
    }
    case 'service-principal':
      return servicePrincipal(request.secretName, { ...credentials, tenantId, refuse });
  }
}

type Refuse = (reason: string, stage?: Stage) => ResolvedIdentity;

function failureOf({ kind }: IdentityRequest): string {
  return `failed to build auth config for mode ${MODE[kind]}: `;
}

interface PrincipalContext extends Pick<Credentials, 'secret' | 'ignored'> {
  readonly tenantId: string;
  readonly refuse: Refuse;
}

function servicePrincipal(secretName: string, context: PrincipalContext): ResolvedIdentity {
  const { tenantId, secret, refuse } = context;
  if (secret === undefined) {
    const reason = 'failed to get credentials, nodePublishSecretRef secret is not set';
    return refuse(`${reason}; ${noSecretRemedy(secretName, context.ignored ?? [])}`);
  }
  const named = namedSecret(secretName, secret);
  const find = (key: string): string => {
    const values = [...secret].filter(([name]) => name.trim().toLowerCase() === key);
    return values.map(([, value]) => value.reveal().trim()).find((value) => value !== '') ?? '';
  };
  const clientId = find('clientid');
  if (clientId === '') return refuse(`could not find clientid in secrets; add the key "clientid" to ${named}`);
  const certificate = find('clientcertificate');
  const clientSecret = find('clientsecret');
  if (clientSecret !== '') {
    return {
      ok: true,
      identity: { kind: 'service-principal', tenantId, clientId, clientSecret: new Secret(clientSecret) },
    };
  }
  if (certificate !== '') {
    const password = find('clientcertificatepassword');
    return {
      ok: true,
      identity: {
        kind: 'client-certificate',
        tenantId,
        clientId,
        certificate: new Secret(certificate),
        password: password === '' ? undefined : new Secret(password),
      },
    };
  }
  return refuse(
    `could not find clientsecret in secrets; add the key "clientsecret" (or "clientcertificate") to ${named}`,
  );
}

/** "mode None" is the official provider's word, which nobody writes into a manifest. */
function noSecretRemedy(secretName: string, ignored: readonly string[]): string {
  const name = secretName === '' ? '<Secret with clientid and clientsecret>' : secretName;
  const add = `add "nodePublishSecretRef: {name: ${name}}" to the pod's csi volume`;
  if (secretName !== '') return `${add} (mode None is a service principal)`;
  const none = 'mode None is a service principal, since no other identity is named';
  if (ignored.length > 0) return `${ignored.join('; ')}; if a service principal is meant (${none}), ${add}`;
  return `${add}, or name another identity: clientID for workload identity, useVMManagedIdentity: "true" for the node's (${none})`;
}

/** Keys that are shown of a Secret. */
const MAX_KEYS = 10;

/** The Secret that lacks a key, with the names of those it has: the provider is not told what the Secret is called. */
function namedSecret(secretName: string, secret: NodePublishSecret): string {
  const keys = [...secret.keys()];
  const shown = keys.slice(0, MAX_KEYS).map((key) => (/^[-._A-Za-z0-9]{1,60}$/.test(key) ? key : quote(key)));
  const more = keys.length > MAX_KEYS ? ` and ${keys.length - MAX_KEYS} more` : '';
  const has = keys.length === 0 ? 'it has no keys' : `it has: ${shown.join(', ')}${more}`;
  const told = secretName === '' ? '' : ` (the SecretProviderClass names "${secretName}")`;
  return `the Secret that the pod's nodePublishSecretRef names${told}; ${has}`;
}

/** Why tokens are asked for at all, where nobody wrote so into the manifest. */
function modeHint({ kind }: IdentityRequest, secret: NodePublishSecret | undefined): string {
  if (kind !== 'workload-identity') return '';
  const other =
    secret === undefined ? '' : '; if the service principal of nodePublishSecretRef is meant, remove clientID';
  return `${other} (mode None with clientID is workload identity)`;
}

function tokenHint(audience: string): string {
  return (
    `; the CSIDriver object must ask for it (spec.tokenRequests with audience ${audience}: ` +
    "the driver chart's value tokenRequests), and pods started before that must be restarted"
  );
}
