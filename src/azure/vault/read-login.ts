/**
 * Gets the token of one read, and another one if the vault answers with a challenge. `ReadTries` uses it. Refuses to
 * log in at another tenant than the manifest's, and for a resource that does not cover the vault.
 */

import { type ErrorDetails, ProviderError } from '../../base/errors.ts';
import { isGuid } from '../../base/guid.ts';
import type { Secret } from '../../base/secret.ts';
import type { Span } from '../../base/trace.ts';
import { resourceCovers } from '../../spc/cloud.ts';
import { serverWords } from '../http/server-words.ts';
import type { Challenge } from './challenge.ts';
import { answerOf } from './vault-error.ts';
import type { VaultSession } from './vault-session.ts';

/** A vault may ask first for another resource, and then for claims. */
const MAX_CHALLENGES = 2;

/** The login of one read. */
export class ReadLogin {
  readonly #session: VaultSession;
  readonly #signal: AbortSignal;
  readonly #span: Span | undefined;
  #resource: string;
  #challenges = 0;
  #token: Secret | undefined;

  constructor(session: VaultSession, signal: AbortSignal, span?: Span) {
    this.#session = session;
    this.#signal = signal;
    this.#span = span;
    this.#resource = session.host.resource ?? session.resource;
  }

  /** Returns the value of the header for the next try. Throws: see `TokenPool`. */
  async authorization(): Promise<string> {
    const use = { resource: this.#resource, signal: this.#signal, span: this.#span };
    this.#token ??= await this.#session.login.token(use);
    return `Bearer ${this.#token.reveal()}`;
  }

  /** Records that the vault accepted the token. Other reads log in for the resource of a challenge only after that. */
  accepted(): void {
    if (this.#resource !== this.#session.resource) this.#session.host.resource = this.#resource;
  }

  /**
   * Gets the token that a challenge asks for.
   * Throws: ERR_AUTHENTICATION if there is none that the vault could take; see `TokenPool` for others.
   */
  async answer(challenge: Challenge): Promise<void> {
    const { login } = this.#session;
    const refused = this.#token;
    if (refused === undefined || this.#challenges >= MAX_CHALLENGES) throw unauthorized(this.#session, challenge);
    this.#resource = this.#resourceFor(challenge);
    const claims = challenge.claims === '' ? {} : { claims: challenge.claims };
    const token = await login.token({
      resource: this.#resource,
      signal: this.#signal,
      span: this.#span,
      refused,
      ...claims,
    });
    this.#challenges++;
    if (token.reveal() === refused.reveal()) throw unauthorized(this.#session, challenge);
    this.#token = token;
  }

  #resourceFor(challenge: Challenge): string {
    const { host, hostName, vaultName, tenantId: named } = this.#session;
    const { resource, tenantId: trusted } = challenge;
    if (isGuid(named) && isGuid(trusted) && named.toLowerCase() !== trusted.toLowerCase()) {
      if (host.trusted?.tenantId === named) {
        host.trusted = undefined;
        const text = `vault "${vaultName}" trusts tenant ${trusted} now, and tenant ${named} before`;
        const remedy = `a manifest that names no tenant follows at the next mount; correct one that names it`;
        throw refusal(this.#session, `${text}: ${remedy}; nothing was sent to tenant ${trusted}`, detailsOf(challenge));
      }
      throw refusal(
        this.#session,
        `vault "${vaultName}" trusts tenant ${trusted}, and the manifest names tenant ${named}: ` +
          `correct the tenant (tenantID, or keyVault.vault.directoryId), or the vault; nothing was sent to tenant ${trusted}`,
        detailsOf(challenge),
      );
    }
    if (challenge.claims !== '') return this.#resource;
    if (resource === '' || resource === this.#resource) {
      if (this.#challenges > 0) throw unauthorized(this.#session, challenge);
      return this.#resource;
    }
    if (resourceCovers(resource, host.url)) return resource;
    throw refusal(
      this.#session,
      `vault "${vaultName}" asks for a token for "${resource.slice(0, 200)}", which does not match its own host ` +
        `${hostName}; nothing was sent. Check keyVaultDNSSuffix and keyVaultEndpoint of the cloud file`,
      detailsOf(challenge),
    );
  }
}

function unauthorized(session: VaultSession, challenge: Challenge): ProviderError {
  const { body, requestId, tenantId } = challenge;
  const { code, message } = answerOf(401, body, requestId);
  const trusted = tenantId === '' ? 'the tenant of the vault' : `tenant ${tenantId}, which the vault trusts`;
  return refusal(
    session,
    `vault "${session.vaultName}" does not accept the token of ${session.identity()}: ` +
      `${`401 ${code}`.trim()}; check that tenant ${session.tenantId} is ${trusted}`,
    detailsOf(challenge),
    serverWords(message),
  );
}

function detailsOf({ body, requestId }: Challenge): Pick<ErrorDetails, 'remoteCode' | 'requestId'> {
  const { code } = answerOf(401, body, requestId);
  return { ...(code === '' ? {} : { remoteCode: code }), ...(requestId === undefined ? {} : { requestId }) };
}

function refusal(
  { hostName }: VaultSession,
  reason: string,
  more: Pick<ErrorDetails, 'remoteCode' | 'requestId'> = {},
  said = '',
): ProviderError {
  return new ProviderError('ERR_AUTHENTICATION', `${reason}${said === '' ? '' : `; the vault says: ${said}`}`, {
    details: { httpStatus: 401, host: hostName, phase: 'vault', ...more },
    reason,
    said,
  });
}
