/**
 * The schema of a seed. `seed.ts` validates with it. All code that reads a seed uses its types.
 */

import * as v from 'valibot';
import { isGuid } from '../../base/guid.ts';
import { FAULT_ENTRIES } from '../host/faults.ts';
import { CURVES, type CurveName, KEY_TYPES, RSA_SIZES } from '../world/key-material.ts';
import { CERTIFICATE_ORDERS, PEM_PARTS } from '../world/secret-form.ts';

const TIME = /^([+-]\d+[smhdy]|\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:\d\d))?)$/;

/** Permissions of a grant, by collection. */
export const PERMISSIONS = {
  secrets: ['get', 'list', 'set', 'delete', 'recover', 'purge'],
  keys: ['get', 'list', 'create', 'import', 'update', 'delete', 'recover', 'purge', 'rotate'],
  certificates: ['get', 'list', 'create', 'import', 'update', 'delete', 'recover', 'purge'],
} as const;

const text = v.pipe(v.string('must be text; quote it'), v.minLength(1, 'must not be empty'));
const guid = v.pipe(text, v.check(isGuid, 'must be a GUID; quote it'));
const seconds = v.pipe(v.number('must be a number of seconds'), v.integer(), v.minValue(1));
const milliseconds = v.pipe(v.number('must be a number of milliseconds'), v.minValue(0));
const flag = v.boolean('must be true or false');
const time = v.pipe(text, v.regex(TIME, 'must be a date (2030-01-31, 2030-01-31T12:00:00Z) or an offset (-1d, +12h)'));
const objectName = v.pipe(text, v.regex(/^[0-9A-Za-z-]{1,127}$/, 'must be 1 to 127 of 0-9, A-Z, a-z and "-"'));
const versionId = v.pipe(text, v.regex(/^[0-9a-f]{32}$/i, 'must be 32 hexadecimal digits'));
const texts = v.array(text, 'must be a list of texts');
const tags = v.record(text, v.string('must be text; quote it'), 'must be a map of texts');
const secretText = v.string('must be text; quote it');

const key = v.strictObject({
  kty: v.optional(v.picklist(KEY_TYPES)),
  size: v.optional(v.picklist(RSA_SIZES)),
  crv: v.optional(v.picklist(Object.keys(CURVES) as CurveName[])),
});

const attributes = {
  enabled: v.optional(flag),
  notBefore: v.optional(time),
  expires: v.optional(time),
  created: v.optional(time),
  tags: v.optional(tags),
};

const federated = v.strictObject({
  subject: text,
  issuer: v.optional(text),
  audience: v.optional(text),
  signature: v.optional(v.picklist(['checked', 'any'])),
  publicKeys: v.optional(texts),
  jwks: v.optional(v.strictObject({ keys: v.array(v.record(v.string(), v.unknown())) })),
});

const identity = v.strictObject({
  name: text,
  clientId: guid,
  objectId: v.optional(guid),
  secrets: v.optional(v.array(v.strictObject({ value: secretText, expires: v.optional(time) }))),
  certificates: v.optional(texts),
  federated: v.optional(v.array(federated)),
  managed: v.optional(
    v.strictObject({
      systemAssigned: v.optional(flag),
      resourceId: v.optional(text),
      pods: v.optional(v.array(v.strictObject({ namespace: text, name: text }))),
    }),
  ),
});

const tenant = v.strictObject({
  id: v.union([guid, v.literal('adfs')], 'must be a GUID (quoted) or "adfs"'),
  names: v.optional(texts),
  tokenLifetimeSeconds: v.optional(seconds),
  identities: v.optional(v.array(identity)),
});

const validity = v.strictObject({ from: v.optional(time), to: v.optional(time) });
const authority = v.strictObject({
  name: text,
  subject: v.optional(text),
  issuer: v.optional(text),
  key: v.optional(key),
  validity: v.optional(validity),
});

const ciphers = ['aes-256-cbc', 'aes-128-cbc', '3des', 'none'] as const;
const form = v.strictObject({
  preset: v.optional(v.picklist(['keyVault', 'legacy', 'modern'])),
  order: v.optional(v.picklist(CERTIFICATE_ORDERS)),
  withKey: v.optional(flag),
  password: v.optional(v.picklist(['null', 'empty'])),
  keyCipher: v.optional(v.picklist(ciphers)),
  certificateCipher: v.optional(v.picklist([...ciphers, 'rc2-40'])),
  mac: v.optional(v.picklist(['sha1', 'sha256', 'sha384', 'sha512', 'none'])),
  iterations: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
});

const issue = {
  issuer: v.optional(text),
  subject: v.optional(text),
  dns: v.optional(texts),
  ip: v.optional(texts),
  email: v.optional(texts),
  ekus: v.optional(texts),
  key: v.optional(key),
  validity: v.optional(validity),
};

const valueFrom = v.union(
  [
    v.strictObject({ chain: text, parts: v.pipe(v.array(v.picklist(PEM_PARTS)), v.minLength(1)) }),
    v.strictObject({ chain: text, form }),
    v.strictObject({ authority: text }),
  ],
  'must be {chain, parts}, {chain, form} or {authority}',
);

const secretFields = {
  ...attributes,
  value: v.optional(secretText),
  valueFrom: v.optional(valueFrom),
  contentType: v.optional(text),
};
const keyFields = { ...attributes, ...key.entries, operations: v.optional(texts) };
const certificateFields = {
  ...attributes,
  ...issue,
  contentType: v.optional(v.picklist(['application/x-pkcs12', 'application/x-pem-file'])),
  exportable: v.optional(flag),
  form: v.optional(form),
  chain: v.optional(text),
  content: v.optional(secretText),
  password: v.optional(secretText),
};

const grant = v.strictObject({
  identity: text,
  secrets: v.optional(permissions(PERMISSIONS.secrets)),
  keys: v.optional(permissions(PERMISSIONS.keys)),
  certificates: v.optional(permissions(PERMISSIONS.certificates)),
  objects: v.optional(v.array(objectName)),
});

const vault = v.strictObject({
  name: v.pipe(text, v.regex(/^[0-9A-Za-z-]{3,24}$/, 'must be 3 to 24 of 0-9, A-Z, a-z and "-"')),
  tenant: text,
  region: v.optional(text),
  access: v.optional(v.picklist(['rbac', 'policy'])),
  firewall: v.optional(v.picklist(['open', 'closed'])),
  grants: v.optional(v.array(grant)),
  secrets: v.optional(v.array(named(secretFields))),
  keys: v.optional(v.array(named(keyFields))),
  certificates: v.optional(v.array(named(certificateFields))),
});

/** The document in a seed file. `examples/emulator-seed.yaml` describes every field. */
export const SEED_SCHEMA = v.strictObject({
  latency: v.optional(
    v.strictObject({
      vaultMs: v.optional(milliseconds),
      entraMs: v.optional(milliseconds),
      imdsMs: v.optional(milliseconds),
    }),
  ),
  serviceAccountIssuer: v.optional(text),
  tenants: v.pipe(v.array(tenant), v.minLength(1, 'must name at least one tenant')),
  authorities: v.optional(v.array(authority)),
  chains: v.optional(v.array(v.strictObject({ name: text, ...issue }))),
  vaults: v.array(vault),
  faults: v.optional(v.array(v.strictObject(FAULT_ENTRIES))),
});

/** A seed as it is in YAML. Times are still text. */
export type Seed = v.InferOutput<typeof SEED_SCHEMA>;
export type SeedKey = v.InferOutput<typeof key>;
export type SeedForm = v.InferOutput<typeof form>;
export type SeedIdentity = v.InferOutput<typeof identity>;
export type SeedVault = Seed['vaults'][number];
export type SeedAuthority = v.InferOutput<typeof authority>;
export type SeedChain = NonNullable<Seed['chains']>[number];
export type SeedSecret = NonNullable<SeedVault['secrets']>[number];
export type SeedKeyObject = NonNullable<SeedVault['keys']>[number];
export type SeedCertificate = NonNullable<SeedVault['certificates']>[number];

/**
 * An object with a name and one version, or a number of equal versions, or a list of different versions, oldest first.
 */
function named<const E extends v.ObjectEntries>(entries: E) {
  return v.strictObject({
    name: objectName,
    version: v.optional(versionId),
    ...entries,
    versions: v.optional(
      v.union(
        [
          v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)),
          v.pipe(v.array(v.strictObject({ version: v.optional(versionId), ...entries })), v.minLength(1)),
        ],
        'must be a number up to 1000 or a list of versions, oldest first',
      ),
    ),
  });
}

function permissions<const P extends readonly string[]>(names: P) {
  return v.union([v.literal('all'), v.array(v.picklist(names))], `must be "all" or a list of ${names.join(', ')}`);
}
