import type { X509Certificate } from 'node:crypto';
import { ProviderError } from '../base/errors.ts';
import { buildChain } from '../pki/chain.ts';
import { type CertificateFinding, type CertificateReason, checkCertificates } from '../pki/findings.ts';
import type { CertificateMaterial } from '../pki/material.ts';
import type { ConvertContext } from './convert.ts';

/** What is wrong with a certificate for its date: `--certificate-policy enforce` refuses a mount for it. */
export const DATE_REASONS: readonly CertificateReason[] = ['expired', 'not_yet_valid'];

/** Looks at every certificate on its way into a volume, and says what a server would say later. */
export class CertificateWatch {
  readonly #context: ConvertContext;

  constructor(context: ConvertContext) {
    this.#context = context;
  }

  /**
   * Reports what is wrong with a certificate and its chain: a log line once, a count each time.
   * Errors: ERR_BAD_CONTENT for expired and not yet valid ones where the policy is to enforce.
   */
  look(name: string, { chain, key }: Pick<CertificateMaterial, 'chain' | 'key'>): void {
    this.#report(name, checkCertificates(chain, key, this.#context.clock.now()));
  }

  /** The same for certificates that come without chain and key by design; only what `reasons` name is looked for. */
  lookAlone(name: string, certificates: readonly X509Certificate[], reasons: readonly CertificateReason[]): void {
    const now = this.#context.clock.now();
    const findings = certificates.flatMap((one) => checkCertificates(buildChain([one]), undefined, now));
    this.#report(
      name,
      findings.filter(({ reason }) => reasons.includes(reason)),
    );
  }

  #report(name: string, findings: readonly CertificateFinding[]): void {
    const { certificatePolicy, telemetry, log, noted } = this.#context;
    for (const { reason, message } of findings) {
      if (certificatePolicy === 'enforce' && DATE_REASONS.includes(reason)) {
        throw new ProviderError('ERR_BAD_CONTENT', `${message} (--certificate-policy enforce)`);
      }
      telemetry.certificateWarning(reason);
      noted.note(`${name} ${reason} ${message}`, () => log.warn(`Certificate "${name}": ${message}`, { reason }));
    }
  }
}
