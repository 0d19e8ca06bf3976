/**
 * Reports problems of certificates that are mounted. The conversions in this room call it. With `--certificate-policy
 * enforce` it refuses expired and not yet valid certificates.
 */

import type { WallClock } from '../../base/clock.ts';
import { ProviderError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Telemetry } from '../../base/telemetry.ts';
import { type CertificateFinding, type Examination, findingsAt } from '../../pki/findings.ts';
import type { CertificateReason } from '../../pki/reasons.ts';
import type { Validity } from '../../spc/model.ts';
import type { LogOnce } from '../log-once.ts';

/** The log and metrics of a {@link CertificateWatch}, and its policy. */
export interface WatchOptions {
  readonly certificatePolicy: 'warn' | 'enforce';
  readonly clock: WallClock;
  readonly telemetry: Pick<Telemetry, 'certificateWarning'>;
  readonly log: Logger;
  readonly noted: LogOnce;
}

/** Reasons for which `--certificate-policy enforce` refuses a Mount. */
export const DATE_REASONS: readonly CertificateReason[] = ['expired', 'not_yet_valid'];

/** Checks every certificate that is written into a volume, and reports what would fail in a server later. */
export class CertificateWatch {
  readonly #options: WatchOptions;
  readonly #validity: Validity | undefined;

  /** `validity`: that of the object, which goes before the policy. */
  constructor(options: WatchOptions, validity?: Validity) {
    this.#options = options;
    this.#validity = validity;
  }

  /**
   * Reports the current problems of certificates: each one in the log once, and in the metrics each time. `reasons`
   * limits the problems, for certificates that have no chain or key by design.
   * Throws: ERR_BAD_CONTENT for expired and not yet valid ones if `validity` or the policy refuses them.
   */
  look(name: string, examinations: readonly Examination[], reasons?: readonly CertificateReason[]): void {
    const { certificatePolicy, clock, log, noted } = this.#options;
    const now = clock.wall();
    for (const finding of examinations.flatMap((examination) => findingsAt(examination, now))) {
      const { reason, message, isNote } = finding;
      if (reasons?.includes(reason) === false) continue;
      if (isNote) {
        noted.note(`${name} ${reason} ${message}`, () => log.info('Certificate note', fieldsOf(name, finding)));
        continue;
      }
      const rule = DATE_REASONS.includes(reason) ? (this.#validity ?? certificatePolicy) : 'warn';
      if (rule === 'ignore') continue;
      if (rule !== 'warn') {
        const by = this.#validity === undefined ? '--certificate-policy' : 'validity:';
        throw new ProviderError('ERR_BAD_CONTENT', `${message} (${by} ${rule})`);
      }
      this.tell(name, finding);
    }
  }

  /** Reports one problem: in the log once, and in the metrics each time. */
  tell(name: string, finding: CertificateFinding): void {
    const { reason, message } = finding;
    const { telemetry, log, noted } = this.#options;
    telemetry.certificateWarning(reason);
    noted.note(`${name} ${reason} ${message}`, () => log.warn('Certificate warning', fieldsOf(name, finding)));
  }
}

function fieldsOf(certificate: string, { reason, message }: CertificateFinding) {
  return { certificate, reason, detail: `Certificate "${certificate}": ${message}` };
}
