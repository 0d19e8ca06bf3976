import type { AccessToken } from '@azure/core-auth';
import type { PipelinePolicy } from '@azure/core-rest-pipeline';
import {
  ClientAssertionCredential,
  ClientCertificateCredential,
  ClientSecretCredential,
  ManagedIdentityCredential,
} from '@azure/identity';
import { Secret } from '../base/secret.ts';
import type { Cloud } from '../spc/cloud.ts';
import type { Identity } from '../spc/model.ts';
import { pemOfClientCertificate } from './client-certificate.ts';
import { loginHost } from './login.ts';
import { type LoginWitness, loginError } from './login-error.ts';
import { podIdentityToken } from './pod-identity.ts';

/** What one token is asked for. */
export interface TokenRequest {
  readonly identity: Identity;
  readonly cloud: Cloud;
  /** Such as `https://vault.azure.net`. */
  readonly resource: string;
  /** Claims of a challenge (CAE), JSON. */
  readonly claims: string | undefined;
  readonly signal: AbortSignal;
}

/** Pipeline policies for token requests: connections, user agent, and for identity binding the way to the token proxy. */
export interface TokenTransport {
  readonly policies: readonly PipelinePolicy[];
  readonly tokenProxy: PipelinePolicy;
  /** For the one request that does not go through a pipeline. */
  readonly userAgent: string;
}

/** A token and its life, in milliseconds since 1970. */
export interface AcquiredToken {
  readonly token: Secret;
  readonly expiresAt: number;
  readonly refreshAt: number | undefined;
}

/**
 * Asks Entra (or IMDS, or NMI) for one token, with a credential made for this request alone: what Entra said to one
 * proof must not answer for another. `TokenPool` does the caching.
 * Errors: see `loginError`.
 */
export async function acquireToken(request: TokenRequest, transport: TokenTransport): Promise<AcquiredToken> {
  const { identity } = request;
  const witness: LoginWitness = {
    host: loginHost(identity, request.cloud),
    status: undefined,
    body: '',
    requestId: undefined,
    failure: undefined,
  };
  try {
    const { token, expiresOnTimestamp, refreshAfterTimestamp } = await ask(
      request,
      [...transport.policies, witnessPolicy(witness)],
      transport,
    );
    return { token: new Secret(token), expiresAt: expiresOnTimestamp, refreshAt: refreshAfterTimestamp };
  } catch (error) {
    request.signal.throwIfAborted();
    throw loginError({ identity, witness, error });
  }
}

async function ask(
  { identity, cloud, resource, claims, signal }: TokenRequest,
  policies: readonly PipelinePolicy[],
  { tokenProxy, userAgent }: TokenTransport,
): Promise<AccessToken> {
  const positioned = (policy: PipelinePolicy) => ({ policy, position: 'perRetry' as const });
  const options = {
    authorityHost: cloud.authorityHost,
    disableInstanceDiscovery: cloud.custom || identity.kind === 'identity-binding',
    retryOptions: { maxRetries: 3, retryDelayInMs: 500, maxRetryDelayInMs: 4000 },
    additionalPolicies: policies.map(positioned),
  };
  const scope = `${resource}/.default`;
  const tokenOptions = { abortSignal: signal, enableCae: true, ...(claims === undefined ? {} : { claims }) };
  switch (identity.kind) {
    case 'service-principal': {
      const { tenantId, clientId, clientSecret } = identity;
      return new ClientSecretCredential(tenantId, clientId, clientSecret.reveal(), options).getToken(
        scope,
        tokenOptions,
      );
    }
    case 'client-certificate': {
      const { tenantId, clientId } = identity;
      const pem = await pemOfClientCertificate(identity.certificate, identity.password);
      const credential = new ClientCertificateCredential(tenantId, clientId, { certificate: pem.reveal() }, options);
      return credential.getToken(scope, tokenOptions);
    }
    case 'workload-identity':
      return assertionCredential(identity, options).getToken(scope, tokenOptions);
    case 'identity-binding': {
      const additionalPolicies = [...options.additionalPolicies, positioned(tokenProxy)];
      return assertionCredential(identity, { ...options, additionalPolicies }).getToken(scope, tokenOptions);
    }
    case 'managed-identity': {
      const chosen = identity.clientId === '' ? {} : { clientId: identity.clientId };
      return new ManagedIdentityCredential({ ...chosen, ...options, allowInsecureConnection: true }).getToken(
        scope,
        tokenOptions,
      );
    }
    case 'pod-identity':
      return podIdentityToken(identity, resource, { signal, userAgent });
  }
}

/** Keeps what the wire said, since the SDK's errors lose it. */
function witnessPolicy(witness: LoginWitness): PipelinePolicy {
  return {
    name: 'akvCsiWitness',
    async sendRequest(request, next) {
      witness.host = new URL(request.url).host;
      try {
        const response = await next(request);
        witness.status = response.status;
        witness.body = response.status === 200 ? '' : (response.bodyAsText ?? '');
        witness.requestId = response.headers.get('x-ms-request-id');
        return response;
      } catch (error) {
        witness.status = undefined;
        witness.failure = error;
        throw error;
      }
    },
  };
}

function assertionCredential(
  { tenantId, clientId, token }: Identity & { kind: 'workload-identity' | 'identity-binding' },
  options: ConstructorParameters<typeof ClientAssertionCredential>[3],
): ClientAssertionCredential {
  return new ClientAssertionCredential(tenantId, clientId, async () => token.reveal(), options);
}
