/**
 * Service principal with a client secret or a client certificate from the node-publish secret: the mode of manifests of
 * the classic form that choose no other. Refuses requests without that secret, with the keys that it lacks.
 */

import { Secret } from '../../base/secret.ts';
import { quote } from '../../base/words.ts';
import type { NodePublishSecret } from '../attributes.ts';
import type { Fields } from '../fields.ts';
import { subdomainProblem } from '../kubernetes-names.ts';
import { placeholderIn } from '../placeholder.ts';
import type { Credentials, IdentityRow, Resolution } from './identity-row.ts';
import { lookupRemedy } from './workload-identity.ts';

/** `secretName` is the name of the node-publish secret, if the manifest gives it. */
interface Request {
  readonly kind: 'service-principal';
  readonly secretName: string;
}

interface Application {
  readonly tenantId: string;
  readonly clientId: string;
}

interface ServicePrincipal extends Application {
  readonly kind: 'service-principal';
  readonly clientSecret: Secret;
}

interface ClientCertificate extends Application {
  readonly kind: 'client-certificate';
  /** PEM of certificate and key, or a PFX in base64. */
  readonly certificate: Secret;
  readonly password: Secret | undefined;
}

type SecretIdentity = ServicePrincipal | ClientCertificate;

/** The meaning of the field of the `keyVault` form, for messages. */
export const SECRET_MEANING = 'the name of the Secret with clientid and clientsecret';

const FIELD = 'servicePrincipalLocalSecretName';

/** Service principal. */
export const servicePrincipal: IdentityRow<Request, SecretIdentity> = {
  officialMode: 'None',
  kinds: ['service-principal', 'client-certificate'],
  ofNode: false,
  chosenBy: undefined,
  parameters: [],
  readClassic: () => ({ kind: 'service-principal', secretName: '' }),
  credential: {
    field: FIELD,
    read: (credentials) => ({ kind: 'service-principal', secretName: secretNameOf(credentials) }),
  },
  needsTenant: true,
  audience: undefined,
  problem: () => undefined,
  resolve: ({ secretName }, credentials) => resolveSecret(secretName, credentials),
};

/**
 * Reads the name of the Secret. An invalid name is only a warning: the pod's volume names the Secret, and the Mount can
 * succeed.
 */
function secretNameOf(credentials: Fields): string {
  const name = credentials.filledIn(FIELD, SECRET_MEANING);
  if (name === '' || placeholderIn(name) !== undefined) return name;
  const problem = subdomainProblem(name);
  if (problem !== undefined) credentials.warning(FIELD, problem);
  return name;
}

function resolveSecret(
  secretName: string,
  { tenantId, secret, tokens, now, ignored = [] }: Credentials,
): Resolution<SecretIdentity> {
  const refuse = (reason: string) => ({ ok: false, reason }) as const;
  if (secret === undefined) {
    const reason = 'failed to get credentials, nodePublishSecretRef secret is not set';
    const lookup = secretName === '' && ignored.length === 0 ? lookupRemedy({ tokens, now }) : '';
    return refuse(`${reason}; ${noSecretRemedy(secretName, ignored)}${lookup}`);
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

/** "mode None" is the official provider's word for this mode; a manifest does not contain it. */
function noSecretRemedy(secretName: string, ignored: readonly string[]): string {
  const name = secretName === '' ? '<Secret with clientid and clientsecret>' : secretName;
  const add = `add "nodePublishSecretRef: {name: ${name}}" to the pod's csi volume`;
  if (secretName !== '') return `${add} (mode None is a service principal)`;
  const none = 'mode None is a service principal, since no other identity is named';
  if (ignored.length > 0) return `${ignored.join('; ')}; if a service principal is meant (${none}), ${add}`;
  return `${add}, or name another identity: clientID for workload identity, useVMManagedIdentity: "true" for the node's (${none})`;
}

/** The limit of keys of a Secret that are shown. */
const MAX_KEYS = 10;

/** Describes the Secret that lacks a key by the keys that it has, because the request does not name the Secret. */
function namedSecret(secretName: string, secret: NodePublishSecret): string {
  const keys = [...secret.keys()];
  const shown = keys.slice(0, MAX_KEYS).map((key) => (/^[-._A-Za-z0-9]{1,60}$/.test(key) ? key : quote(key)));
  const more = keys.length > MAX_KEYS ? ` and ${keys.length - MAX_KEYS} more` : '';
  const has = keys.length === 0 ? 'it has no keys' : `it has: ${shown.join(', ')}${more}`;
  const told = secretName === '' ? '' : ` (the SecretProviderClass names "${secretName}")`;
  return `the Secret that the pod's nodePublishSecretRef names${told}; ${has}`;
}
