/**
 * Keeps a valid certificate: reads its files again and again, and issues another one in time. The command `webhook`
 * makes one and calls `check` each minute. A renewal that fails keeps what there is, and is logged with the remedy.
 */

import { type Clock, Lifetime } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { type CertificateSource, readAuthority, readKeyPair } from './files.ts';
import type { Authority } from './issue.ts';
import { isValidAt, type KeyPair, type Period } from './key-pair.ts';

/** Parts of {@link CertificateKeeper}. */
export interface KeeperParts {
  readonly source: CertificateSource;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Part of its life after which an issued certificate is renewed. */
const RENEW_AFTER = 2 / 3;
/** Part of its life before the end from which somebody else has to renew a certificate. */
const WARN_BEFORE = 0.1;
/** How often the same state is logged. */
const REPEAT_MS = 24 * 60 * 60 * 1000;

/** What was read last, and what is served. */
interface Kept {
  readonly keyPair: KeyPair;
  /** Undefined if the files hold the certificate itself. */
  readonly authority: Authority | undefined;
}

/** The certificate of the webhook. */
export class CertificateKeeper {
  readonly #parts: KeeperParts;
  readonly #told = new Map<string, Lifetime>();
  #kept: Kept;

  private constructor(parts: KeeperParts, kept: Kept) {
    this.#parts = parts;
    this.#kept = kept;
  }

  /** Reads the files and issues the first certificate. Throws: an `Error` with the file, the reason and the remedy. */
  static async open(parts: KeeperParts): Promise<CertificateKeeper> {
    const kept = await readKept(parts, undefined);
    const keeper = new CertificateKeeper(parts, kept);
    keeper.#tellExpiry();
    return keeper;
  }

  /** What is served now. */
  get keyPair(): KeyPair {
    return this.#kept.keyPair;
  }

  /** The period of what the API server trusts; undefined if it is not known here. */
  get authority(): Period | undefined {
    return this.#kept.authority?.period;
  }

  /** The reason why the API server cannot trust what is served; undefined if it can. */
  get problem(): string | undefined {
    const now = this.#parts.clock.wall();
    for (const [what, period] of [
      ['the authority (ca.crt)', this.authority],
      ['the certificate', this.keyPair.period],
    ] as const) {
      if (period === undefined || isValidAt(period, now)) continue;
      const state = now < period.notBefore ? 'is not valid yet' : 'has expired';
      return `${what} ${state}: ${dateOf(period.notBefore)} to ${dateOf(period.notAfter)}; ${this.#remedy}`;
    }
    return undefined;
  }

  /** Reads the files and renews what is due. Returns true if there is another certificate to serve. Never throws. */
  async check(): Promise<boolean> {
    const before = this.#kept;
    try {
      this.#kept = await readKept(this.#parts, before);
    } catch (error) {
      this.#tell('Cannot renew the certificate; the webhook goes on with the last one', messageOf(error));
    }
    const isNew = this.#kept.keyPair !== before.keyPair;
    if (isNew) this.#parts.log.info('The certificate was renewed', { notAfter: dateOf(this.keyPair.period.notAfter) });
    this.#tellExpiry();
    return isNew;
  }

  get #remedy(): string {
    return this.#parts.source.kind === 'files'
      ? 'renew the Secret that holds tls.crt and tls.key, and check the clock of the node'
      : 'run helm upgrade, which renews the authority, and check the clock of the node';
  }

  /** Logs once a day that somebody else has to renew a certificate. */
  #tellExpiry(): void {
    const { problem } = this;
    if (problem !== undefined) this.#tell('The API server cannot trust the webhook', problem);
    const { notBefore, notAfter } = this.authority ?? this.keyPair.period;
    const left = notAfter - this.#parts.clock.wall();
    if (problem !== undefined || left > WARN_BEFORE * (notAfter - notBefore)) return;
    this.#tell('The certificate of the webhook expires soon', `not after ${dateOf(notAfter)}; ${this.#remedy}`);
  }

  #tell(message: string, error: string): void {
    const key = `${message} ${error}`;
    if (this.#told.get(key)?.over === false) return;
    if (this.#told.size > 10) this.#told.clear();
    this.#told.set(key, new Lifetime(this.#parts.clock, REPEAT_MS));
    this.#parts.log.error(message, { error });
  }
}

/** Returns `before` if the files are the same and nothing is due. */
async function readKept({ source, clock }: KeeperParts, before: Kept | undefined): Promise<Kept> {
  if (source.kind === 'files') {
    const keyPair = await readKeyPair(source.directory);
    const isSame = before?.keyPair.certificate === keyPair.certificate && before.keyPair.key === keyPair.key;
    return isSame ? before : { keyPair, authority: undefined };
  }
  const authority = await readAuthority(source.directory);
  const isSame = before?.authority?.certificate === authority.certificate && before.authority.key === authority.key;
  const now = clock.wall();
  if (isSame && !isDue(before.keyPair.period, now, authority.period)) return before;
  // The library that writes certificates is large, and not every source needs it.
  const { issueKeyPair } = await import('./issue.ts');
  return { keyPair: await issueKeyPair(authority, source.dnsNames, now), authority };
}

/** True if a certificate is to be renewed. One that ends with its authority cannot be renewed. */
function isDue({ notBefore, notAfter }: Period, now: number, authority: Period): boolean {
  if (now < notBefore) return now >= authority.notBefore;
  return now >= notBefore + RENEW_AFTER * (notAfter - notBefore) && notAfter < authority.notAfter;
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString();
}
