import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { convertObjects } from '../../src/mount/convert/convert.ts';
import { readBundle } from '../../src/pki/bundle.ts';
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
import { issueChain, sharedKey } from '../support/pki.ts';

const { leaf, certificates } = await issueChain({ key: sharedKey('p-256') });
const form = { ...PKCS12_FORMS.keyVault, password: new Secret('secret'), seed: Buffer.alloc(1) };
const stored = (await writePkcs12({ key: leaf.key, certificates }, form)).toString('base64');

/** Opens and writes a PFX with a password from another secret. */
function mount(password: string) {
  const outputs = outputsContent([{ output: 'pfx', path: 'a.pfx', passwordFrom: 1 }], { passwordFrom: 1 });
  return convertObjects(
    [
      read(objectSpec('a', { content: outputs }), fetchedSecret(stored, { certificateBacked: true })),
      read(objectSpec('p', { content: valueContent('p') }), fetchedSecret(password)),
    ],
    convertContext(),
  );
}

describe('a secret that lends its password', () => {
  it.each(['secret', 'secret\n', 'secret\r\n', 'secret\n\n', '\ufeffsecret\n'])(
    'opens a PFX and protects one with the same: %j',
    async (password) => {
      const { made } = await mount(password);
      const content = made.find(({ file }) => file.path === 'a.pfx')?.file.contents ?? Buffer.alloc(0);
      expect((await readBundle(content, { password: new Secret('secret') })).keys).toHaveLength(1);
      expect(made.find(({ file }) => file.path === 'p')?.file.contents.toString()).toBe(password);
    },
  );

  it('and holds none protects no key', async () => {
    const outputs = outputsContent([{ output: 'pfx', path: 'a.pfx', passwordFrom: 1 }]);
    const open = await writePkcs12({ key: leaf.key, certificates }, { ...form, password: null });
    const all = (password: string) => [
      read(objectSpec('a', { content: outputs }), fetchedSecret(open.toString('base64'), { certificateBacked: true })),
      read(objectSpec('p', { content: valueContent('p') }), fetchedSecret(password)),
    ];
    for (const password of ['\n', '\r\n\n', '\ufeff']) {
      const { message } = await failureOf(convertObjects(all(password), convertContext()));
      expect(message).toContain('cannot write "a.pfx": the secret that its passwordFrom names holds no password');
    }
    expect((await convertObjects(all(''), convertContext())).made).toHaveLength(2);
  });
});
