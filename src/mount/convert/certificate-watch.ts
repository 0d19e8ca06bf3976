import type { WallClock } from '../../base/clock.ts';
import { ProviderError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Telemetry } from '../../base/telemetry.ts';
import { type CertificateFinding, type Examination, findingsAt } from '../../pki/findings.ts';
import type { CertificateReason } from '../../pki/reasons.ts';
import type { NotedOnce } from '../log-once.ts';

/** What a {@link CertificateWatch} reports to, and when it refuses. */
export interface WatchOptions {
  readonly certificatePolicy: 'warn' | 'enforce';
  readonly clock: WallClock;
  readonly telemetry: Pick<Telemetry, 'certificateWarning'>;
  readonly log: Logger;
  readonly noted: NotedOnce;
}

/** What is wrong with a certificate for its date: `--certificate-policy enforce` refuses a mount for it. */
export const DATE_REASONS: readonly CertificateReason[] = ['expired', 'not_yet_valid'];

/** Looks at every certificate on its way into a volume, and says what a server would say later. */
export class CertificateWatch {
  readonly #options: WatchOptions;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /**
   * Reports what is wrong with certificates now: a log line once, a count each time. Of those that come without chain
   * and key by design, only what `reasons` name is looked for.
   * Errors: ERR_BAD_CONTENT for expired and not yet valid ones where the policy is to enforce.
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
      if (certificatePolicy === 'enforce' && DATE_REASONS.includes(reason)) {
        throw new ProviderError('ERR_BAD_CONTENT', `${message} (--certificate-policy enforce)`);
      }
      this.tell(name, finding);
    }
  }

  /** Reports one thing: a log line once, a count each time. */
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
