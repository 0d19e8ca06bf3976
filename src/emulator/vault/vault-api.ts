/**
 * Routes a request to a vault to the operation that answers it. The emulator calls it. Refuses operations that the
 * emulator does not implement.
 */

import { randomUUID } from 'node:crypto';
import { answered, type HttpRequest, type HttpResponse } from '../http/http.ts';
import type { ObjectKind, World } from '../world/model.ts';
import type { StoredVersion } from '../world/object-store.ts';
import { requireOpenFirewall } from './vault-access.ts';
import type { VaultRequest } from './vault-call.ts';
import {
  CERTIFICATES,
  certificatePolicy,
  createCertificate,
  getOperation,
  importCertificate,
} from './vault-certificates.ts';
import { badParameter, notServed, vaultRefusal } from './vault-errors.ts';
import { createKey, importKey, KEYS, rotateKey } from './vault-keys.ts';
import {
  type Collection,
  deleteObject,
  getDeleted,
  getObject,
  listDeleted,
  listObjects,
  listVersions,
  purgeObject,
  recoverObject,
  updateObject,
} from './vault-objects.ts';
import { getSecret, SECRETS, setSecret } from './vault-secrets.ts';
import { authenticate } from './vault-token.ts';

type Answer = HttpResponse | Promise<HttpResponse>;
type Handler = (call: VaultRequest, name: string) => Answer;

const API_VERSION = /^(2015-06-01|2016-10-01|7\.[0-6](-preview(\.\d+)?)?|2025-06-01-preview|2025-07-01|2026-04-01)$/;
const OBJECT_NAME = /^[0-9A-Za-z-]{1,127}$/;
const VERSION_ID = /^[0-9a-f]{32}$/i;
const SERVICE_VERSION = '1.9.2606.1';

/** Operations on a name that only one kind has, by method, kind and the path after the name. */
const SPECIAL: Readonly<Record<string, Handler>> = {
  'PUT secrets': setSecret,
  'PUT keys': importKey,
  'POST keys create': createKey,
  'POST keys rotate': rotateKey,
  'POST certificates create': createCertificate,
  'POST certificates import': importCertificate,
  'GET certificates policy': certificatePolicy,
  'PATCH certificates policy': certificatePolicy,
  'GET certificates pending': getOperation,
  'PATCH certificates pending': getOperation,
};

/** Answers as the data plane of the named vault. */
export async function handleVault(world: World, vaultName: string, request: HttpRequest): Promise<HttpResponse> {
  const vault = world.vaults.get(vaultName.toLowerCase());
  if (vault === undefined) {
    const known = [...world.vaults.values()].map(({ name }) => name).join(', ') || 'none';
    return vaultRefusal(
      404,
      'VaultNotFound',
      `There is no vault "${vaultName}" here (known: ${known}); in Azure its name would not resolve.`,
    );
  }
  let identity: string | undefined;
  const response = await answered(() => {
    const caller = authenticate(world, vault, request);
    identity = caller.identity?.name ?? caller.appId;
    const apiVersion = requireApiVersion(request);
    requireOpenFirewall(vault, caller, request.remoteAddress);
    return dispatch({ world, vault, caller, request, origin: `https://${request.host}`, apiVersion });
  });
  const headers = { ...response.headers, ...commonHeaders(request, vault.region) };
  return { ...response, headers, ...(identity === undefined ? {} : { identity }) };
}

function dispatch(call: VaultRequest): Answer {
  const [collection, ...rest] = segments(call.request.path);
  const deleted = collection?.startsWith('deleted') ?? false;
  const kind = deleted ? collection?.slice('deleted'.length) : collection;
  switch (kind) {
    case 'secrets':
      return deleted ? dispatchDeleted(call, SECRETS, rest) : dispatchObject(call, SECRETS, rest);
    case 'keys':
      return deleted ? dispatchDeleted(call, KEYS, rest) : dispatchObject(call, KEYS, rest);
    case 'certificates':
      return deleted ? dispatchDeleted(call, CERTIFICATES, rest) : dispatchObject(call, CERTIFICATES, rest);
    default:
      throw notServed(`${call.request.method} ${call.request.path}`);
  }
}

function dispatchObject<V extends StoredVersion>(
  call: VaultRequest,
  collection: Collection<V>,
  path: readonly string[],
): Answer {
  const { method } = call.request;
  const [name, sub, ...more] = path;
  if (name === undefined && method === 'GET') return listObjects(call, collection);
  if (name === undefined || more.length > 0) throw notServed(`${method} ${call.request.path}`);
  requireName(name);
  const special = SPECIAL[[method, collection.kind, ...(sub === undefined ? [] : [sub])].join(' ')];
  if (special !== undefined) return special(call, name);
  if (method === 'GET' && sub === 'versions') return listVersions(call, collection, name);
  if (method === 'DELETE' && sub === undefined) return deleteObject(call, collection, name);
  if (method !== 'GET' && method !== 'PATCH') throw notServed(`${method} ${call.request.path}`);
  requireVersionId(call, collection.kind, sub);
  const address = { name, version: sub };
  if (method === 'PATCH') return updateObject(call, collection, address);
  return collection.kind === 'secrets' ? getSecret(call, address) : getObject(call, collection, address);
}

function dispatchDeleted<V extends StoredVersion>(
  call: VaultRequest,
  collection: Collection<V>,
  path: readonly string[],
): Answer {
  const { method } = call.request;
  const [name, sub, ...more] = path;
  const operation = `${method} ${name === undefined ? 'all' : 'one'}${sub === undefined ? '' : ` ${sub}`}`;
  if (more.length === 0 && operation === 'GET all') return listDeleted(call, collection);
  if (name !== undefined && more.length === 0) {
    requireName(name);
    if (operation === 'GET one') return getDeleted(call, collection, name);
    if (operation === 'DELETE one') return purgeObject(call, collection, name);
    if (operation === 'POST one recover') return recoverObject(call, collection, name);
  }
  throw notServed(`${method} ${call.request.path}`);
}

/** Returns the decoded path segments. A trailing slash, which SDKs send for "no version", adds no segment. */
function segments(path: string): string[] {
  try {
    return path.replace(/\/+$/, '').split('/').slice(1).map(decodeURIComponent);
  } catch {
    throw badParameter('The request URI cannot be decoded.');
  }
}

function requireApiVersion(request: HttpRequest): string {
  const version = request.query.get('api-version');
  if (!version) throw badParameter('api-version must be specified');
  if (API_VERSION.test(version)) return version;
  throw badParameter(
    `The specified version (${version}) is not recognized. Consider using the latest supported version (2026-04-01).`,
  );
}

function requireName(name: string): void {
  if (!OBJECT_NAME.test(name)) throw badParameter(`The request URI contains an invalid name: ${name}`);
}

function requireVersionId(call: VaultRequest, kind: ObjectKind, version: string | undefined): void {
  if (version === undefined || VERSION_ID.test(version)) return;
  if (call.request.method !== 'GET') throw notServed(`${call.request.method} ${call.request.path}`);
  throw badParameter(`The request URI contains an invalid ${kind.slice(0, -1)} version: ${version}`);
}

function commonHeaders(request: HttpRequest, region: string): Record<string, string> {
  const clientRequestId = request.headers['x-ms-client-request-id'];
  const family = request.remoteAddress.includes(':') ? 'Ipv6' : 'Ipv4';
  const network = family === 'Ipv4' ? 'InterNetwork' : 'InterNetworkV6';
  return {
    'x-ms-request-id': randomUUID(),
    ...(clientRequestId === undefined ? {} : { 'x-ms-client-request-id': clientRequestId }),
    'x-ms-keyvault-region': region,
    'x-ms-keyvault-service-version': SERVICE_VERSION,
    'x-ms-keyvault-network-info': `conn_type=${family};addr=${request.remoteAddress};act_addr_fam=${network};`,
    'x-content-type-options': 'nosniff',
    'strict-transport-security': 'max-age=31536000;includeSubDomains',
  };
}
