/**
 * The names of the parameters of both forms. Called by the readers of parameters, by `check`, and by the test that
 * holds the reference pages to the code. A name that is not listed here is unknown to both forms.
 */

import { IDENTITY_PARAMETERS } from './identities/table.ts';

/** Names of the classic form's parameters, with those that the official provider has and that have no effect here. */
export const CLASSIC_NAMES: readonly string[] = [
  'keyvaultName',
  'tenantID',
  'tenantId',
  'cloudName',
  'cloudEnvFileName',
  ...IDENTITY_PARAMETERS,
  'objects',
  'templates',
  'maxAge',
  'validity',
  'fallbackVaults',
  'resourceGroup',
  'subscriptionId',
];

/** Names of the `keyVault` form's parameters. */
export const KEY_VAULT_NAMES: readonly string[] = [
  'keyVault',
  'fileLayout',
  'certificateUse',
  'fileName',
  'filePermission',
  'templates',
  'maxAge',
  'validity',
  'fallbackVaults',
  'cloudName',
  'cloudEnvFileName',
];

/** Names of the parameters of both forms. */
export const ALL_NAMES: readonly string[] = [...CLASSIC_NAMES, ...KEY_VAULT_NAMES];

/** Parameters that hold a text of objects, with length limits of their own. */
export const TEXTS: readonly string[] = ['objects', 'keyVault', 'templates'];
