/** Counts findings by severity, for the last line of `check` and `kubectl akv check`. */

import { counted } from '../base/words.ts';
import type { Finding } from '../spc/finding.ts';

const SEVERITIES: readonly Finding['severity'][] = ['error', 'warning', 'note'];

/** Returns the counts, such as `1 error, 0 warnings, 2 notes`. */
export function countsOf(findings: readonly Pick<Finding, 'severity'>[]): string {
  return SEVERITIES.map((severity) => {
    const count = findings.filter((finding) => finding.severity === severity).length;
    return counted(count, severity);
  }).join(', ');
}
