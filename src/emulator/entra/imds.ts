/**
 * Answers as the managed-identity endpoint: IMDS, App Service and NMI. The emulator calls it.
 */

import { type HttpRequest, type HttpResponse, json, text } from '../http/http.ts';
import { type EmulatedIdentity, nowSeconds, type Tenant, type World } from '../world/model.ts';
import { managedIdentities } from '../world/tenants.ts';
import { isKnownResource, issueToken } from './tokens.ts';

const IMDS_PATH = /^\/metadata\/identity\/oauth2\/token\/?$/;
const NMI_PATH = /^\/host\/token\/?$/;

/** The path of the App Service form of the endpoint, for SDKs whose IMDS address cannot be changed. */
export const APP_SERVICE_PATH = '/msi/token';

type Candidate = { readonly tenant: Tenant; readonly identity: EmulatedIdentity };

/** Returns true if a path of the managed-identity listener belongs to pod identity. */
export function isPodIdentityPath(path: string): boolean {
  return NMI_PATH.test(path);
}

/** Answers as the instance metadata service (IMDS), as App Service and as NMI of pod identity. */
export function handleManagedIdentity(world: World, request: HttpRequest): HttpResponse {
  // The Azure SDK for Java joins host and path with two slashes.
  const path = request.path.replace(/\/{2,}/g, '/');
  if (isPodIdentityPath(path)) return podIdentity(world, request);
  if (IMDS_PATH.test(path)) return instanceMetadata(world, request);
  if (path === APP_SERVICE_PATH) return appService(world, request);
  return json(404, { error: 'Not found' });
}

function appService(world: World, request: HttpRequest): HttpResponse {
  if (request.headers['x-identity-header'] !== world.identityHeader) {
    return imdsError(401, 'unauthorized', 'The header X-IDENTITY-HEADER is not the value of IDENTITY_HEADER');
  }
  return managedToken(world, request);
}

function instanceMetadata(world: World, request: HttpRequest): HttpResponse {
  if (request.method !== 'GET') return imdsError(405, 'invalid_request', 'Method not allowed');
  if (request.headers.metadata?.toLowerCase() !== 'true') {
    return imdsError(400, 'invalid_request', 'Required metadata header not specified');
  }
  if (request.headers['x-forwarded-for'] !== undefined) {
    return imdsError(400, 'invalid_request', 'Request contains unexpected header x-forwarded-for');
  }
  return managedToken(world, request);
}

function managedToken(world: World, request: HttpRequest): HttpResponse {
  if (request.query.get('api-version') === null) {
    return imdsError(400, 'invalid_request', "Required query variable 'api-version' is missing");
  }
  const resource = request.query.get('resource');
  if (!resource) return imdsError(400, 'invalid_request', "Required query variable 'resource' is missing");
  const selected = selectIdentity(managedIdentities(world), request.query);
  if (selected === 'many') {
    return imdsError(
      400,
      'invalid_request',
      'Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request',
    );
  }
  if (selected === undefined) return imdsError(400, 'invalid_request', 'Identity not found');
  if (!isKnownResource(world, resource)) {
    const description = `AADSTS500011: The resource principal named ${resource} was not found in the tenant named ${selected.tenant.id}.`;
    return imdsError(400, 'invalid_resource', description);
  }
  const { identity } = selected;
  return {
    ...json(200, { ...tokenBody(world, selected, resource), client_id: identity.clientId }),
    identity: identity.name,
  };
}

/**
 * Returns the identity that the query names. Without a name, returns the system-assigned identity, or else the only
 * identity.
 */
function selectIdentity(candidates: readonly Candidate[], query: URLSearchParams): Candidate | 'many' | undefined {
  const clientId = query.get('client_id')?.toLowerCase();
  const objectId = (query.get('object_id') ?? query.get('principal_id'))?.toLowerCase();
  const resourceId = (query.get('msi_res_id') ?? query.get('mi_res_id'))?.toLowerCase();
  if (clientId) return candidates.find(({ identity }) => identity.clientId === clientId);
  if (objectId) return candidates.find(({ identity }) => identity.objectId === objectId);
  if (resourceId) return candidates.find(({ identity }) => identity.managed?.resourceId?.toLowerCase() === resourceId);
  const system = candidates.find(({ identity }) => identity.managed?.systemAssigned);
  return system ?? (candidates.length > 1 ? 'many' : candidates[0]);
}

function podIdentity(world: World, request: HttpRequest): HttpResponse {
  const { podname, podns } = request.headers;
  if (!podname || !podns) return text(400, 'missing podname or podns header\n');
  const resource = request.query.get('resource');
  if (!resource) return text(400, 'parameter resource cannot be empty\n');
  const selected = managedIdentities(world).find(({ identity }) =>
    identity.managed?.pods.some(({ namespace, name }) => namespace === podns && name === podname),
  );
  if (selected === undefined) return text(404, `no azure assigned identity found for pod:${podns}/${podname}\n`);
  if (!isKnownResource(world, resource)) return text(403, `failed to get token for resource ${resource}\n`);
  const { identity } = selected;
  const body = { token: tokenBody(world, selected, resource), clientid: identity.clientId };
  return { ...json(200, body), identity: identity.name };
}

function tokenBody(world: World, to: Candidate, resource: string): Record<string, string> {
  const token = issueToken(world, to, { audience: resource, method: '2' });
  return {
    access_token: token.token,
    refresh_token: '',
    expires_in: String(token.expires - nowSeconds(world)),
    expires_on: String(token.expires),
    not_before: String(token.notBefore),
    resource,
    token_type: 'Bearer',
  };
}

function imdsError(status: number, error: string, description: string): HttpResponse {
  return json(status, { error, error_description: description });
}
