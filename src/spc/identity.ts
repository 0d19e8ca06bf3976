import { Secret } from '../base/secret.ts';
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
      const hint = tokenHint(audience);
      if (credentials.tokens === undefined) return refuse(`${missing}${hint}`);
      const found = findToken(credentials.tokens, audience, credentials.now);
      if (!found.ok) return refuse(`${unreadable}, error: ${found.reason}${found.absent ? hint : ''}`, found.stage);
      const { kind, clientId } = request;
      return { ok: true, identity: { kind, tenantId, clientId, token: found.token } };
    }
    case 'service-principal':
      return servicePrincipal(request.secretName, { tenantId, secret: credentials.secret, refuse });
  }
}

type Refuse = (reason: string, stage?: Stage) => ResolvedIdentity;

function failureOf({ kind }: IdentityRequest): string {
  return `failed to build auth config for mode ${MODE[kind]}: `;
}

interface PrincipalContext {
  readonly tenantId: string;
  readonly secret: NodePublishSecret | undefined;
  readonly refuse: Refuse;
}

function servicePrincipal(secretName: string, { tenantId, secret, refuse }: PrincipalContext): ResolvedIdentity {
  const named = secretName === '' ? 'the Secret' : `the Secret "${secretName}"`;
  if (secret === undefined) {
    const name = secretName === '' ? '<Secret with clientid and clientsecret>' : secretName;
    return refuse(
      'failed to get credentials, nodePublishSecretRef secret is not set; ' +
        `add "nodePublishSecretRef: {name: ${name}}" to the pod's csi volume`,
    );
  }
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

function tokenHint(audience: string): string {
  return (
    `; the CSIDriver object must ask for it (spec.tokenRequests with audience ${audience}: ` +
    "the driver chart's value tokenRequests), and pods started before that must be restarted"
  );
}
