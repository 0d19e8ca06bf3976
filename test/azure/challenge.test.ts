import { expect, it } from 'vitest';
import { Challenge } from '../../src/azure/vault/challenge.ts';

const KEY_VAULT =
  'Bearer authorization="https://login.microsoftonline.com/11111111-1111-1111-1111-111111111111", resource="https://vault.azure.net"';
const read = (header: string) => {
  const { tenantId, resource, claims } = new Challenge(header, '', undefined);
  return { tenantId, resource, claims };
};
const TENANT = '11111111-1111-1111-1111-111111111111';
const RESOURCE = 'https://vault.azure.net';

it.each<[string, string, ReturnType<typeof read>]>([
  ['of Key Vault', KEY_VAULT, { tenantId: TENANT, resource: RESOURCE, claims: '' }],
  [
    'with other names, without quotes',
    `Bearer authorization_uri=https://login.x/${TENANT},scope=${RESOURCE}/.default`,
    { tenantId: TENANT, resource: RESOURCE, claims: '' },
  ],
  [
    'that asks for claims',
    `${KEY_VAULT}, error="insufficient_claims", claims="${Buffer.from('{"a":1}').toString('base64')}"`,
    { tenantId: TENANT, resource: RESOURCE, claims: '{"a":1}' },
  ],
  [
    'with words of no meaning',
    `${'a'.repeat(7000)} = , resource="${RESOURCE}"`,
    { tenantId: '', resource: RESOURCE, claims: '' },
  ],
  ['that is longer than any', `${KEY_VAULT}, a="${'b'.repeat(8192)}"`, { tenantId: '', resource: '', claims: '' }],
  ['that is empty', '', { tenantId: '', resource: '', claims: '' }],
])('a challenge %s is read', (_, header, expected) => {
  expect(read(header)).toEqual(expected);
});
