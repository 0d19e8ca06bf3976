import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesOfFacts, factsFromStore, factsFromWire } from '../../src/azure/vault/object-facts.ts';
import { type Lab, READER, reader, startLab, TENANT } from '../support/azure.ts';

const MADE = '{created: 2026-01-01T00:00:00Z, notBefore: 2026-01-02T00:00:00Z, tags: {owner: team-a}';
const SEED = `
tenants:
  - id: "${TENANT}"
    identities: [{name: reader, clientId: "${READER}", secrets: [{value: reader-secret}]}]
vaults:
  - name: lab-vault
    tenant: "${TENANT}"
    grants: [{identity: reader, secrets: all, keys: all, certificates: all}]
    secrets: [${MADE}, name: s, value: v, contentType: text/plain}]
    keys: [${MADE}, name: k, kty: EC, crv: P-256}]
    certificates: [${MADE}, name: c, key: {kty: EC, crv: P-256}}]
`;

let lab: Lab;
beforeAll(async () => {
  lab = await startLab({ seed: SEED });
});
afterAll(() => lab.close());

describe('the facts of an object', () => {
  it.each([
    ['secret', 's', { contentType: 'text/plain' }],
    ['key', 'k', {}],
    ['cert', 'c', { contentType: 'application/x-pkcs12' }],
  ] as const)('are read with the %s', async (type, name, more) => {
    const { facts } = await lab.open(reader()).get({ type, name, version: '' }, lab.context());
    expect(facts).toEqual({
      enabled: true,
      createdAt: Date.UTC(2026, 0, 1),
      updatedAt: expect.any(Number),
      notBefore: Date.UTC(2026, 0, 2),
      tags: { owner: 'team-a' },
      ...more,
    });
  });

  it.each<[string, Record<string, unknown>]>([
    ['nothing', {}],
    ['other types', { attributes: { enabled: 1, created: 'x', nbf: {} }, contentType: 5, tags: ['a'] }],
    ['nothing but null', { attributes: null, contentType: null, tags: null, policy: null }],
    ['empty texts and maps', { contentType: '', tags: {}, policy: { secret_props: {} } }],
    ['tags that are no texts, or too long', { tags: { a: 1, b: { c: 'd' }, e: 'x'.repeat(1025) } }],
  ])('are absent where the vault sends %s', (_, json) => {
    expect(factsFromWire(json)).toEqual({});
  });

  it('have a bounded number of tags, and count as memory', () => {
    const tags = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`t${i + 100}`, 'abc']));
    const facts = factsFromWire({ tags });
    expect(Object.keys(facts.tags ?? {})).toHaveLength(100);
    expect(bytesOfFacts(facts)).toBe(700);
    expect(bytesOfFacts(undefined)).toBe(0);
  });

  it('come back from the store, and are absent in entries without them', () => {
    const facts = factsFromWire({ attributes: { enabled: false, created: 5 }, tags: { a: 'b' } });
    expect(factsFromStore(JSON.parse(JSON.stringify(facts)))).toEqual(facts);
    expect(factsFromStore(undefined)).toBeUndefined();
  });
});
