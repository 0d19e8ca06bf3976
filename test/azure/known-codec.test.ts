/** Holds that every value that is kept for outages comes back from its bytes as it was, and that other bytes give none. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeKnown, encodeKnown, entryKeyOf, requestOfEntry } from '../../src/azure/vault/known-codec.ts';
import type { KnownRequest } from '../../src/azure/vault/known-request.ts';
import { Secret } from '../../src/base/secret.ts';
import type { FetchedObject, ObjectFacts } from '../../src/mount/ports.ts';
import { rounds } from '../support/rounds.ts';

const text = () => fc.string({ unit: 'binary', maxLength: 200 });
const optional = () => fc.option(text(), { nil: undefined });
const facts: fc.Arbitrary<ObjectFacts> = fc.record(
  {
    enabled: fc.boolean(),
    createdAt: fc.integer(),
    updatedAt: fc.integer(),
    notBefore: fc.integer(),
    contentType: fc.string({ minLength: 1 }),
    tags: fc.dictionary(fc.string(), fc.string(), { minKeys: 1 }),
  },
  { requiredKeys: [] },
);
const common = {
  version: text(),
  expiresAt: fc.option(fc.integer({ min: 0 }), { nil: undefined }),
  facts: fc.option(facts, { nil: undefined }),
};
const object: fc.Arbitrary<FetchedObject> = fc.oneof(
  fc.record({
    type: fc.constant('secret' as const),
    ...common,
    value: text().map((value) => new Secret(value)),
    contentType: text(),
    certificateBacked: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('key' as const),
    ...common,
    key: fc.record({ kty: optional(), crv: optional(), n: optional(), e: optional(), x: optional(), y: optional() }),
  }),
  fc.record({
    type: fc.constant('cert' as const),
    ...common,
    der: fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes)),
  }),
);
const listing = fc.array(
  fc.record(
    {
      version: text(),
      enabled: fc.boolean(),
      createdAt: fc.integer(),
      notBefore: fc.integer(),
      expiresAt: fc.integer(),
    },
    { requiredKeys: ['version', 'enabled', 'createdAt'] },
  ),
  { maxLength: 20 },
);
const objects = fc.array(
  fc.record(
    {
      name: text(),
      enabled: fc.boolean(),
      updatedAt: fc.integer(),
      tags: fc.dictionary(fc.string(), fc.string(), { minKeys: 1 }),
    },
    { requiredKeys: ['name', 'enabled'] },
  ),
  { maxLength: 20 },
);
const opened = (value: FetchedObject | undefined) =>
  value?.type === 'secret' ? { ...value, value: value.value.reveal() } : value;

describe('the bytes of a value', () => {
  it('give an object back as it was', () => {
    fc.assert(
      fc.property(object, (value) => {
        const again = decodeKnown({ operation: 'read', type: value.type }, encodeKnown(value));
        expect(opened(again as FetchedObject)).toEqual(opened(value));
      }),
      { numRuns: rounds(200, 5000) },
    );
  });

  it('give a listing back as it was', () => {
    fc.assert(
      fc.property(listing, (value) => {
        expect(decodeKnown({ operation: 'list the versions of', type: 'key' }, encodeKnown(value))).toEqual(value);
      }),
      { numRuns: rounds(200, 5000) },
    );
  });

  it('give a listing of objects back as it was', () => {
    fc.assert(
      fc.property(objects, (value) => {
        expect(decodeKnown({ operation: 'list', type: 'key' }, encodeKnown(value))).toEqual(value);
      }),
      { numRuns: rounds(200, 5000) },
    );
  });

  it.each(['{}', '[1]', '[[]]', '[["a"]]', '[["a",{}]]', '[[1,{"enabled":true}]]'])(
    '%s give no listing of objects',
    (json) => {
      expect(decodeKnown({ operation: 'list', type: 'key' }, Buffer.from(json))).toBeUndefined();
    },
  );

  it('are the same for equal values, so that a value that did not change is not written again', () => {
    fc.assert(fc.property(object, (value) => encodeKnown(value).equals(encodeKnown({ ...value }))));
  });

  it.each([
    ['', 'secret'],
    ['null', 'secret'],
    ['[]', 'secret'],
    ['{"type":"secret","version":"1"}', 'secret'],
    ['{"type":"secret","version":"1","value":1,"contentType":"","certificateBacked":false}', 'secret'],
    ['{"type":"key","version":"1","key":{"kty":1}}', 'key'],
    ['{"type":"key","version":"1","key":null}', 'key'],
    ['{"type":"cert","version":"1","der":[]}', 'cert'],
    ['{"type":"cert","version":"1","expiresAt":"soon","der":""}', 'cert'],
    ['{"type":"cert","version":"1","der":""}', 'key'],
  ] as const)('%s give no %s', (json, type) => {
    expect(decodeKnown({ operation: 'read', type }, Buffer.from(json))).toBeUndefined();
  });

  it.each(['', '{}', '[1]', '[[]]', '[["v","yes",0]]', '[["v",true,0],[]]'])('%s give no listing', (json) => {
    expect(decodeKnown({ operation: 'list the versions of', type: 'key' }, Buffer.from(json))).toBeUndefined();
  });
});

describe('the key of an entry', () => {
  const request: KnownRequest = {
    principal: 'p',
    vaultUrl: 'https://kv.vault.azure.net',
    operation: 'read',
    type: 'secret',
    name: 'db-password',
    version: '',
  };

  it('gives the request back, and another kind of entry gives none', () => {
    expect(requestOfEntry(entryKeyOf(request))).toEqual(request);
    expect(requestOfEntry(['issuer 1', 'https://issuer'])).toBeUndefined();
    expect(requestOfEntry(entryKeyOf(request).with(0, 'known value 2'))).toBeUndefined();
    expect(requestOfEntry(entryKeyOf(request).with(3, 'delete'))).toBeUndefined();
    expect(requestOfEntry(entryKeyOf(request).with(4, 'keys'))).toBeUndefined();
  });

  it('differs where any part of the request does', () => {
    const others: readonly Partial<KnownRequest>[] = [
      { principal: 'q' },
      { vaultUrl: 'https://kv2.vault.azure.net' },
      { operation: 'list the versions of' },
      { operation: 'list' },
      { type: 'key' },
      { name: 'other' },
      { version: '1' },
    ];
    const keys = [{}, ...others].map((other) => JSON.stringify(entryKeyOf({ ...request, ...other })));
    expect(new Set(keys).size).toBe(keys.length);
  });
});
