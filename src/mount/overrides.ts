/**
 * Refuses changes that a pod's `volumeAttributes` make to a request that uses the node's own identity. The pipeline
 * calls it after the parameters are parsed and before a login. A request whose class cannot be read is refused too,
 * because the pod could have set all of its parameters.
 */

import { ProviderError } from '../base/errors.ts';
import type { Attributes } from '../spc/attributes.ts';
import { IDENTITY_ROWS } from '../spc/identities/table.ts';
import {
  classOf,
  missingClassProblem,
  overriddenNames,
  overrideProblem,
  unreadableClassProblem,
} from '../spc/overrides.ts';
import type { ParsedParameters } from '../spc/parameters.ts';
import type { ClassReader, FetchContext } from './ports.ts';

/** The parameters that pods may change, and the classes to compare requests with. */
export interface OverrideRules {
  /** `--allow-volume-attributes`. */
  readonly allowed: readonly string[];
  readonly classes: ClassReader;
}

/**
 * Adds an error to the findings if the pod changed parameters that it may not change. Throws: the reason of an abort.
 */
export async function refuseOverrides(
  attributes: Attributes,
  { mode, findings }: ParsedParameters,
  { allowed, classes }: OverrideRules,
  context: Pick<FetchContext, 'signal' | 'progress' | 'span'>,
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
    const doubt =
      unconfirmed === undefined
        ? ''
        : `; the provider compared the request with the last known copy of the class: ${unconfirmed}`;
    findings.error(first, `${overrideProblem(names, allowed, ref)}${doubt}`);
  } catch (error) {
    if (context.signal.aborted || !(error instanceof ProviderError)) throw error;
    const problem = error.code === 'ERR_BAD_PARAMETERS' ? missingClassProblem : unreadableClassProblem;
    findings.error('secretProviderClass', problem(ref, error.message), { code: error.code });
  }
}
