/**
 * Defines the contract of an identity mode: everything that logins need to know about one kind of identity. Each file
 * in `modes/` implements it, `identity-modes.ts` lists them, and `TokenPool` works with them. A mode that leaves a
 * member out does not compile.
 */

import type { AccessToken } from '@azure/core-auth';
import type { HttpClient } from '@azure/core-rest-pipeline';
import type { WallClock } from '../../base/clock.ts';
import type { Phase } from '../../base/phases.ts';
import type { Cloud } from '../../spc/cloud.ts';
import type { Identity } from '../../spc/model.ts';
import type { LoginAttempt } from './login-attempt.ts';

/** The identities of one kind, or of several. */
export type IdentityOf<K extends Identity['kind']> = Extract<Identity, { readonly kind: K }>;

/** Phase of a Mount in which an identity logs in. */
export type LoginPhase = Exclude<Phase, 'vault'>;

/** Services other than the cloud that issue tokens: host and port. */
export interface LoginHosts {
  /** Pod identity's NMI. */
  readonly nmiHost: string;
  /** The cluster's token proxy, for identity binding. */
  readonly tokenProxyHost: string;
}

/**
 * Gets a token of the account of the person who runs a command.
 * Throws: a `ProviderError`, or errors of the SDK about an answer of Entra ID.
 */
export type DeveloperTokens = (identity: IdentityOf<'developer'>, request: LoginRequest) => Promise<GivenToken>;

/** The connections to services that issue tokens. */
export interface TokenTransport extends LoginHosts {
  readonly client: HttpClient;
  /** Returns the connections of identity binding. Throws: see `TokenProxy`. */
  readonly tokenProxy: () => Promise<HttpClient>;
  /** For a `Retry-After` that is a date. */
  readonly clock: WallClock;
  /** Absent in `serve`. */
  readonly developer?: DeveloperTokens | undefined;
}

/** The next steps if a service failed or did not answer, rather than refused the login. */
export interface LoginFaults {
  /** By HTTP status. */
  readonly byStatus: Readonly<Record<number, string>>;
  /** The hosts to check between node and service. */
  readonly between: string;
  /** Addition to the message if the service does not answer, with its own separator; may be empty. */
  readonly unreachable: string;
}

/** A service that issues tokens. */
export interface LoginService {
  readonly phase: LoginPhase;
  /** Returns its host and port. */
  readonly host: (cloud: Cloud, hosts: LoginHosts) => string;
  readonly client: (transport: TokenTransport) => Promise<HttpClient>;
  /** True if it forwards requests that are addressed to Entra ID. */
  readonly proxiesEntra: boolean;
  readonly faults: LoginFaults;
}

/** A request for one token. */
export interface LoginRequest {
  readonly cloud: Cloud;
  /** Host and port of the service. */
  readonly host: string;
  /** Such as `https://vault.azure.net`. */
  readonly resource: string;
  /** Claims of a challenge (CAE), JSON. */
  readonly claims: string | undefined;
  readonly attempt: LoginAttempt;
  /** See `TokenTransport`. */
  readonly developer: DeveloperTokens | undefined;
}

/** A token as the SDK gives it; times in milliseconds since 1970. */
export type GivenToken = Pick<AccessToken, 'token' | 'expiresOnTimestamp' | 'refreshAfterTimestamp'>;

/** The answer of a service that refused a login. */
export interface LoginRefusal {
  /** Such as `AADSTS70021`; undefined if it named none. */
  readonly code: string | undefined;
  readonly text: string;
}

/**
 * How the owner of a pooled token is proven. A request with `token` opens the pooled token only after the service has
 * accepted that very token once. A kind of identity without one of these proofs is refused.
 */
export type Proof =
  /** A token of the request that the principal's key does not hold. */
  | {
      readonly by: 'token';
      /** SHA-256 of the token. */
      readonly digest: string;
      /** End of the token by its own claim, in milliseconds since 1970; undefined if it does not say. */
      readonly expiresAt: number | undefined;
    }
  /** The principal's key holds the whole credential, so that another credential is another principal. */
  | { readonly by: 'key' }
  /** The node proves it: the service answers requests of the node, and the request brings no credential. */
  | { readonly by: 'node' };

/** One kind of identity. */
export interface IdentityMode<K extends Identity['kind'] = Identity['kind']> extends LoginService {
  /** Returns the identity in the words of a message, without anything secret. */
  readonly describe: (identity: IdentityOf<K>) => string;
  /**
   * Returns everything that the service decides by, for the key of the principal. It has digests in place of secrets,
   * and only issuer and subject of a service-account token, since the kubelet renews the token.
   */
  readonly keyParts: (identity: IdentityOf<K>) => readonly string[];
  readonly proof: (identity: IdentityOf<K>) => Proof;
  /** Asks the service for one token. Throws: errors of the SDK, which `loginError` explains, or a `ProviderError`. */
  readonly acquire: (identity: IdentityOf<K>, request: LoginRequest) => Promise<GivenToken>;
  /**
   * Returns the next step after a refusal; `refusal` is undefined if the SDK refused its input before it asked the
   * service.
   */
  readonly remedy: (identity: IdentityOf<K>, refusal: LoginRefusal | undefined) => string;
}
