/**
 * The errors of Entra ID with their codes and messages. Entra and faults respond with them.
 */

import { randomUUID } from 'node:crypto';
import { type HttpResponse, json, Refusal } from '../http/http.ts';

interface EntraError {
  readonly status: number;
  readonly error: string;
  readonly code: number;
  /** `{0}`, `{1}` … are replaced by the details. */
  readonly text: string;
}

const CHECK_FEDERATION =
  'Check your federated identity credential Subject, Audience and Issuer against the presented assertion.';

/** All refusals of the token endpoint, with Entra's codes. */
const ENTRA_ERRORS = {
  unknownTenant: {
    status: 400,
    error: 'invalid_tenant',
    code: 90002,
    text: "Tenant '{0}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.",
  },
  missingParameter: {
    status: 400,
    error: 'invalid_request',
    code: 900144,
    text: "The request body must contain the following parameter: '{0}'.",
  },
  missingCredential: {
    status: 401,
    error: 'invalid_client',
    code: 7000218,
    text: "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
  },
  unsupportedGrant: {
    status: 400,
    error: 'unsupported_grant_type',
    code: 70003,
    text: "The app requested an unsupported grant type '{0}'.",
  },
  badScope: {
    status: 400,
    error: 'invalid_scope',
    code: 1002012,
    text: 'The provided value for scope {0} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).',
  },
  unknownResource: {
    status: 400,
    error: 'invalid_resource',
    code: 500011,
    text: 'The resource principal named {0} was not found in the tenant named {1}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.',
  },
  unknownClient: {
    status: 400,
    error: 'unauthorized_client',
    code: 700016,
    text: "Application with identifier '{0}' was not found in the directory '{1}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.",
  },
  badSecret: {
    status: 401,
    error: 'invalid_client',
    code: 7000215,
    text: "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{0}'.",
  },
  expiredSecret: {
    status: 401,
    error: 'invalid_client',
    code: 7000222,
    text: "The provided client secret keys for app '{0}' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.",
  },
  malformedAssertion: {
    status: 401,
    error: 'invalid_client',
    code: 50027,
    text: 'JWT token is invalid or malformed.',
  },
  noFederation: {
    status: 401,
    error: 'invalid_client',
    code: 70021,
    text: `No matching federated identity record found for presented assertion. Assertion Issuer: '{0}'. Assertion Subject: '{1}'. Assertion Audience: '{2}'. ${CHECK_FEDERATION}`,
  },
  federationIssuer: {
    status: 401,
    error: 'invalid_client',
    code: 700211,
    text: `No matching federated identity record found for presented assertion issuer '{0}'. ${CHECK_FEDERATION}`,
  },
  federationAudience: {
    status: 401,
    error: 'invalid_client',
    code: 700212,
    text: `No matching federated identity record found for presented assertion audience '{0}'. ${CHECK_FEDERATION}`,
  },
  federationSubject: {
    status: 401,
    error: 'invalid_client',
    code: 700213,
    text: `No matching federated identity record found for presented assertion subject '{0}'. ${CHECK_FEDERATION}`,
  },
  assertionTime: {
    status: 401,
    error: 'invalid_client',
    code: 700024,
    text: 'Client assertion is not within its valid time range. Current time: {0}, assertion valid from {1}, expiry time of assertion {2}.',
  },
  assertionSignature: {
    status: 401,
    error: 'invalid_client',
    code: 50013,
    text: 'Assertion failed signature validation. [Reason - The key was not found or the signature does not fit.]',
  },
  certificateSignature: {
    status: 401,
    error: 'invalid_client',
    code: 700027,
    text: "The certificate with identifier used to sign the client assertion is not registered on application, or the signature does not fit. Client app ID: '{0}'.",
  },
  certificateAudience: {
    status: 401,
    error: 'invalid_client',
    code: 700023,
    text: "Client assertion audience claim does not match Realm issuer. Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials. Audience: '{0}'.",
  },
  unknownInstance: { status: 400, error: 'invalid_instance', code: 50049, text: 'Unknown or invalid instance.' },
  transient: {
    status: 503,
    error: 'temporarily_unavailable',
    code: 90033,
    text: 'A transient error has occurred. Please try again.',
  },
} as const satisfies Readonly<Record<string, EntraError>>;

export type EntraErrorName = keyof typeof ENTRA_ERRORS;

/** Builds an error in the JSON of Entra's token endpoint. `now` is in milliseconds since 1970. */
export function entraError(
  name: EntraErrorName,
  details: readonly string[],
  options: { now: number; correlationId?: string | undefined; status?: number },
): HttpResponse {
  const { status, error, code, text } = ENTRA_ERRORS[name];
  const timestamp = new Date(options.now).toISOString().replace('T', ' ').replace(/\.\d+/, '');
  const correlation = options.correlationId ?? randomUUID();
  const trace = randomUUID();
  const message = text.replace(/\{(\d)\}/g, (_, index) => details[Number(index)] ?? '');
  return json(
    options.status ?? status,
    {
      error,
      error_description: `AADSTS${code}: ${message} Trace ID: ${trace} Correlation ID: ${correlation} Timestamp: ${timestamp}`,
      error_codes: [code],
      timestamp,
      trace_id: trace,
      correlation_id: correlation,
      error_uri: `https://login.microsoftonline.com/error?code=${code}`,
    },
    { 'x-ms-request-id': trace },
  );
}

/** Builds one of Entra's errors for the caller to throw. */
export type EntraRefuse = (name: EntraErrorName, ...details: readonly string[]) => Refusal;

/** Returns the function that builds refusals for one request. */
export function refusals(now: number, correlationId: string | undefined): EntraRefuse {
  return (name, ...details) => new Refusal(entraError(name, details, { now, correlationId }));
}
