import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { readBundle } from '../../src/pki/bundle.ts';
import { type CertificateMaterial, pairKey } from '../../src/pki/certified-key.ts';
import { PKCS12_FORMS, writePkcs12 } from '../../src/pki/pkcs12-write.ts';
import { writeOutput } from '../../src/pki/write.ts';
import { fingerprints, type IssuedChain, issue, issueChain, type KeyType, sameKey } from '../support/pki.ts';
import { FULL } from '../support/rounds.ts';
import { findTool, toolDirectory } from '../support/tools.ts';

const KEY_TYPES: readonly KeyType[] = ['rsa-2048', 'rsa-pss', 'p-256', 'p-384', 'p-521', 'secp256k1', 'ed25519'];
const seed = Buffer.from('version');
const { dir, put, run, putChain } = toolDirectory();
/** Programs are slow to start, and GnuTLS and NSS derive keys with hundreds of thousands of iterations. */
const slow = { timeout: 240_000 };

/** Returns all choices in full rounds, or else one choice in turn, so that each is used with some of the forms. */
function inTurn<Choice>(choices: readonly Choice[], turn: number): readonly Choice[] {
  return FULL ? choices : choices.filter((_, i) => i === turn % choices.length);
}

/** Returns all forms in full rounds, or else every third one in turn, so that each is used with some of the key types. */
function thirdOf<Form>(forms: readonly Form[], turn: number): readonly Form[] {
  return FULL ? forms : forms.filter((_, i) => i % 3 === turn % 3);
}

/** Options that make a short Java program start faster. */
const JAVA = ['-J-XX:TieredStopAtLevel=1', '-J-XX:+UseSerialGC'];

function materialOf({ leaf, certificates }: IssuedChain): Promise<CertificateMaterial> {
  return pairKey({ keys: [leaf.key], certificates });
}

async function expectRead(file: string, chain: IssuedChain, password: string): Promise<void> {
  const options = password === '' ? {} : { password: new Secret(password) };
  const bundle = await readBundle(readFileSync(join(dir, file)), options);
  expect([...fingerprints(bundle.certificates)].sort()).toEqual([...fingerprints(chain.certificates)].sort());
  expect(bundle.keys.map((key) => sameKey(key, chain.leaf.key))).toEqual([true]);
  expect(await pairKey(bundle)).toMatchObject({ fits: true, chain: { complete: true } });
}

describe.skipIf(!findTool('openssl'))('openssl', slow, () => {
  const OLD = ['-legacy', '-provider', 'legacy', '-provider', 'default'];
  const FORMS: Readonly<Record<string, readonly string[]>> = {
    current: [],
    legacy: ['-legacy'],
    '3DES': ['-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES', '-macalg', 'sha1'],
    '2-key 3DES': [...OLD, '-keypbe', 'PBE-SHA1-2DES', '-certpbe', 'PBE-SHA1-2DES'],
    'RC2 128': [...OLD, '-keypbe', 'PBE-SHA1-RC2-128', '-certpbe', 'PBE-SHA1-RC2-128'],
    'RC4 128': [...OLD, '-keypbe', 'PBE-SHA1-RC4-128', '-certpbe', 'PBE-SHA1-RC4-128'],
    'PBES1 MD5 DES': [...OLD, '-keypbe', 'PBE-MD5-DES', '-certpbe', 'PBE-SHA1-RC2-64'],
    'AES-128': ['-keypbe', 'aes-128-cbc', '-certpbe', 'aes-192-cbc', '-macalg', 'sha384'],
    Camellia: ['-keypbe', 'camellia-256-cbc', '-certpbe', 'camellia-128-cbc', '-macalg', 'sha512'],
    'AES-256 as a stream': ['-keypbe', 'aes-256-cfb', '-certpbe', 'aes-128-ofb', '-macalg', 'sha3-256'],
    'SHA-3': ['-macalg', 'sha3-512'],
    'no MAC': ['-nomac'],
    'no encryption': ['-keypbe', 'NONE', '-certpbe', 'NONE'],
    'one iteration': ['-noiter', '-nomaciter'],
    names: ['-name', 'brøker', '-caname', 'one', '-caname', 'two', '-LMK', '-CSP', 'Microsoft Enhanced'],
  };
  const hasLegacy = findTool('openssl', 'list', '-providers', '-provider', 'legacy');
  const forms = Object.entries(FORMS).filter(([, args]) => hasLegacy || !args.includes('-legacy'));

  it.each(KEY_TYPES)('writes PKCS#12 with a %s key in many forms, which is read', async (keyType) => {
    const turn = KEY_TYPES.indexOf(keyType);
    const chain = await issueChain({ keyType });
    putChain(chain);
    const files = ['-inkey', 'key.pem', '-in', 'leaf.pem', '-certfile', 'chain.pem'];
    for (const [i, [name, args]] of thirdOf(forms, turn).entries()) {
      for (const password of inTurn(['', 'hunter2', 'pässwörd'], i + turn)) {
        run('openssl', 'pkcs12', '-export', ...files, '-passout', `pass:${password}`, '-out', 'out.pfx', ...args);
        await expectRead('out.pfx', chain, password).catch((error: unknown) => {
          throw new Error(`${name} with password "${password}"`, { cause: error });
        });
      }
    }
  });

  it.each([
    '-v2 aes-256-cbc -v2prf hmacWithSHA512',
    '-v2 aes-192-cfb -v2prf hmacWithMD5',
    '-v2 des3',
    '-v1 PBE-SHA1-3DES',
    '-scrypt',
  ])('encrypts a key with %s, which is read', async (form) => {
    const chain = await issueChain();
    putChain(chain);
    const args = ['-topk8', '-in', 'key.pem', '-passout', 'pass:pass', ...form.split(' ')];
    for (const encoding of ['PEM', 'DER']) {
      run('openssl', 'pkcs8', ...args, '-outform', encoding, '-out', 'encrypted');
      const bundle = await readBundle(readFileSync(join(dir, 'encrypted')), { password: new Secret('pass') });
      expect(sameKey(bundle.keys[0], chain.leaf.key)).toBe(true);
    }
  });

  it('reads what is written here', async () => {
    for (const [i, keyType] of KEY_TYPES.entries()) {
      const chain = await issueChain({ keyType });
      const contents = { key: chain.leaf.key, certificates: chain.certificates, friendlyName: 'broker' };
      for (const [j, [name, form]] of thirdOf(Object.entries(PKCS12_FORMS), i).entries()) {
        if (name === 'keyVault' && !hasLegacy) continue;
        for (const password of inTurn([null, new Secret(''), new Secret('pässwörd')], i + Math.floor(i / 3) + j)) {
          put('ours.pfx', await writePkcs12(contents, { ...form, password, seed }));
          const args = ['-in', 'ours.pfx', '-nodes', '-passin', `pass:${password?.reveal() ?? ''}`];
          const text = run('openssl', 'pkcs12', ...args, ...(name === 'keyVault' ? ['-legacy'] : []));
          const bundle = await readBundle(Buffer.from(text));
          expect(fingerprints(bundle.certificates)).toEqual(fingerprints(chain.certificates));
          expect(sameKey(bundle.keys[0], chain.leaf.key)).toBe(true);
          expect(text).toContain('friendlyName: broker');
        }
      }
      put('key.pem', await writeOutput('privateKey', await materialOf(chain), { seed }));
      expect(run('openssl', 'pkey', '-in', 'key.pem', '-check', '-noout')).toContain('Key is valid');
    }
  });
});

describe.skipIf(!findTool('keytool'))('keytool', slow, () => {
  const store = ['-storetype', 'pkcs12', '-storepass', 'changeit'];

  it.each([
    ['RSA', ['-keysize', '2048'], 0],
    ['RSASSA-PSS', ['-keysize', '2048'], 1],
    ['EC', ['-groupname', 'secp384r1'], 1],
    ['Ed25519', [], 0],
  ])('makes stores with %s keys, which are read', async (algorithm, args, turn) => {
    for (const legacy of inTurn([[], ['-J-Dkeystore.pkcs12.legacy']], turn)) {
      rmSync(join(dir, 'store.p12'), { force: true });
      const name = ['-dname', 'CN=kt', '-alias', 'kt', '-keyalg', algorithm, ...args];
      run('keytool', ...JAVA, ...legacy, '-genkeypair', ...store, '-keystore', 'store.p12', ...name);
      const bundle = await readBundle(readFileSync(join(dir, 'store.p12')), { password: new Secret('changeit') });
      expect(await pairKey(bundle)).toMatchObject({ fits: true, chain: { complete: true } });
      const pfx = await writeOutput('pfx', await pairKey(bundle), { seed, password: new Secret('secret') });
      put('back.p12', pfx);
      const listed = run('keytool', ...JAVA, '-list', '-v', '-keystore', 'back.p12', '-storepass', 'secret');
      expect(listed).toContain('Entry type: PrivateKeyEntry');
    }
  });

  it('lists the chain of a written PKCS#12 file, and the entries of a written truststore as trusted', async () => {
    for (const pfxForm of inTurn(['modern', 'legacy'] as const, 0)) {
      const chain = await issueChain({ keyType: 'rsa-2048', intermediates: 2 });
      const options = { seed, pfxForm, password: new Secret('changeit') };
      put('ours.p12', await writeOutput('pfx', await materialOf(chain), options));
      const listed = run('keytool', ...JAVA, '-list', '-v', '-keystore', 'ours.p12', '-storepass', 'changeit');
      expect(listed).toContain('Entry type: PrivateKeyEntry');
      expect(listed).toContain('Certificate chain length: 4');
      expect(listed).toContain('Alias name: broker.example');
      put('trust.p12', await writeOutput('truststore', await materialOf(chain), options));
      const trusted = run('keytool', ...JAVA, '-list', '-v', '-keystore', 'trust.p12', '-storepass', 'changeit');
      expect(trusted).toContain('Your keystore contains 1 entry');
      expect(trusted).toContain('Entry type: trustedCertEntry');
      expect(trusted).toContain(chain.root.certificate.fingerprint256);
      const self = await issue({ name: 'alone' });
      for (const [material, alias, length] of [
        [await materialOf(chain), 'broker.example', 4],
        [await pairKey({ keys: [self.key], certificates: [self.certificate] }), 'alone', 1],
      ] as const) {
        put('both.p12', await writeOutput('keystore', material, options));
        const both = run('keytool', ...JAVA, '-list', '-v', '-keystore', 'both.p12', '-storepass', 'changeit');
        expect(both).toContain('Your keystore contains 2 entries');
        expect(both).toMatch(
          new RegExp(`Alias name: ${alias}\\n[^*]*PrivateKeyEntry\\nCertificate chain length: ${length}\\n`),
        );
        expect(both.match(/Entry type: trustedCertEntry/g)).toHaveLength(1);
      }
      put('open.p12', await writeOutput('truststore', await materialOf(chain), { seed, pfxForm }));
      for (const password of ['any password', '']) {
        const open = run(
          'sh',
          '-c',
          `echo "${password}" | keytool ${JAVA.join(' ')} -list -keystore open.p12 2>/dev/null`,
        );
        expect(open).toContain('trustedCertEntry');
      }
    }
  });
});

describe.skipIf(!findTool('python3', '-c', 'import cryptography.hazmat.primitives.serialization.pkcs12'))(
  'python',
  slow,
  () => {
    const PROGRAM = `
import sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, NoEncryption, PrivateFormat, load_pem_private_key, pkcs12
key = load_pem_private_key(open("key.pem", "rb").read(), None)
leaf = x509.load_pem_x509_certificate(open("leaf.pem", "rb").read())
chain = x509.load_pem_x509_certificates(open("chain.pem", "rb").read())
old = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(500).key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC).hmac_hash(hashes.SHA1())
forms = [BestAvailableEncryption(b"pass"), NoEncryption(), old.build(b"pass")]
for i, form in enumerate(forms):
    open("py%d.p12" % i, "wb").write(pkcs12.serialize_key_and_certificates(b"name", key, leaf, chain, form))
`;

    it('writes PKCS#12, which is read, and reads what is written here', async () => {
      for (const keyType of ['rsa-2048', 'p-256', 'ed25519'] as const) {
        const chain = await issueChain({ keyType });
        putChain(chain);
        run('python3', '-c', PROGRAM);
        for (const [file, password] of [
          ['py0.p12', 'pass'],
          ['py1.p12', ''],
          ['py2.p12', 'pass'],
        ] as const) {
          await expectRead(file, chain, password);
        }
        put('ours.p12', await writeOutput('pfx', await materialOf(chain), { seed, password: new Secret('pass') }));
        const reading =
          'from cryptography.hazmat.primitives.serialization import pkcs12; p = pkcs12.load_pkcs12(open("ours.p12", "rb").read(), b"pass"); print(p.key is not None, p.cert.friendly_name, len(p.additional_certs))';
        expect(run('python3', '-c', reading).trim()).toBe("True b'broker.example' 2");
      }
    });
  },
);

describe.skipIf(!findTool('certtool'))('gnutls', slow, () => {
  const rows = [
    ['a password', ['--password', 'pass'], 'pass'],
    ['a null password', ['--null-password'], ''],
    ['an empty password', ['--empty-password'], ''],
    // Its keys are derived in JavaScript, for seconds.
    ['3DES', ['--password', 'pass', '--pkcs-cipher', '3des-pkcs12'], 'pass'],
  ] as const;

  it.each(FULL ? rows : rows.slice(0, -1))('writes PKCS#12 with %s, which is read', async (_, args, password) => {
    const chain = await issueChain({ intermediates: 0 });
    putChain(chain);
    const files = ['--load-privkey', 'key.pem', '--load-certificate', 'leaf.pem', '--load-ca-certificate', 'chain.pem'];
    run('certtool', '--to-p12', ...files, '--p12-name', 'x', ...args, '--outder', '--outfile', 'ct.p12');
    await expectRead('ct.p12', chain, password);
  });
});

describe.skipIf(!findTool('pk12util') || !findTool('certutil'))('nss', slow, () => {
  it('writes PKCS#12, which is read, from what was written here', async () => {
    const chain = await issueChain({ keyType: 'rsa-2048' });
    run('certutil', '-N', '-d', '.', '--empty-password');
    put('ours.p12', await writeOutput('pfx', await materialOf(chain), { seed, password: new Secret('pass') }));
    run('pk12util', '-i', 'ours.p12', '-d', '.', '-W', 'pass');
    run('pk12util', '-o', 'nss.p12', '-n', 'broker.example', '-d', '.', '-W', 'pass');
    await expectRead('nss.p12', chain, 'pass');
  });
});
