/**
 * Answers as the issuer of the cluster's service account tokens: the OpenID configuration and the keys, as the API
 * server publishes them. The emulator calls it for the host `oidc.localhost`. Refuses other paths and methods.
 */

import { type HttpRequest, type HttpResponse, json, text } from '../http/http.ts';
import { ISSUER_HOST } from '../http/routing.ts';
import { jwksEntry } from '../world/jwt.ts';
import type { World } from '../world/model.ts';

const OWN_ORIGIN = new RegExp(`^https://${ISSUER_HOST}(?=/|$)`);

/** Adds the port of the emulator to an issuer on its own host. Returns other issuers unchanged. */
export function issuerAt(issuer: string, port: number): string {
  return issuer.replace(OWN_ORIGIN, (origin) => `${origin}:${port}`);
}

/** Answers a request to the host of the issuer: 404 for a path other than those of the two documents. */
export function handleClusterIssuer({ cluster }: World, { method, host, path }: HttpRequest): HttpResponse {
  if (method !== 'GET') return text(405, 'The issuer accepts only GET.\n');
  const { issuer, keys } = cluster;
  const base = issuer.replace(/\/$/, '');
  const jwksUri = `${base}/openid/v1/jwks`;
  switch (`https://${host}${path}`) {
    case `${base}/.well-known/openid-configuration`:
      return json(200, {
        issuer,
        jwks_uri: jwksUri,
        response_types_supported: ['id_token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: [...new Set(keys.map(algorithmOf))],
      });
    case jwksUri: {
      const published = keys.map((key) => ({ ...jwksEntry(key.publicKey, key.kid), alg: algorithmOf(key) }));
      return json(200, { keys: published }, { 'content-type': 'application/jwk-set+json' });
    }
    default:
      return text(404, `The emulator's issuer has no ${path}.\n`);
  }
}

function algorithmOf({ publicKey }: World['cluster']['keys'][number]): string {
  return publicKey.asymmetricKeyType === 'ec' ? 'ES256' : 'RS256';
}
