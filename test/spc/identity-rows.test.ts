import { describe, expect, it } from 'vitest';
import { IDENTITY_PARAMETERS, IDENTITY_ROWS, type IdentityRequest } from '../../src/spc/identities/table.ts';
import { CLASSIC, read, tokensOf } from '../support/spc.ts';

const EXCHANGE = 'api://AzureADTokenExchange';
const BINDING = 'api://AKSIdentityBinding';
const TOKENS = { attributes: tokensOf({ [EXCHANGE]: { token: 'x' }, [BINDING]: { token: 'b' } }) };

/** A row for each mode: official name, parameters that select it, field of the `keyVault` form, tenant, audience. */
const ROWS: Readonly<Record<IdentityRequest['kind'], readonly unknown[]>> = {
  'service-principal': ['None', undefined, [], 'servicePrincipalLocalSecretName', true, undefined],
  'workload-identity': ['None', { text: 'clientID' }, [], 'workloadIdentity', true, EXCHANGE],
  'pod-identity': ['PodIdentity', { flag: 'usePodIdentity' }, [], undefined, false, undefined],
  'managed-identity': [
    'VMManagedIdentity',
    { flag: 'useVMManagedIdentity' },
    ['userAssignedIdentityID'],
    'managedIdentity',
    false,
    undefined,
  ],
  'identity-binding': ['AzureTokenProxy', { flag: 'useAzureTokenProxy' }, [], undefined, true, BINDING],
};

const CHOICES: readonly (readonly [IdentityRequest['kind'], Record<string, string>])[] = [
  ['service-principal', {}],
  ['workload-identity', { clientID: 'client-1' }],
  ['pod-identity', { clientID: 'client-1', usePodIdentity: 'true' }],
  ['managed-identity', { clientID: 'client-1', useVMManagedIdentity: 'true' }],
  ['identity-binding', { clientID: 'client-1', useAzureTokenProxy: 'true' }],
];

describe('the identity table', () => {
  it.each(Object.entries(IDENTITY_ROWS))('has the row of %s', (kind, row) => {
    const { officialMode, chosenBy, parameters, credential, needsTenant, audience } = row;
    const fields = [officialMode, chosenBy, parameters, credential?.field, needsTenant, audience];
    expect(fields).toEqual(ROWS[kind as IdentityRequest['kind']]);
  });

  it.each(CHOICES)('chooses %s by %j', (kind, parameters) => {
    expect(read({ ...CLASSIC, ...parameters }, TOKENS).volume?.identity.kind).toBe(kind);
  });

  it.each(CHOICES)('gives the login of a person in place of %s, without credentials (%j)', (_, parameters) => {
    const { errors, volume } = read({ ...CLASSIC, ...parameters }, { developer: 'azurecli', secrets: '{}' });
    expect(errors).toEqual([]);
    expect(volume?.identity).toEqual({ kind: 'developer', login: 'azurecli', tenantId: CLASSIC.tenantID });
  });

  it('lists the parameters once each, in the order of messages', () => {
    expect(IDENTITY_PARAMETERS).toEqual([
      'usePodIdentity',
      'useVMManagedIdentity',
      'useAzureTokenProxy',
      'userAssignedIdentityID',
      'clientID',
    ]);
  });

  it('lets one flag be set only, and names all of them', () => {
    const { errors } = read({ ...CLASSIC, useVMManagedIdentity: 'true', useAzureTokenProxy: 'true' }, TOKENS);
    expect(errors[0]).toBe(
      'only one identity mode can be enabled at a time: usePodIdentity, useVMManagedIdentity, or useAzureTokenProxy',
    );
  });
});
