import { createCipheriv, createHash, createPublicKey, randomBytes } from 'node:crypto';
import forge from 'node-forge';
import { describe, expect, it } from 'vitest';
import { ProviderError } from '../../src/base/errors.ts';
import { Secret } from '../../src/base/secret.ts';
import { looksLikePem, looksLikePkcs12, readBundle } from '../../src/pki/bundle.ts';
import { readDer, sequence } from '../../src/pki/der.ts';
import {
  bitString,
  encode,
  integer,
  objectIdentifier,
  octetString,
  parsed,
  sequenceOf,
} from '../../src/pki/der-write.ts';
import { writePem } from '../../src/pki/pem.ts';
import { PKCS12_FORMS, writePkcs12 } from '../../src/pki/pkcs12-write.ts';
import { fingerprints, issueChain, keyPem, newKey, pemOf, sameKey, sharedKey } from '../support/pki.ts';

/** A key made by `openssl genrsa -primes 3 1024`. Node cannot make such a key. */
const THREE_PRIMES =
  'MIIClwIBADANBgkqhkiG9w0BAQEFAASCAoEwggJ9AgEBAoGBAKUjfC76k318OVFNRXTmkzC/gXcyA6QFz5SFLSvJbsbQzgBhmgcN' +
  'cwcHtMOajVPd3fgMKkU7+SkBBDFasClqdQ0NhjesWyfIsQmao4SgO9515OVAZvLMkxft1FkvtuXSL8RcG1Nj6u1ynYrRS/NG3S1+' +
  'cVGZVm+WWXQKu0sS/baRAgMBAAECgYB2rSu/r0Bze+TNMtTpkBLTg60M9hp7s9lcCOFPiHFd3A1PZNUGoHm74aPSPK6jACSnQsdF' +
  'DN4kk6cJd9gmByKK3PzxaF5xMz3ABSIrGxvn4autZfZx/PM5/NBtRBtOLCmUAn16kZOf2WPGJ85219S/FT4JkXuyDNQasdYTFzJg' +
  'wQIrMB/4eWGJrgP3+AvaCPuOUn40aOljHC+j/gZJqbu6dtDTmAlK5t9g0XEV7wIrHlZvuahEpDMY7IoCS+5PDEU1xp+CoJ3KCUct' +
  'MM8/dHnzsQZuA4hgX3EflwIrBpVJAymxkMlgMWFFqTboKCa1eqh6c0+dClHH390bS8eTOlgDFAP4lY33pwIrFwGPemhrnWWOehpy' +
  'gWh4E6MMk9J0+h6Ojxil4YTY5xhwQAfTN+ScyOP9gwIrIIRi/g/GBuvcflU+k0gnhAs7i11KGatgCCQhrR8tASXWa2uGE+7seONf' +
  'dDCBijCBhwIrHPS126rejubEp463b7TjJ9OsxCl8/43KL6RBCQm5sVzYy7dzvIlGkvGAWQIrBn0X25fYs7Em1F144cFpPd2DU5nw' +
  'dtvxOOfX4wyY3hPuSQhdGRyyAe+4UQIrBzlZbXLlonXLjksjOlLbBMfTBGGtm7CTgSbsWCCIGmwxg7v3tj/W61nVIg==';

async function refusal(content: Buffer | string, password?: string): Promise<string> {
  const options = password === undefined ? {} : { password: new Secret(password) };
  const error = await readBundle(Buffer.from(content), options).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ProviderError);
  expect(error).toMatchObject({ code: 'ERR_BAD_CONTENT' });
  return error instanceof Error ? error.message : '';
}

describe('PEM is read', () => {
  it('with keys in PKCS#8, PKCS#1 and SEC 1', async () => {
    const rsa = sharedKey('rsa-2048');
    const ec = sharedKey('p-384');
    const text =
      keyPem(rsa) +
      rsa.export({ format: 'pem', type: 'pkcs1' }) +
      keyPem(ec) +
      ec.export({ format: 'pem', type: 'sec1' }) +
      keyPem(newKey('ed25519')) +
      keyPem(newKey('rsa-pss')) +
      keyPem(newKey('secp256k1'));
    const { keys, format } = await readBundle(Buffer.from(text));
    expect(format).toBe('pem');
    expect(keys.map(({ asymmetricKeyType }) => asymmetricKeyType)).toEqual([
      'rsa',
      'rsa',
      'ec',
      'ec',
      'ed25519',
      'rsa-pss',
      'ec',
    ]);
    expect(keys.slice(0, 4).map((key) => sameKey(key, rsa) || sameKey(key, ec))).toEqual([true, true, true, true]);
  });

  it('whatever people and programs do to text', async () => {
    const { leaf, certificates } = await issueChain();
    const text = keyPem(leaf.key) + pemOf(certificates);
    const variants: Record<string, string | Buffer> = {
      'text between blocks': `Bag Attributes\n  friendlyName: ä\n${text.replace(/-----BEGIN/g, '\nsubject=CN = x\n-----BEGIN')}trailing`,
      CRLF: text.replace(/\n/g, '\r\n'),
      'CR alone': text.replace(/\n/g, '\r'),
      'no final newline': text.trimEnd(),
      indented: text.replace(/^/gm, '    '),
      'tabs and blank lines': text.replace(/\n/g, ' \t\n\n'),
      'one line': text.replace(/\n/g, ' '),
      'escaped newlines': JSON.stringify(text),
      'a byte order mark': `\ufeff${text}`,
      'UTF-16': Buffer.from(`\ufeff${text}`, 'utf16le'),
      'base64 of it': Buffer.from(text).toString('base64'),
      'headers, as Go writes them': text.replace(/^(-----BEGIN .*)$/gm, '$1\nOrigin: a: b\nZone: 1\n'),
      'other blocks': `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${text}`,
    };
    for (const [name, variant] of Object.entries(variants)) {
      const bundle = await readBundle(Buffer.from(variant));
      expect(fingerprints(bundle.certificates), name).toEqual(fingerprints(certificates));
      expect(sameKey(bundle.keys[0], leaf.key), name).toBe(true);
      expect(bundle.format, name).toBe('pem');
    }
  });

  it('with keys encrypted in PKCS#8, in the ways of today and of ten years ago', async () => {
    const key = sharedKey('rsa-2048');
    const info = forge.pki.wrapRsaPrivateKey(forge.pki.privateKeyToAsn1(forge.pki.privateKeyFromPem(keyPem(key))));
    const texts = (['aes128', 'aes192', 'aes256', '3des'] as const).map((algorithm) =>
      forge.pki.encryptedPrivateKeyToPem(forge.pki.encryptPrivateKeyInfo(info, 'pass', { algorithm, count: 100 })),
    );
    const native = key.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'pass' });
    for (const text of [...texts, native.toString(), md5DesPem(key.export({ format: 'der', type: 'pkcs8' }), 'pass')]) {
      const bundle = await readBundle(Buffer.from(text), { password: new Secret('pass') });
      expect(sameKey(bundle.keys[0], key)).toBe(true);
      expect(await refusal(text)).toMatch(/holds an encrypted private key; store it without a password, or name/);
      expect(await refusal(text, 'other')).toMatch(/does not open with the password given/);
    }
  });

  it('with keys encrypted as OpenSSL did before PKCS#8', async () => {
    for (const [type, format] of [
      ['rsa-2048', 'pkcs1'],
      ['p-256', 'sec1'],
    ] as const) {
      const key = sharedKey(type);
      const text = key.export({ format: 'pem', type: format, cipher: 'aes-128-cbc', passphrase: 'pass' }).toString();
      expect(text).toContain('DEK-Info');
      for (const variant of [text, text.replace(/\n/g, '\r\n')]) {
        const bundle = await readBundle(Buffer.from(variant), { password: new Secret('pass') });
        expect(sameKey(bundle.keys[0], key)).toBe(true);
      }
      expect(await refusal(text)).toContain('holds an encrypted private key');
      expect(await refusal(text, 'wrong')).toContain('does not open');
    }
  });

  it('with PKCS#7 collections and PKCS#12 blocks', async () => {
    const { leaf, certificates } = await issueChain({ keyType: 'rsa-2048' });
    const p7 = forge.pkcs7.createSignedData();
    for (const certificate of certificates) p7.addCertificate(certificate.toString());
    const bundle = await readBundle(Buffer.from(forge.pkcs7.messageToPem(p7)));
    expect(fingerprints(bundle.certificates)).toEqual(fingerprints(certificates));
    const der = Buffer.from(forge.asn1.toDer(p7.toAsn1()).getBytes(), 'latin1');
    expect(fingerprints((await readBundle(der)).certificates)).toEqual(fingerprints(certificates));
    const form = { ...PKCS12_FORMS.modern, password: null, seed: Buffer.alloc(1) };
    const pfx = await writePkcs12({ key: leaf.key, certificates }, form);
    for (const label of ['PKCS12', 'CERTIFICATE']) {
      const { keys } = await readBundle(Buffer.from(writePem(label, pfx)));
      expect(keys, label).toHaveLength(1);
    }
  });
});

describe('DER is read', () => {
  it('as certificate, as key of any encoding, several in a row, with a line break behind', async () => {
    const { leaf, certificates } = await issueChain();
    const rsa = sharedKey('rsa-2048');
    const parts = [
      ...certificates.map(({ raw }) => raw),
      leaf.key.export({ format: 'der', type: 'pkcs8' }),
      leaf.key.export({ format: 'der', type: 'sec1' }),
      rsa.export({ format: 'der', type: 'pkcs1' }),
      rsa.export({ format: 'der', type: 'pkcs8', cipher: 'aes-128-cbc', passphrase: 'pass' }),
    ];
    for (const tail of ['', '\n', '\r\n', '\0\0']) {
      const content = Buffer.concat([...parts, Buffer.from(tail)]);
      const bundle = await readBundle(content, { password: new Secret('pass') });
      expect(bundle.format).toBe('der');
      expect(fingerprints(bundle.certificates)).toEqual(fingerprints(certificates));
      expect(bundle.keys).toHaveLength(4);
    }
    const [first = Buffer.alloc(0)] = parts;
    expect((await readBundle(Buffer.from(first.toString('base64')))).certificates).toHaveLength(1);
  });

  it('as EC key without its public part, which is then added', async () => {
    const key = sharedKey('p-384');
    const secret = Buffer.from(String(key.export({ format: 'jwk' }).d), 'base64url');
    const inner = sequenceOf(integer(1), octetString(secret));
    const algorithm = sequenceOf(objectIdentifier('1.2.840.10045.2.1'), objectIdentifier('1.3.132.0.34'));
    const bare = encode(sequenceOf(integer(0), algorithm, octetString(encode(inner))));
    const bundle = await readBundle(bare);
    expect(bundle.keys.map(keyPem)).toEqual([keyPem(key)]);
  });
});

describe('a private key is read', () => {
  it.each(['ed25519', 'p-256'] as const)(
    'with its public key behind it, as Bouncy Castle and ring write: %s',
    async (type) => {
      const key = sharedKey(type);
      const point = readDer(createPublicKey(key).export({ format: 'der', type: 'spki' }));
      const publicBits = sequence(point)[1]?.content ?? Buffer.alloc(0);
      const [, algorithm, secret] = sequence(readDer(key.export({ format: 'der', type: 'pkcs8' }))).map(
        ({ raw }) => raw,
      );
      for (const tag of [[0x81], [0xa1, publicBits.length + 2, 0x03]]) {
        const body = [
          Buffer.from('020101', 'hex'),
          algorithm,
          secret,
          Buffer.from([...tag, publicBits.length]),
          publicBits,
        ];
        const content = Buffer.concat(body.filter((part) => part !== undefined));
        const der = Buffer.concat([Buffer.from([0x30, 0x81, content.length]), content]);
        expect((await readBundle(der)).keys.map(keyPem)).toEqual([keyPem(key)]);
      }
    },
  );

  it('that has three primes', async () => {
    const [key] = (await readBundle(Buffer.from(THREE_PRIMES, 'base64'))).keys;
    expect(key?.asymmetricKeyDetails?.modulusLength).toBe(1024);
  });
});

describe('reading does not depend on what went before', () => {
  it('an error another operation left in OpenSSL is not taken for one of the key', async () => {
    const text = Buffer.from(keyPem(sharedKey('p-256')));
    expect(sharedKey('rsa-2048').equals(sharedKey('p-256'))).toBe(false);
    expect((await readBundle(text)).keys).toHaveLength(1);
  });
});

describe('what cannot be used is refused with a reason and a way out', () => {
  it.each([
    ['nothing', '', /^the content is empty; PKCS#12 \(PFX\), PEM or DER/],
    ['some text', 'hunter2', /^the content is neither PKCS#12 nor PEM nor DER; /],
    ['a Java keystore', Buffer.from('feedfeed00000002', 'hex'), /Java keystore \(JKS\); convert it with "keytool/],
    ['the beginning of base64 DER', 'MIIKigIBAzCCCgUGCSqGSIb3DQ', /truncated or damaged/],
    [
      'a block without end',
      `${pem('CERTIFICATE')}-----BEGIN CERTIFICATE-----\nAAAA`,
      /block BEGIN CERTIFICATE \(line 4\) without its END/,
    ],
    ['a block in a block', `-----BEGIN CERTIFICATE-----\nAAAA\n${pem('CERTIFICATE')}`, /\(line 1\) without its END/],
    ['a block that is not base64', '-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----', /not base64/],
    [
      'a block that is no certificate',
      pem('CERTIFICATE'),
      /block CERTIFICATE \(line 1\) that holds a certificate that cannot be read/,
    ],
    ['a block that is no key', pem('PRIVATE KEY'), /holds a private key that cannot be read/],
    ['only a public key', pem('PUBLIC KEY'), /neither a private key nor a certificate, only a public key/],
    ['only a revocation list', pem('X509 CRL'), /only a revocation list/],
    ['only a key of OpenSSH', pem('OPENSSH PRIVATE KEY'), /convert it with "ssh-keygen -p -m PKCS8/],
    ['an empty PKCS#12', encode(sequenceOf(integer(3), emptyData())), /neither a private key nor a certificate/],
  ])('%s', async (_, content, message) => {
    expect(await refusal(content)).toMatch(message);
  });

  it('a wrong content type is named, and no obstacle', async () => {
    const { certificates } = await issueChain();
    const bundle = await readBundle(Buffer.from(pemOf(certificates)), { contentType: 'application/x-pkcs12' });
    expect(bundle.format).toBe('pem');
    const error = readBundle(Buffer.from('hello'), { contentType: 'application/x-pkcs12' });
    await expect(error).rejects.toThrow('(content type "application/x-pkcs12")');
    const words =
      'neither PKCS#12 nor PEM nor DER (content type "application/x-pkcs12"): illegal base64 data at input byte 4;';
    await expect(error).rejects.toThrow(words);
  });

  it('a PKCS#12 file with a password, without one given and with a wrong one', async () => {
    const { leaf, certificates } = await issueChain();
    const seed = Buffer.alloc(1);
    for (const form of Object.values(PKCS12_FORMS)) {
      for (const mac of [form.mac, 'none'] as const) {
        const pfx = await writePkcs12(
          { key: leaf.key, certificates },
          { ...form, mac, password: new Secret('right'), seed },
        );
        expect(await refusal(pfx)).toMatch(
          /is protected by a password, or is damaged \(pkcs12: decryption password incorrect\); store it without a/,
        );
        expect(await refusal(pfx, 'wrong')).toMatch(/does not open with the password given for it/);
      }
    }
  });

  it('a private key whose numbers do not belong together', async () => {
    for (const type of ['rsa-2048', 'p-256', 'p-521', 'rsa-pss'] as const) {
      const der = newKey(type).export({ format: 'der', type: 'pkcs8' });
      const other = newKey(type).export({ format: 'der', type: 'pkcs8' });
      const mixed = Buffer.from(der);
      const start = Math.floor(der.length * 0.7);
      other.copy(mixed, start, start);
      expect(await refusal(mixed)).toMatch(/private key/);
    }
  });

  it('without ever repeating the content', async () => {
    const secret = `MIIsecret${randomBytes(40).toString('base64')}`;
    for (const content of [secret, `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----`]) {
      expect(await refusal(content)).not.toContain('secret');
    }
  });
});

describe('content is told apart', () => {
  it('PKCS#12 and PEM, also in base64', async () => {
    const { leaf, certificates } = await issueChain();
    const form = { ...PKCS12_FORMS.keyVault, password: null, seed: Buffer.alloc(1) };
    const pfx = await writePkcs12({ key: leaf.key, certificates }, form);
    const text = Buffer.from(pemOf(certificates));
    const der = certificates[0]?.raw ?? Buffer.alloc(0);
    expect([pfx, Buffer.from(pfx.toString('base64')), text, der].map(looksLikePkcs12)).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect([text, Buffer.from(text.toString('base64')), pfx, der].map(looksLikePem)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});

function pem(label: string): string {
  const der = encode(sequenceOf(integer(1), bitString(Buffer.from('x'))));
  return `-----BEGIN ${label}-----\n${der.toString('base64')}\n-----END ${label}-----\n`;
}

function emptyData() {
  return parsed(Buffer.from('301106092a864886f70d010701a00404023000', 'hex'));
}

/** Encrypts as `openssl pkcs8 -v1 PBE-MD5-DES`, the default until OpenSSL 1.1. */
function md5DesPem(der: Buffer, password: string): string {
  const salt = Buffer.from('saltsalt');
  let derived = Buffer.concat([Buffer.from(password), salt]);
  for (let i = 0; i < 10; i++) derived = createHash('md5').update(derived).digest();
  const key = Buffer.alloc(24, derived.subarray(0, 8));
  const cipher = createCipheriv('des-ede3-cbc', key, derived.subarray(8));
  const encrypted = Buffer.concat([cipher.update(der), cipher.final()]);
  const algorithm = sequenceOf(objectIdentifier('1.2.840.113549.1.5.3'), sequenceOf(octetString(salt), integer(10)));
  const body = encode(sequenceOf(algorithm, octetString(encrypted))).toString('base64');
  return `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${body}\n-----END ENCRYPTED PRIVATE KEY-----\n`;
}
