import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { convertObjects } from '../../src/mount/convert/convert.ts';
import type { FetchedSpec } from '../../src/mount/fetch.ts';
import type { FetchedObject } from '../../src/mount/ports.ts';
import { PKCS12_FORMS, writePkcs12 } from '../../src/pki/pkcs12-write.ts';
import {
  convertContext,
  failureOf,
  fetchedSecret,
  objectSpec,
  outputsContent,
  read,
  valueContent,
} from '../support/mount.ts';
import { issueChain, keyPem, pemOf } from '../support/pki.ts';

const PEM = { contentType: 'application/x-pem-file', certificateBacked: true };
const PKCS12_TYPE = 'application/x-pkcs12';
const lockedForm = { ...PKCS12_FORMS.legacy, password: new Secret('x'), seed: Buffer.alloc(1) };
const { leaf, certificates } = await issueChain();
const [own, intermediate, root] = certificates;
if (!own || !intermediate || !root) throw new Error('a short chain');
const key = keyPem(leaf.key);
const whole = fetchedSecret(key + pemOf([root, intermediate, own]), PEM);

/** Returns the paths and contents of the files. */
async function filesOf(all: readonly FetchedSpec[]) {
  const { made } = await convertObjects(all, convertContext());
  return made.map(({ file }) => [file.path, file.contents.toString()]);
}

describe('files and where they come from', () => {
  it('stand in the order of the manifest, versions in that of the history', async () => {
    const history = objectSpec('h', { history: 2, content: valueContent('old') });
    const all = [
      read(history, fetchedSecret('newest', { version: 'v2' }), fetchedSecret('older')),
      read(objectSpec('plain'), fetchedSecret('value')),
    ];
    const { made, unwritten } = await convertObjects(all, convertContext());
    expect(made).toMatchObject([
      { file: { path: 'old/0', mode: 0o644 }, source: { id: 'secret/h/0', version: 'v2' }, owner: 'object h' },
      { file: { path: 'old/1' }, source: { id: 'secret/h/1', version: 'v1' } },
      { file: { path: 'plain' }, source: { id: 'secret/plain', version: 'v1' } },
    ]);
    expect(unwritten).toEqual([]);
  });

  it('count an object that is only read as one without a file', async () => {
    const silent = objectSpec('pw', { content: outputsContent([]) });
    const { made, unwritten } = await convertObjects([read(silent, fetchedSecret('x'))], convertContext());
    expect(made).toEqual([]);
    expect(unwritten).toEqual([{ id: 'secret/pw', version: 'v1' }]);
  });

  it('are a public key and a certificate where these are asked for', async () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { kty, crv, x, y } = publicKey.export({ format: 'jwk' });
    const times = { version: 'v', expiresAt: undefined };
    const jwk: FetchedObject = { type: 'key', ...times, key: { kty, crv, x, y, n: undefined, e: undefined } };
    const der: FetchedObject = { type: 'cert', ...times, der: own.raw };
    expect(
      await filesOf([read(objectSpec('k', { type: 'key' }), jwk), read(objectSpec('c', { type: 'cert' }), der)]),
    ).toEqual([
      [
        'k',
        createPublicKey({ key: publicKey.export({ format: 'jwk' }), format: 'jwk' }).export({
          format: 'pem',
          type: 'spki',
        }),
      ],
      ['c', own.toString()],
    ]);
  });

  it('of one chain secret complete another object’s chain', async () => {
    const outputs = outputsContent(
      [
        { output: 'fullChain', path: 'full' },
        { output: 'chain', path: 'chain' },
      ],
      { chainFrom: 1 },
    );
    const lender = objectSpec('lender', { content: outputsContent([], { role: 'chain' }) });
    const all = [
      read(objectSpec('c', { content: outputs }), fetchedSecret(key + own, PEM)),
      read(lender, fetchedSecret(pemOf([root, intermediate]))),
    ];
    expect(await filesOf(all)).toEqual([
      ['full', pemOf([own, intermediate])],
      ['chain', intermediate.toString()],
    ]);
  });

  it('are made without a chain whose object is missing', async () => {
    const lender = objectSpec('lender', {
      content: outputsContent([{ output: 'ca', path: 'ca.crt' }], { role: 'chain' }),
      ifMissing: { kind: 'skip' },
    });
    const outputs = outputsContent([{ output: 'fullChain', path: 'full' }], { chainFrom: 1 });
    const all = [
      read(objectSpec('c', { content: outputs }), fetchedSecret(key + own, PEM)),
      { object: lender, fetched: [], missing: 'not_found' as const },
    ];
    expect(await filesOf(all)).toEqual([['full', own.toString()]]);
  });

  it('leave out what is optional and not there', async () => {
    const outputs = outputsContent([
      { output: 'certificate', path: 'leaf' },
      { output: 'ca', path: 'ca', presence: 'if-present' },
      { output: 'privateKey', path: 'key', presence: 'with-key' },
    ]);
    expect(await filesOf([read(objectSpec('c', { content: outputs }), fetchedSecret(own.toString(), PEM))])).toEqual([
      ['leaf', own.toString()],
    ]);
  });
});

describe('objects that cannot be converted', () => {
  const bad = (name: string) =>
    read(objectSpec(name, { content: valueContent(name, { encoding: 'hex' }) }), fetchedSecret('?'));

  it('are all named, beside those that can', async () => {
    const all = [bad('one'), read(objectSpec('good'), fetchedSecret('x')), bad('two')];
    const { message, code } = await failureOf(convertObjects(all, convertContext()));
    expect(code).toBe('ERR_BAD_CONTENT');
    expect(message).toMatch(
      /^failed to mount objects, error: 2 of 3 objects: failed to get object one and object two: /,
    );
  });

  it('are named once, whatever their number of versions', async () => {
    const object = objectSpec('h', { history: 3, content: valueContent('h', { encoding: 'hex' }) });
    const all = [read(object, fetchedSecret('?'), fetchedSecret('?'))];
    const { errors } = await failureOf(convertObjects(all, convertContext()));
    expect(errors).toHaveLength(1);
  });

  it('name the file that cannot be written, and why', async () => {
    const content = outputsContent([{ output: 'privateKey', path: 'tls.key' }]);
    const all = [read(objectSpec('c', { content }), fetchedSecret(own.toString(), PEM))];
    expect((await failureOf(convertObjects(all, convertContext()))).message).toMatch(
      /cannot write "tls\.key": .*private key/,
    );
  });

  it('point to the command that shows what is in a certificate', async () => {
    const content = outputsContent([{ output: 'pfx', path: 'a.pfx' }]);
    const versioned = objectSpec('c', { content, version: 'v7' });
    const failed = [
      [read(versioned, fetchedSecret('?')), 'kv --name c --version v7'],
      [read(objectSpec('c'), fetchedSecret('?', { certificateBacked: true, contentType: PKCS12_TYPE })), 'kv --name c'],
    ] as const;
    for (const [one, named] of failed) {
      const { message } = await failureOf(convertObjects([one], convertContext()));
      expect(message.split('; to see what is in "c": ')[1]).toBe(
        `az keyvault secret show --vault-name ${named} --query value -o tsv | akv-csi inspect -`,
      );
    }
    expect((await failureOf(convertObjects([bad('one')], convertContext()))).message).not.toContain('inspect');
  });

  describe('because another, which lends them something, cannot be read', () => {
    const files = [{ output: 'certificate', path: 'tls.crt' }] as const;
    const lenders = (own: FetchedObject, lent: FetchedObject, outputs: Parameters<typeof outputsContent>[0]) => [
      read(objectSpec('c', { content: outputsContent(files, { chainFrom: 1 }) }), own),
      read(objectSpec('ca', { content: outputsContent(outputs, { role: 'chain' }) }), lent),
    ];
    const BEGIN = 'failed to mount objects, error: 2 of 2 objects: ';
    const LOOK = 'to see what is in "ca": az keyvault secret show --vault-name kv --name ca --query';

    it.each([
      ['without files of its own', []],
      ['with files of its own', [{ output: 'ca', path: 'ca.crt' }] as const],
    ])('are blamed on the lender, once: %s', async (_, outputs) => {
      const { message, code } = await failureOf(
        convertObjects(lenders(whole, fetchedSecret('?'), outputs), convertContext()),
      );
      expect(code).toBe('ERR_BAD_CONTENT');
      expect(message.startsWith(`${BEGIN}failed to get object ca (needed by object c): `)).toBe(true);
      expect(message.match(/failed to get/g)).toHaveLength(1);
      expect(message).toContain(LOOK);
    });

    it('are blamed on themselves where the lender is sound, or both are at fault', async () => {
      const sound = lenders(fetchedSecret('?'), fetchedSecret(root.toString(), PEM), []);
      const { message } = await failureOf(convertObjects(sound, convertContext()));
      expect(message).toMatch(/^[^:]*: 1 of 2 objects: failed to get object c: /);
      const locked = fetchedSecret(`-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----`, PEM);
      const both = lenders(locked, fetchedSecret('?'), [{ output: 'ca', path: 'ca.crt' }]);
      expect((await failureOf(convertObjects(both, convertContext()))).message).toMatch(
        /^[^:]*: 2 of 2 objects: \(1\) failed to get object c: .*; \(2\) failed to get object ca: /,
      );
    });

    it('name whose password it is that opens nothing', async () => {
      const sealed = { certificateBacked: true, contentType: PKCS12_TYPE };
      const pfx = await writePkcs12({ certificates: [own] }, lockedForm);
      const all = [
        read(
          objectSpec('c', { content: outputsContent(files, { passwordFrom: 1 }) }),
          fetchedSecret(pfx.toString('base64'), sealed),
        ),
        read(objectSpec('pw', { content: outputsContent([]) }), fetchedSecret('wrong')),
      ];
      expect((await failureOf(convertObjects(all, convertContext()))).message).toContain(
        '; the password is that of object pw',
      );
    });
  });

  it('say what the official provider says of them', async () => {
    const backed = { certificateBacked: true, contentType: PKCS12_TYPE };
    const locked = await writePkcs12({ certificates: [own] }, lockedForm);
    const refusals = [
      [fetchedSecret('not base64', backed), 'illegal base64 data at input byte 3'],
      [fetchedSecret(locked.toString('base64'), backed), 'pkcs12: decryption password incorrect'],
    ] as const;
    for (const [fetched, words] of refusals) {
      const { message } = await failureOf(convertObjects([read(objectSpec('c'), fetched)], convertContext()));
      expect(message).toContain(words);
    }
  });

  it('are no failure of theirs where the Mount ended meanwhile', async () => {
    const ended = new AbortController();
    const reason = new Error('the time is over');
    const work = convertObjects([read(objectSpec('c'), whole)], convertContext({ signal: ended.signal }));
    ended.abort(reason);
    await expect(work).rejects.toBe(reason);
  });

  it('are defects where outputs are asked of what is no secret', async () => {
    const content = outputsContent([{ output: 'der', path: 'x' }]);
    const der: FetchedObject = { type: 'cert', version: 'v', expiresAt: undefined, der: own.raw };
    const { code } = await failureOf(convertObjects([read(objectSpec('c', { content }), der)], convertContext()));
    expect(code).toBe('ERR_INTERNAL');
  });
});

describe('one vault version', () => {
  it.each([
    ['a PFX made of PEM', valueContent('x', { format: 'pfx' })],
    ['a pfx output', outputsContent([{ output: 'pfx', path: 'x' }])],
    ['a truststore', outputsContent([{ output: 'truststore', path: 'x' }])],
  ])('gives the same bytes each time: %s', async (_, content) => {
    const all = [read(objectSpec('c', { content }), whole)];
    expect(await filesOf(all)).toEqual(await filesOf(all));
  });
});
