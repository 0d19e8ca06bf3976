import { ProviderError } from '../base/errors.ts';
import { type CertificateReason, checkCertificates } from '../pki/findings.ts';
import type { CertificateMaterial } from '../pki/material.ts';
import type { ConvertContext } from './convert.ts';

/** Reasons for which `--certificate-policy enforce` refuses a mount. */
const ENFORCED: readonly CertificateReason[] = ['expired', 'not_yet_valid'];

/** Looks at every certificate on its way into a volume, and says what a server would say later. */
export class CertificateWatch {
  readonly #context: ConvertContext;

  constructor(context: ConvertContext) {
    this.#context = context;
  }

  /**
   * Reports what is wrong with a certificate: a log line once, a count each time. `leafOnly` certificates come without
   * their chain by design.
   * Errors: ERR_BAD_CONTENT for expired and not yet valid ones where the policy is to enforce.
   */
  look(name: string, { chain, key }: Pick<CertificateMaterial, 'chain' | 'key'>, { leafOnly = false } = {}): void {
    const { certificatePolicy, clock, telemetry, log, noted } = this.#context;
    for (const { reason, message } of checkCertificates(chain, key, clock.now())) {
      if (leafOnly && reason === 'chain_incomplete') continue;
      if (certificatePolicy === 'enforce' && ENFORCED.includes(reason)) {
        throw new ProviderError('ERR_BAD_CONTENT', `${message} (--certificate-policy enforce)`);
      }
      telemetry.certificateWarning(reason);
      noted.note(`${name} ${reason} ${message}`, () => log.warn(`Certificate "${name}": ${message}`, { reason }));
    }
  }
}
