/**
 * Refuses the parameters that a pod's `volumeAttributes` change where the node itself proves the identity. The pipeline
 * calls it when parameters are parsed, before anybody logs in. A class that cannot be read is refused too, since the pod
 * could have written everything that it is asked for.
 */

import { ProviderError } from '../base/errors.ts';
import type { Attributes } from '../spc/attributes.ts';
import { IDENTITY_ROWS } from '../spc/identities/table.ts';
import { classOf, overriddenNames, overrideProblem, unreadableClassProblem } from '../spc/overrides.ts';
import type { ParsedParameters } from '../spc/parameters.ts';
import type { ClassReader, FetchContext } from './ports.ts';

/** What pods may change, and how it is found out. */
export interface OverrideRules {
  /** `--allow-volume-attributes`. */
  readonly allowed: readonly string[];
  readonly classes: ClassReader;
}

/** Adds an error to the findings for the parameters that the pod changed and may not. Throws: the reason of an abort. */
export async function refuseOverrides(
  attributes: Attributes,
  { mode, findings }: ParsedParameters,
  { allowed, classes }: OverrideRules,
  context: Pick<FetchContext, 'signal' | 'progress'>,
): Promise<void> {
  const ref = classOf(attributes);
  if (mode === undefined || !IDENTITY_ROWS[mode].ofNode || ref === undefined || ref.namespace === '') return;
  try {
    const copy = await classes.read(
      ref,
      context,
      (parameters) => overriddenNames(attributes, parameters, allowed).length === 0,
    );
    const names = overriddenNames(attributes, copy.parameters, allowed);
    const [first] = names;
    if (first === undefined) return;
    const { unconfirmed } = copy;
    const doubt = unconfirmed === undefined ? '' : `; compared with the last known copy of the class: ${unconfirmed}`;
    findings.error(first, `${overrideProblem(names, allowed, ref)}${doubt}`);
  } catch (error) {
    if (context.signal.aborted || !(error instanceof ProviderError)) throw error;
    findings.error('secretProviderClass', unreadableClassProblem(ref, error.message), { code: error.code });
  }
}
