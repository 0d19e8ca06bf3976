/**
 * The operations on keys. The API of vaults calls it.
 */

import type { JsonObject } from '../../base/json.ts';
import type { HttpResponse } from '../http/http.ts';
import {
  CURVES,
  type CurveName,
  DEFAULT_KEY,
  defaultKeyOps,
  KEY_TYPES,
  type KeySpec,
  type PublicJwk,
  publicJwk,
  publicKeyOfJwk,
  RSA_SIZES,
} from '../world/key-material.ts';
import type { KeyVersion } from '../world/model.ts';
import { requireAccess } from './vault-access.ts';
import {
  asObject,
  attributesOf,
  jsonBody,
  ok,
  optionalInteger,
  optionalText,
  optionalTexts,
  type VaultRequest,
} from './vault-call.ts';
import { badParameter, vaultRefusal } from './vault-errors.ts';
import { bundleJson, type Collection, objectId, requireFreeName, requireVersion } from './vault-objects.ts';
import { addKey, addPublicKey } from './vault-write.ts';

/** The storage and the JSON of keys. */
export const KEYS: Collection<KeyVersion> = {
  kind: 'keys',
  store: ({ keys }) => keys,
  updatePermission: 'update',
  followers: () => [],
  bundle: (call, name, version) => ({
    key: {
      kid: objectId(call, 'keys', { name, version: version.version }),
      kty: version.kty,
      key_ops: version.keyOps,
      ...version.jwk,
    },
    ...(version.managed ? { managed: true } : {}),
  }),
  item: (kid, version) => ({ kid, ...(version.managed ? { managed: true } : {}) }),
  update: (version, body) => {
    version.keyOps = optionalTexts(body, 'key_ops') ?? version.keyOps;
  },
};

/** `POST /keys/{name}/create`: adds a version. */
export async function createKey(call: VaultRequest, name: string): Promise<HttpResponse> {
  requireAccess(call.vault, call.caller, { kind: 'keys', permission: 'create', name });
  const body = jsonBody(call);
  const spec = requestedKey(body);
  const refusal = refusedName(call, name);
  if (refusal !== undefined) return refusal;
  const options = { ...attributesOf(body), spec, keyOps: optionalTexts(body, 'key_ops') };
  await addKey(call.world, { vault: call.vault, name }, options);
  return created(call, name);
}

/** `PUT /keys/{name}`: adds a version with the private key in the request. */
export function importKey(call: VaultRequest, name: string): HttpResponse {
  requireAccess(call.vault, call.caller, { kind: 'keys', permission: 'import', name });
  const body = jsonBody(call);
  const jwk = asObject(body.key);
  const kty = KEY_TYPES.find((known) => known === jwk?.kty);
  if (jwk === undefined || kty === undefined)
    throw badParameter("The property 'key' is not a JSON Web Key of a known kty.");
  const refusal = refusedName(call, name);
  if (refusal !== undefined) return refusal;
  const keyOps = optionalTexts(jwk, 'key_ops') ?? defaultKeyOps(kty);
  const options = { ...attributesOf(body), kty, keyOps, jwk: kty.startsWith('oct') ? {} : importedJwk(jwk) };
  addPublicKey(call.world, { vault: call.vault, name }, options);
  return created(call, name);
}

/** `POST /keys/{name}/rotate`: adds a version of the same type. */
export async function rotateKey(call: VaultRequest, name: string): Promise<HttpResponse> {
  requireAccess(call.vault, call.caller, { kind: 'keys', permission: 'rotate', name });
  const { version } = requireVersion(call, KEYS, { name });
  const refusal = refusedName(call, name);
  if (refusal !== undefined) return refusal;
  const { kty, jwk, keyOps, tags } = version;
  const size = jwk.n === undefined ? DEFAULT_KEY.size : Buffer.from(jwk.n, 'base64url').length * 8;
  const spec = { kty: requireKty(kty), size, crv: curveName(jwk.crv) ?? DEFAULT_KEY.crv };
  await addKey(call.world, { vault: call.vault, name }, { spec, keyOps, tags });
  return created(call, name);
}

/** Returns the specification in `kty`, `key_size` and `crv`. Refuses keys that Key Vault does not make with 400. */
export function requestedKey(props: JsonObject): KeySpec {
  const kty = requireKty(optionalText(props, 'kty'));
  const size = optionalInteger(props, 'key_size') ?? DEFAULT_KEY.size;
  const crv = optionalText(props, 'crv');
  if (kty.startsWith('RSA') && !RSA_SIZES.some((known) => known === size)) {
    throw badParameter(`The key size ${size} is not supported; known: ${RSA_SIZES.join(', ')}.`);
  }
  const curve = crv === undefined ? DEFAULT_KEY.crv : curveName(crv);
  if (curve === undefined)
    throw badParameter(`The curve ${crv} is not supported; known: ${Object.keys(CURVES).join(', ')}.`);
  return { kty, size, crv: curve };
}

function created(call: VaultRequest, name: string): HttpResponse {
  return ok(bundleJson(call, KEYS, requireVersion(call, KEYS, { name })));
}

function refusedName(call: VaultRequest, name: string): HttpResponse | undefined {
  requireFreeName(call, KEYS, name);
  if (call.vault.certificates.get(name) === undefined) return undefined;
  return vaultRefusal(
    409,
    'Conflict',
    `The key ${name} belongs to the certificate of that name; change the certificate.`,
  );
}

function importedJwk(jwk: JsonObject): PublicJwk {
  try {
    if (typeof jwk.d !== 'string' || jwk.d === '') throw new Error('no private key');
    return publicJwk(publicKeyOfJwk(jwk));
  } catch {
    throw badParameter("The property 'key' is not a usable private JSON Web Key.");
  }
}

function requireKty(kty: string | undefined): KeySpec['kty'] {
  const known = KEY_TYPES.find((candidate) => candidate === kty);
  if (known === undefined) throw badParameter(`The key type ${kty} is not supported; known: ${KEY_TYPES.join(', ')}.`);
  return known;
}

function curveName(crv: string | undefined): CurveName | undefined {
  return (Object.keys(CURVES) as CurveName[]).find((name) => name === crv);
}
