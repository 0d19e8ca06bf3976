/**
 * Collects what was looked at, and the causes that were found. `why.ts` and `why-node.ts` add to it.
 */

import { type Cause, causeOf } from './causes.ts';

/** One thing that was looked at. */
export interface Finding {
  /** `unknown`: it could not be looked at. */
  readonly state: 'ok' | 'error' | 'warning' | 'unknown';
  /** Such as `volume certs` or `driver`. */
  readonly subject: string;
  readonly message: string;
}

/** Findings, and the cause that each of them is, if it is one. */
export class Report {
  readonly findings: Finding[] = [];
  /** In the order in which a Mount meets them. */
  readonly causes: Cause[] = [];

  add(state: Finding['state'], subject: string, message: string): void {
    this.findings.push({ state, subject, message });
  }

  cause(subject: string, code: Cause['code'], message: string): void {
    this.add('error', subject, message);
    this.causes.push(causeOf(code, `${subject}: ${message}`));
  }
}
