import { describe, expect, it } from 'vitest';
import { convertObjects } from '../../src/mount/convert/convert.ts';
import { metadataOf } from '../../src/mount/convert/metadata.ts';
import type { FetchedObject, ObjectFacts } from '../../src/mount/ports.ts';
import { convertContext, fetchedSecret, objectSpec, outputsContent, read } from '../support/mount.ts';

const place = { path: 'a.json', mode: 0o600, vaultName: 'kv' };
const secret = (facts?: ObjectFacts, parts = {}): FetchedObject => fetchedSecret('hunter2', { facts, ...parts });
const draft = (fetched: FetchedObject) => metadataOf(objectSpec('a'), fetched, place);
const metadata = (fetched: FetchedObject): unknown => JSON.parse(draft(fetched).file.contents.toString());

describe('the metadata of an object', () => {
  it('is what the vault said, with dates in UTC', () => {
    const facts = {
      enabled: true,
      createdAt: 0,
      updatedAt: 1_767_225_600_000,
      notBefore: 1000,
      contentType: 'text/plain',
      tags: { owner: 'team-a', ['__proto__']: 'x' },
    };
    const { file } = draft(secret(facts, { expiresAt: 2000 }));
    expect(file).toMatchObject({ path: 'a.json', mode: 0o600 });
    expect(file.contents.toString()).toBe(`{
  "name": "a",
  "type": "secret",
  "vault": "kv",
  "version": "v1",
  "contentType": "text/plain",
  "enabled": true,
  "created": "1970-01-01T00:00:00Z",
  "updated": "2026-01-01T00:00:00Z",
  "notBefore": "1970-01-01T00:00:01Z",
  "expires": "1970-01-01T00:00:02Z",
  "tags": {
    "owner": "team-a",
    "__proto__": "x"
  }
}
`);
  });

  it.each<[string, FetchedObject]>([
    ['that nothing is known of', secret()],
    ['with dates that are none', secret({ createdAt: 1e300 }, { expiresAt: -1e300 })],
  ])('leaves out what is not there: an object %s', (_, fetched) => {
    expect(metadata(fetched)).toEqual({ name: 'a', type: 'secret', vault: 'kv', version: 'v1', tags: {} });
  });

  it('has a version of its own, which changes with the tags alone', () => {
    const [one, same, other] = ['a', 'a', 'b'].map((owner) => draft(secret({ tags: { owner } })).source);
    expect(one).toEqual({ id: 'metadata/a.json', version: expect.stringMatching(/^[0-9a-f]{32}$/) });
    expect(same).toEqual(one);
    expect(other?.version).not.toBe(one?.version);
  });

  it('never holds the value', () => {
    expect(draft(secret({ tags: { a: 'b' } })).file.contents.toString()).not.toContain('hunter2');
  });
});

describe('a volume', () => {
  const about = { path: 'about', mode: 0o644 };
  const pathsOf = async (...all: Parameters<typeof convertObjects>[0]) =>
    (await convertObjects(all, convertContext())).made.map(({ file, source }) => [file.path, source.id]);

  it('has the file behind those of the object', async () => {
    expect(await pathsOf(read(objectSpec('a', { metadata: about }), secret()))).toEqual([
      ['a', 'secret/a'],
      ['about', 'metadata/about'],
    ]);
  });

  it('has one for each version of a history', async () => {
    expect(await pathsOf(read(objectSpec('a', { metadata: about, history: 2 }), secret(), secret()))).toEqual([
      ['a/0', 'secret/a/0'],
      ['about/0', 'metadata/about/0'],
      ['a/1', 'secret/a/1'],
      ['about/1', 'metadata/about/1'],
    ]);
  });

  it('has it for an object that is not written, and not for a missing one', async () => {
    const unwritten = objectSpec('a', { metadata: about, content: outputsContent([]) });
    const missing = objectSpec('b', { metadata: { ...about, path: 'b' }, ifMissing: { kind: 'skip' } });
    expect(await pathsOf(read(unwritten, secret()), { object: missing, fetched: [], missing: 'disabled' })).toEqual([
      ['about', 'metadata/about'],
    ]);
  });
});
