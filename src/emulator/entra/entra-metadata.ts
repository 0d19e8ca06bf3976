/**
 * Answers the metadata requests of Entra ID: OpenID configuration, instance discovery and keys. Entra calls it.
 */

import { type HttpRequest, type HttpResponse, hostName, json } from '../http/http.ts';
import { extraAuthorities, LOGIN_HOST } from '../http/routing.ts';
import { jwksEntry } from '../world/jwt.ts';
import type { Tenant, World } from '../world/model.ts';
import type { EntraRefuse } from './entra-errors.ts';

/** Names of one cloud's authority that MSAL treats as the same authority. */
const PUBLIC_CLOUD = ['login.microsoftonline.com', 'login.windows.net', 'login.microsoft.com', 'sts.windows.net'];

/**
 * Returns the `openid-configuration` of a tenant, for the v1 or v2.0 endpoint. All its URLs have the requested host.
 */
export function authorityMetadata(request: HttpRequest, options: { tenant: Tenant; v2: boolean }): HttpResponse {
  const { tenant, v2 } = options;
  const base = `https://${request.host}/${tenant.id}`;
  const version = v2 ? '/v2.0' : '';
  return json(200, {
    token_endpoint: `${base}/oauth2${version}/token`,
    token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt', 'client_secret_basic'],
    jwks_uri: `${base}/discovery${version}/keys`,
    response_modes_supported: ['query', 'fragment', 'form_post'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    response_types_supported: ['code', 'id_token', 'code id_token', 'id_token token'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    issuer: `${base}${version}`,
    authorization_endpoint: `${base}/oauth2${version}/authorize`,
    device_authorization_endpoint: `${base}/oauth2${version}/devicecode`,
    end_session_endpoint: `${base}/oauth2${version}/logout`,
    tenant_region_scope: 'EU',
    cloud_instance_name: hostName(request.host),
  });
}

/** Returns the instance discovery document, which lists the names of each authority. */
export function instanceMetadata(world: World, request: HttpRequest, refuse: EntraRefuse): HttpResponse {
  const extra = extraAuthorities(world.hosts);
  const own = [LOGIN_HOST, ...extra.filter((host) => !PUBLIC_CLOUD.includes(host))];
  const asked = request.query.get('authorization_endpoint') ?? '';
  const host = URL.canParse(asked) ? new URL(asked).hostname : '';
  if (![...own, ...PUBLIC_CLOUD].includes(host)) throw refuse('unknownInstance');
  const port = new URL(asked).port === '' ? '' : `:${new URL(asked).port}`;
  const tenant = new URL(asked).pathname.split('/')[1] ?? 'common';
  const group = (names: readonly string[]) => ({
    preferred_network: names[0],
    preferred_cache: names[0],
    aliases: names,
  });
  return json(200, {
    tenant_discovery_endpoint: `https://${host}${port}/${tenant}/v2.0/.well-known/openid-configuration`,
    'api-version': '1.1',
    metadata: [...own.map((name) => group([...new Set([`${name}${port}`, name])])), group(PUBLIC_CLOUD)],
  });
}

/** Returns the keys that sign access tokens, as a JWKS. */
export function signingKeys(world: World): HttpResponse {
  return json(200, { keys: [jwksEntry(world.tokenKey.publicKey, world.tokenKey.kid)] });
}
