/**
 * Answers as Entra ID: metadata, keys and tokens. The emulator calls it. Refuses with the messages and codes of Entra.
 */

import { type HttpRequest, type HttpResponse, hostName, json, text } from '../http/http.ts';
import { extraAuthorities, LOGIN_HOST } from '../http/routing.ts';
import type { Tenant, World } from '../world/model.ts';
import { findTenant } from '../world/tenants.ts';
import { type ClientClaim, proveClient } from './entra-client.ts';
import { type EntraRefuse, refusals } from './entra-errors.ts';
import { authorityMetadata, instanceMetadata, signingKeys } from './entra-metadata.ts';
import { isKnownResource, issueToken } from './tokens.ts';

// A token proxy may put a prefix before the path it forwards.
const TOKEN_PATH = /\/([^/]+)\/oauth2(\/v2\.0)?\/token\/?$/;
const METADATA_PATH = /^\/([^/]+)(\/v2\.0)?\/\.well-known\/openid-configuration$/;
const KEYS_PATH = /^\/([^/]+)\/discovery\/(v2\.0\/)?keys$/;
const INSTANCE_PATH = '/common/discovery/instance';

/** Answers as the Entra authority: metadata, keys, instance discovery and the token endpoints of both versions. */
export function handleEntra(world: World, request: HttpRequest): HttpResponse {
  const correlationId = request.headers['client-request-id'] ?? request.query.get('client-request-id') ?? undefined;
  const refuse = refusals(world.clock.wall(), correlationId);
  const path = decodeURIComponentSafely(request.path);
  if (path === INSTANCE_PATH) return instanceMetadata(world, request, refuse);
  const [, metadataTenant, version] = METADATA_PATH.exec(path) ?? [];
  if (metadataTenant !== undefined) {
    return authorityMetadata(request, {
      tenant: requireTenant(world, metadataTenant, refuse),
      v2: version !== undefined,
    });
  }
  if (KEYS_PATH.test(path)) return signingKeys(world);
  const [, tokenTenant, v2] = TOKEN_PATH.exec(path) ?? [];
  if (tokenTenant === undefined) return text(404, `The emulator's authority has no ${request.path}.\n`);
  if (request.method !== 'POST') return text(405, 'The token endpoint accepts only POST.\n');
  const tenant = requireTenant(world, tokenTenant, refuse);
  return grantToken(world, request, { tenant, v2: v2 !== undefined, refuse });
}

function grantToken(
  world: World,
  request: HttpRequest,
  options: { tenant: Tenant; v2: boolean; refuse: EntraRefuse },
): HttpResponse {
  const { tenant, v2, refuse } = options;
  const form = new URLSearchParams(request.body.toString('utf8'));
  const grantType = form.get('grant_type');
  if (!grantType) throw refuse('missingParameter', 'grant_type');
  if (grantType !== 'client_credentials') throw refuse('unsupportedGrant', grantType);
  const resource = requestedResource(form, v2, refuse);
  const { identity, method } = proveClient(world, tenant, { claim: clientClaim(world, request, form), refuse });
  if (!isKnownResource(world, resource)) throw refuse('unknownResource', resource, tenant.names[0] ?? tenant.id);
  const clientCapabilities = capabilities(form.get('claims'));
  const token = issueToken(world, { tenant, identity }, { audience: resource, method, clientCapabilities });
  const common = { token_type: 'Bearer', access_token: token.token };
  const body = v2
    ? {
        ...common,
        expires_in: token.lifetimeSeconds,
        ext_expires_in: token.lifetimeSeconds,
        ...refreshIn(token.lifetimeSeconds),
      }
    : {
        ...common,
        expires_in: String(token.lifetimeSeconds),
        ext_expires_in: String(token.lifetimeSeconds),
        expires_on: String(token.expires),
        not_before: String(token.notBefore),
        resource,
      };
  return { ...json(200, body), identity: identity.name };
}

/** Returns `refresh_in`, half the lifetime, for long-lived tokens. */
function refreshIn(lifetimeSeconds: number): { refresh_in?: number } {
  return lifetimeSeconds >= 7200 ? { refresh_in: Math.floor(lifetimeSeconds / 2) } : {};
}

function requestedResource(form: URLSearchParams, v2: boolean, refuse: EntraRefuse): string {
  const scopes = (form.get('scope') ?? '').split(' ').filter((scope) => scope !== '');
  const resource = form.get('resource');
  if (!v2 && resource) return resource;
  const [scope] = scopes.filter((candidate) => candidate.includes('://') || candidate.endsWith('/.default'));
  if (scopes.length === 0) throw refuse('missingParameter', v2 ? 'scope' : 'resource');
  if (scope === undefined || !scope.endsWith('/.default')) throw refuse('badScope', scopes.join(' '));
  return scope.slice(0, -'/.default'.length);
}

function clientClaim(world: World, request: HttpRequest, form: URLSearchParams): ClientClaim {
  const basic = basicCredentials(request.headers.authorization);
  const own = [LOGIN_HOST, hostName(request.host), ...extraAuthorities(world.hosts)];
  return {
    clientId: form.get('client_id') ?? basic?.id,
    secret: form.get('client_secret') ?? basic?.secret,
    assertion: form.get('client_assertion') ?? undefined,
    assertionType: form.get('client_assertion_type') ?? undefined,
    isOwnEndpoint: (audience) => URL.canParse(audience) && own.includes(new URL(audience).hostname),
  };
}

function basicCredentials(header: string | undefined): { id: string; secret: string } | undefined {
  const [, encoded] = /^Basic\s+([A-Za-z0-9+/=]+)$/i.exec(header ?? '') ?? [];
  if (encoded === undefined) return undefined;
  const [id = '', ...rest] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
  return { id: decodeURIComponentSafely(id), secret: decodeURIComponentSafely(rest.join(':')) };
}

/** Returns the client capabilities in the `claims` parameter, such as `CP1` for continuous access evaluation. */
function capabilities(claims: string | null): readonly string[] {
  try {
    const values: unknown = JSON.parse(claims ?? '{}')?.access_token?.xms_cc?.values;
    return Array.isArray(values) ? values.filter((value) => typeof value === 'string') : [];
  } catch {
    return [];
  }
}

function requireTenant(world: World, idOrName: string, refuse: EntraRefuse): Tenant {
  const tenant = findTenant(world.tenants, idOrName);
  if (tenant === undefined) throw refuse('unknownTenant', idOrName);
  return tenant;
}

function decodeURIComponentSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
