/**
 * Reads the tenant of a manifest of the classic form, which may leave it out. Called by `parameters.ts`. Refuses a
 * misspelt name in its place.
 */

import { quote } from '../base/words.ts';
import { tenantProblem } from './names.ts';
import type { ParameterReader } from './parameter-reader.ts';
import { tenantDoubt } from './placeholder.ts';

/** The end of a sentence about a tenant that a manifest leaves out. */
export const TENANT_IS_LEARNT =
  'is not set: the tenant is learnt from the vault, which names it to a request without a token';

/** The tenant of a manifest. */
export interface NamedTenant {
  /** Empty: the vault is asked for it. */
  readonly tenantId: string;
  /** The parameter that names it. */
  readonly name: string;
  /** True if an unknown parameter may mean it, which is reported. */
  readonly isMisspelt: boolean;
}

/**
 * Reads the tenant of a manifest.
 * Differs: without a tenant, the official provider fails, also where the identity needs none.
 */
export function readTenant(reader: ParameterReader): NamedTenant {
  const tenantId = reader.text('tenantID') || reader.text('tenantId');
  const name = reader.text('tenantID') === '' && reader.has('tenantId') ? 'tenantId' : 'tenantID';
  const missing = 'tenantId is not provided; set tenantID to the Entra tenant ID of the Key Vault';
  const isMisspelt = tenantId === '' && reader.refuseMisspelt('tenantID', missing);
  return { tenantId, name, isMisspelt };
}

/** Reports on the tenant that the identity logs in at. */
export function reportTenant(reader: ParameterReader, { tenantId, name, isMisspelt }: NamedTenant): void {
  const problem = tenantId === '' ? undefined : tenantProblem(tenantId);
  if (problem !== undefined)
    reader.error(name, `failed to get keyvault client: invalid tenantID: ${problem}`, 'client');
  const doubt = tenantDoubt(tenantId);
  if (doubt !== undefined) reader.warning(name, `${name} ${quote(tenantId)} ${doubt}`);
  if (tenantId === '' && !isMisspelt) reader.note(name, `${name} ${TENANT_IS_LEARNT}`);
}
