/**
 * Checks the access token of a request to a vault. The API of vaults calls it. Refuses with a challenge or 401.
 */

import { isVaultAudience, tokenIssuer } from '../entra/tokens.ts';
import { type HttpRequest, type HttpResponse, Refusal } from '../http/http.ts';
import { authorityFor, vaultResource } from '../http/routing.ts';
import { audiences, decodeJwt, isSignedBy, textClaim, timeClaim } from '../world/jwt.ts';
import { type EmulatedIdentity, nowSeconds, type Vault, type World } from '../world/model.ts';
import { vaultRefusal } from './vault-errors.ts';

/** The caller that the claims of the token name. `identity` is set if the tenant still has it. */
export interface Caller {
  readonly appId: string;
  readonly objectId: string;
  readonly issuer: string;
  readonly identity: EmulatedIdentity | undefined;
}

/** Reads and verifies the bearer token. Refuses with 401, with Key Vault's challenge and AKV codes. */
export function authenticate(world: World, vault: Vault, request: HttpRequest): Caller {
  const refuse = (message: string) => new Refusal(challenge(world, vault, { host: request.host, message }));
  const [, bearer] = /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
  if (bearer === undefined) throw refuse('AKV10000: Request is missing a Bearer or PoP token.');
  const token = decodeJwt(bearer);
  if (token === undefined) throw refuse("[BearerReadAccessTokenFailed] Error validating token: 'S2S12005'.");
  if (!isSignedBy(token, world.tokenKey.publicKey)) {
    throw refuse('AKV10046: Unable to resolve the key used for signature validation.');
  }
  const now = nowSeconds(world);
  if ((timeClaim(token, 'exp') ?? 0) <= now || (timeClaim(token, 'nbf') ?? 0) > now) {
    throw refuse("[TokenExpired] Error validating token: 'S2S12086'.");
  }
  const audience = audiences(token);
  if (!audience.some((name) => isVaultAudience(world, name))) {
    throw refuse(`AKV10022: Invalid audience. Expected ${vaultResource(request.host)}, found: ${audience.join(', ')}.`);
  }
  const issuer = textClaim(token, 'iss') ?? '';
  if (issuer !== tokenIssuer(vault.tenant)) {
    throw refuse(`AKV10032: Invalid issuer. Expected one of ${tokenIssuer(vault.tenant)}, found ${issuer}.`);
  }
  const appId = textClaim(token, 'appid') ?? '';
  return {
    appId,
    objectId: textClaim(token, 'oid') ?? '',
    issuer,
    identity: vault.tenant.identities.find(({ clientId }) => clientId === appId),
  };
}

function challenge(world: World, vault: Vault, options: { host: string; message: string }): HttpResponse {
  const response = vaultRefusal(401, 'Unauthorized', options.message);
  const authorization = `${authorityFor(world, options.host)}/${vault.tenant.id}`;
  const header = `Bearer authorization="${authorization}", resource="${vaultResource(options.host)}"`;
  return { ...response, headers: { ...response.headers, 'www-authenticate': header } };
}
