import { createCipheriv, hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProviderError } from '../../src/base/errors.ts';
import { Secret } from '../../src/base/secret.ts';
import { looksLikePem, looksLikePkcs12, readBundle } from '../../src/pki/bundle.ts';
import { pairKey } from '../../src/pki/certified-key.ts';
import {
  encode,
  explicit,
  integer,
  nullValue,
  objectIdentifier,
  parsed,
  sequenceOf,
  setOf,
} from '../../src/pki/der-write.ts';
import { writePem } from '../../src/pki/pem.ts';
import { PKCS12_FORMS, writePkcs12 } from '../../src/pki/pkcs12-write.ts';
import { missingFor } from '../../src/pki/write.ts';
import { fingerprints, issueChain, keyPem, pemOf, sharedKey, spki } from '../support/pki.ts';
import { rounds } from '../support/rounds.ts';

const { leaf, certificates } = await issueChain({ key: sharedKey('p-256') });
const key = keyPem(leaf.key);
const pem = key + pemOf(certificates);
const pfx = await writePkcs12(
  { key: leaf.key, certificates },
  { ...PKCS12_FORMS.modern, password: new Secret('right'), seed: Buffer.alloc(1) },
);
const open = await writePkcs12(
  { key: leaf.key, certificates },
  { ...PKCS12_FORMS.keyVault, password: null, seed: Buffer.alloc(1) },
);
const base64 = (content: Buffer | string) => Buffer.from(content).toString('base64');
const utf16be = (text: string) => Buffer.from(text, 'utf16le').swap16();
const microsoft = (data: string, more: object = {}) =>
  JSON.stringify({ data, dataType: 'pfx', password: 'right', ...more });
const windows1252 = (bytes: Buffer) => new TextDecoder('windows-1252').decode(bytes);
const keyDer = leaf.key.export({ format: 'der', type: 'pkcs8' });
const [leafDer = Buffer.alloc(0)] = certificates.map(({ raw }) => raw);
const escaped = (times: number) => pem.replaceAll('\n', `${'\\'.repeat(times)}n`);

/** Returns the chain as a PKCS#7 collection, as "certutil" and Application Gateway export it. */
function pkcs7(): Buffer {
  const data = sequenceOf(objectIdentifier('1.2.840.113549.1.7.1'));
  const all = parsed(
    Buffer.concat([Buffer.from('a0', 'hex'), lengthOf(Buffer.concat(certificates.map((c) => c.raw)))]),
  );
  const content = sequenceOf(integer(1), setOf(), data, all, setOf());
  return encode(sequenceOf(objectIdentifier('1.2.840.113549.1.7.2'), explicit(0, content)));
}

function lengthOf(content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x82, content.length >> 8, content.length & 255]), content]);
}

/** Returns a certificate signing request. It has the structure of a certificate, with an empty list of attributes. */
function request(): Buffer {
  const info = sequenceOf(integer(0), sequenceOf(), parsed(spki(leaf.key)), parsed(Buffer.from('a000', 'hex')));
  const algorithm = sequenceOf(objectIdentifier('1.2.840.10045.4.3.2'), nullValue());
  return encode(sequenceOf(info, algorithm, parsed(Buffer.from('030200ff', 'hex'))));
}

/** Encrypts a key as `openssl rsa -aes128` before 1.0 and as `openssl rsa -traditional`. */
function oldKey(cipher: 'AES-256-CBC' | 'DES-EDE3-CBC', breaks: string): string {
  const iv = Buffer.alloc(cipher === 'AES-256-CBC' ? 16 : 8, 0xab);
  const parts: Buffer[] = [];
  for (const last of [0, 1]) {
    parts.push(
      hash(
        'md5',
        Buffer.concat([parts[last - 1] ?? Buffer.alloc(0), Buffer.from('right'), iv.subarray(0, 8)]),
        'buffer',
      ),
    );
  }
  const secret = Buffer.concat(parts).subarray(0, cipher === 'AES-256-CBC' ? 32 : 24);
  const encryption = createCipheriv(cipher === 'AES-256-CBC' ? 'aes-256-cbc' : 'des-ede3-cbc', secret, iv);
  const data = base64(Buffer.concat([encryption.update(keyDer), encryption.final()])).replace(/.{64}/g, '$&\n');
  const headers = `Proc-Type: 4,ENCRYPTED\nDEK-Info: ${cipher},${iv.toString('hex').toUpperCase()}\n\n`;
  return `-----BEGIN EC PRIVATE KEY-----\n${headers}${data}\n-----END EC PRIVATE KEY-----\n`.replaceAll('\n', breaks);
}

const READ: readonly (readonly [string, Buffer | string])[] = [
  ['base64 once', base64(open)],
  ['base64 three times', base64(base64(base64(open)))],
  ['base64 of PEM three times', base64(base64(base64(pem)))],
  ['base64 in single quotes', `'${base64(open)}'`],
  ['base64 with \\n as two characters', base64(open).replace(/.{64}/g, '$&\\n')],
  ['a data URL', `data:application/x-pkcs12;base64,${base64(open)}`],
  ['base64 as a JSON string with escaped slashes', JSON.stringify(base64(open)).replaceAll('/', '\\/')],
  ["Microsoft's JSON, PFX with password", base64(microsoft(base64(pfx)))],
  ["Microsoft's JSON, not in base64", microsoft(base64(pfx))],
  ["Microsoft's JSON, PFX without password", base64(microsoft(base64(open), { password: '' }))],
  ["Microsoft's JSON, no member password", base64(JSON.stringify({ data: base64(open), dataType: 'pfx' }))],
  ["Microsoft's JSON, pretty, with PEM", base64(JSON.stringify({ data: base64(pem), dataType: 'pem' }, undefined, 2))],
  ["Microsoft's JSON in UTF-16", base64(Buffer.from(microsoft(base64(pfx)), 'utf16le'))],
  ['hex of a PFX', open.toString('hex')],
  ['hex in capitals, with 0x and a line break', `0x${open.toString('hex').toUpperCase()}\n`],
  ['hex in lines', open.toString('hex').replace(/.{60}/g, '$&\n')],
  ['hex as .NET writes it', open.toString('hex').replace(/..(?=.)/g, '$&-')],
  ['hex with colons', open.toString('hex').replace(/..(?=.)/g, '$&:')],
  ['hex of PEM', Buffer.from(pem).toString('hex')],
  ['hex of base64', Buffer.from(base64(open)).toString('hex')],
  ['UTF-16BE without mark', utf16be(pem)],
  ['UTF-16LE without mark', Buffer.from(pem, 'utf16le')],
  ['UTF-16BE with mark', utf16be(`\ufeff${pem}`)],
  ['UTF-16LE with mark', Buffer.from(`\ufeff${pem}`, 'utf16le')],
  ['base64 of UTF-16BE', base64(utf16be(pem))],
  ['base64 of UTF-16LE', base64(Buffer.from(pem, 'utf16le'))],
  ['base64 of UTF-16 of base64', base64(Buffer.from(base64(open), 'utf16le'))],
  ['each byte a character (Latin-1)', Buffer.from(open.toString('latin1'))],
  ['each byte a character (Windows-1252)', Buffer.from(windows1252(open))],
  ['each byte a character, in base64', base64(Buffer.from(open.toString('latin1')))],
  ...[1, 2, 3, 4].map((times) => [`\\n behind ${times} backslashes`, escaped(times)] as const),
  ['\\r\\n behind two backslashes', pem.replaceAll('\n', '\\\\r\\\\n')],
  ['JSON in JSON', JSON.stringify(JSON.stringify({ pem }))],
  ['JSON of .NET, which escapes +', JSON.stringify({ pem }).replaceAll('+', '\\u002B')],
  ['JSON of PHP, which escapes /', JSON.stringify({ pem }).replaceAll('/', '\\/')],
  ['PKCS#7 named CERTIFICATE', key + writePem('CERTIFICATE', pkcs7())],
  ['a PFX named CERTIFICATE', writePem('CERTIFICATE', open)],
  ['a blank behind the words', pem.replaceAll(/(KEY|CATE)-----/g, '$1 -----')],
  ['PEM in the base64 of a block', writePem('CERTIFICATE', Buffer.from(pem))],
  [
    'PEM in the base64 of each block',
    [key, pemOf(certificates)].map((text) => writePem('CERTIFICATE', Buffer.from(text))).join(''),
  ],
  ['an old encrypted key with AES', oldKey('AES-256-CBC', '\n') + pemOf(certificates)],
  ['on one line', oldKey('AES-256-CBC', ' ') + pemOf(certificates)],
  ['with its line breaks gone', oldKey('AES-256-CBC', '') + pemOf(certificates)],
  ['with \\n as two characters', oldKey('AES-256-CBC', '\\n') + pemOf(certificates)],
  ['with \\n escaped twice', oldKey('AES-256-CBC', '\\\\n') + pemOf(certificates)],
  ['with CR LF', oldKey('AES-256-CBC', '\r\n') + pemOf(certificates)],
  ['with CR', oldKey('AES-256-CBC', '\r') + pemOf(certificates)],
  ['an old encrypted key with DES, its line breaks gone', oldKey('DES-EDE3-CBC', '') + pemOf(certificates)],
  ['an old encrypted key with DES, \\n as two characters', oldKey('DES-EDE3-CBC', '\\n') + pemOf(certificates)],
];

describe('what is innermost is read', () => {
  it.each(READ)('%s', async (_, content) => {
    const bundle = await readBundle(Buffer.from(content), { password: new Secret('right') });
    expect(bundle.keys.map(keyPem)).toEqual([key]);
    expect(fingerprints(bundle.certificates)).toEqual(fingerprints(certificates));
  });

  it('with the password that stands beside it, and no other', async () => {
    const read = (content: string) => readBundle(Buffer.from(content));
    expect((await read(base64(microsoft(base64(pfx))))).keys).toHaveLength(1);
    await expect(read(microsoft(base64(pfx), { password: 'left' }))).rejects.toThrow('with the password given for it');
    await expect(read(microsoft(base64(pfx), { password: 7 }))).rejects.toThrow('is protected by a password');
  });

  it('for "files" alone: the classic form still takes no other layer than base64 for a PFX or PEM', () => {
    const taken = (content: Buffer | string) =>
      [Buffer.from(content)].map((one) => looksLikePkcs12(one) || looksLikePem(one));
    expect([base64(open), base64(base64(open)), base64(pem)].flatMap(taken)).toEqual([true, true, true]);
    const others = [open.toString('hex'), microsoft(base64(open)), base64(base64(base64(open))), utf16be(pem)];
    expect(others.flatMap(taken)).toEqual([false, false, false, false]);
  });
});

const jks = Buffer.from('feedfeed000000020000000100000001', 'hex');
const block = (label: string, der: Buffer) => writePem(label, der);
const lines = key.split('\n');
const withMark = (mark: string, at: string) =>
  [lines[0], `${lines[1]?.slice(0, 3)}${mark}${lines[1]?.slice(3)}`, ...lines.slice(2)].join(at);

const NAMED: readonly (readonly [string, Buffer | string, RegExp])[] = [
  ['a Java keystore', jks, /^the content is a Java keystore \(JKS\); convert it with "keytool -importkeystore/],
  ['a Java keystore in base64', base64(jks), /^the content, once decoded from base64, is a Java keystore \(JKS\)/],
  ['a Java keystore in base64 in lines', `${base64(jks).replace(/.{8}/g, '$&\n')}\n`, /base64, is a Java keystore/],
  ['a Java keystore in hex', jks.toString('hex'), /once decoded from hexadecimal, is a Java keystore/],
  ['a Java keystore in base64 twice', base64(base64(jks)), /decoded from base64 and base64, is a Java keystore/],
  ['a Java keystore as characters', Buffer.from(jks.toString('latin1')), /decoded from characters, is a Java keystore/],
  ['a JCEKS in base64', base64(Buffer.from('cececece00000002', 'hex')), /is a Java keystore \(JCEKS\)/],
  ['a ZIP archive', base64(Buffer.from('504b030414000000', 'hex')), /is a ZIP archive; store the file/],
  ['a gzip', base64(Buffer.from('1f8b080000000000', 'hex')), /is compressed with gzip/],
  ['a key of PuTTY', 'PuTTY-User-Key-File-3: ssh-ed25519\n', /is a key of PuTTY; export it/],
  ['a public key of SSH', 'ssh-ed25519 AAAAC3Nz user@host\n', /is a public key of SSH/],
  ['HTML', '<!DOCTYPE html><p>moved', /is XML or HTML/],
  ['white space', ' \n\t\u00a0\u200b\n', /^the content holds only white space; PKCS#12/],
  ['white space in base64', base64(' \n\n'), /once decoded from base64, holds only white space/],
  [
    'JSON with PEM in base64',
    JSON.stringify({ kind: 'Secret', data: { 'tls.key': base64(key) } }),
    /^the content is JSON, whose member "data\.tls\.key" holds PEM under base64; store that value by itself/,
  ],
  [
    'JSON with a PFX in base64',
    JSON.stringify({ pfx: base64(open), password: 'right' }),
    /whose member "pfx" holds a PFX under base64/,
  ],
  [
    'JSON with DER in base64, in base64',
    base64(JSON.stringify({ x5c: [base64(leafDer)] })),
    /whose member "x5c\.0" holds DER under base64/,
  ],
  ['JSON without any', '{"user":"a","password":"b"}', /is JSON without keys or certificates/],
  [
    'a web key',
    JSON.stringify({ kty: 'EC', crv: 'P-256', x: 'AAAA', y: 'AAAA', d: 'AAAA' }),
    /is a JSON web key \(JWK\)/,
  ],
  [
    'YAML with PEM in base64',
    `tls.key: ${base64(key)}\ntls.crt: ${base64(pem)}\n`,
    /is a text that holds PEM in base64/,
  ],
  [
    'a PFX read as UTF-8',
    Buffer.from(open.toString('utf8')),
    /was binary and has been stored as text, .*U\+FFFD.*store base64/,
  ],
  [
    'four dashes',
    pem.replaceAll('-----', '----'),
    /^the content is not PEM: line 1 has 4 dashes where 5 belong; write it as "-----BEGIN PRIVATE KEY-----"/,
  ],
  [
    'four dashes on the right',
    pem.replaceAll('KEY-----', 'KEY----').replaceAll('CATE-----', 'CATE----'),
    /line 1 has 4 dashes where 5 belong/,
  ],
  ['four dashes on the left', pem.replaceAll(/^-----/gm, '----'), /line 1 has 4 dashes where 5 belong/],
  ['a blank before the words', pem.replaceAll(/-----(?=BEGIN|END)/g, '----- '), /line 1 has a blank between/],
  ['no dashes', pem.replaceAll('-----', ''), /line 1 has 0 dashes where 5 belong/],
  [
    'four dashes at the end',
    key.replace('-----END', '----END'),
    /BEGIN PRIVATE KEY \(line 1\) without its END: line 5 has 4 dashes/,
  ],
  ['en dashes', pem.replaceAll('-----', '–––––'), /line 1 has U\+2013 \(an en dash\) where a "-" belongs/],
  ['em dashes, two for five', pem.replaceAll('-----', '——-'), /line 1 has U\+2014 \(an em dash\) where a "-" belongs/],
  [
    'en dashes on the right',
    pem.replaceAll('KEY-----', 'KEY–––––').replaceAll('CATE-----', 'CATE–––––'),
    /line 1 has U\+2013/,
  ],
  [
    'small letters',
    pem.replaceAll('PRIVATE KEY', 'private key').replaceAll('CERTIFICATE', 'Certificate'),
    /line 1 has small letters/,
  ],
  ['text above four dashes', `\n\nkey:\n${key.replaceAll('-----', '----')}`, /line 4 has 4 dashes/],
  [
    'another END',
    key.replace('BEGIN', 'BEGIN EC'),
    /has a block BEGIN EC PRIVATE KEY \(line 1\) that ends with END PRIVATE KEY \(line 5\)/,
  ],
  [
    'another END below',
    `${pemOf(certificates.slice(0, 1))}${key.replace('END PRIVATE', 'END RSA PRIVATE')}`,
    /ends with END RSA PRIVATE KEY \(line \d\d\)/,
  ],
  [
    'a certificate named PRIVATE KEY',
    block('PRIVATE KEY', leafDer),
    /block PRIVATE KEY \(line 1\) that holds a certificate, not a private key/,
  ],
  [
    'a certificate named ENCRYPTED PRIVATE KEY',
    block('ENCRYPTED PRIVATE KEY', leafDer),
    /holds a certificate, not a private key/,
  ],
  [
    'a public key named RSA PRIVATE KEY',
    block('RSA PRIVATE KEY', spki(leaf.key)),
    /holds a public key, not a private key/,
  ],
  ['a PFX named PRIVATE KEY', block('PRIVATE KEY', open), /holds a PKCS#12 file \(PFX\), not a private key/],
  [
    'a private key named CERTIFICATE',
    block('CERTIFICATE', keyDer),
    /block CERTIFICATE \(line 1\) that holds a private key, not a certificate/,
  ],
  [
    'a request named CERTIFICATE',
    block('CERTIFICATE', request()),
    /holds a certificate request \(CSR\), not a certificate/,
  ],
  [
    'a no-break space',
    withMark('\u00a0', '\n'),
    /\(line 1\) that is not base64: line 2, character 4: U\+00A0 \(a no-break space\) does not belong there/,
  ],
  ['a zero-width space', withMark('\u200b', '\n'), /line 2, character 4: U\+200B \(a zero-width space\)/],
  ['a zero-width space, CR LF', withMark('\u200b', '\r\n'), /line 2, character 4: U\+200B/],
  ['a zero-width space, CR', withMark('\u200b', '\r'), /line 2, character 4: U\+200B/],
  ['a zero-width space in base64 of UTF-16', base64(utf16be(withMark('\u200b', '\n'))), /line 2, character 4: U\+200B/],
  ['a byte order mark inside', withMark('\ufeff', '\n'), /line 2, character 4: U\+FEFF \(a byte order mark\)/],
  ['two marks', withMark('\u00a0\u00a0', '\n'), /line 2, character 4: U\+00A0/],
  ['an asterisk', withMark('*', '\n'), /line 2, character 4: "\*" does not belong there/],
  ['padding in the middle', withMark('==', '\n'), /line 2, character 5: "=" does not belong there/],
  ['a body cut off', key.replace(/.(?=\n-----END)/, ''), /that is not base64: characters are missing at its end/],
  [
    'a mark in base64',
    base64(pem).replace(/.{40}/, '$&\u00a0'),
    /neither PKCS#12 nor PEM nor DER: it is base64 up to line 1, character 41: U\+00A0/,
  ],
];

describe('what cannot be read is named', () => {
  it.each(NAMED)('%s', async (_, content, message) => {
    const thrown: unknown = await readBundle(Buffer.from(content)).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(ProviderError);
    expect(String(thrown)).toMatch(/^ProviderError: the /);
    expect(thrown instanceof Error ? thrown.message : '').toMatch(message);
    for (const secret of [lines[1] ?? '', lines[2] ?? '', base64(open).slice(0, 30)]) {
      expect(String(thrown)).not.toContain(secret);
    }
  });

  it('a request beside a key', async () => {
    for (const label of ['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST']) {
      const material = await pairKey(await readBundle(Buffer.from(key + block(label, request()))));
      expect(missingFor('certificate', material)).toBe(
        'it holds no certificate, only a private key and a certificate request (CSR); take the certificate that the CA issued for it',
      );
    }
  });
});

describe('the layers of any bytes', () => {
  const layer = fc.constantFrom(
    (content: Buffer) => Buffer.from(base64(content)),
    (content: Buffer) => Buffer.from(content.toString('hex')),
    (content: Buffer) => Buffer.from(content.toString('latin1')),
    (content: Buffer) => Buffer.from(content.toString('latin1'), 'utf16le'),
    (content: Buffer) => Buffer.from(JSON.stringify(content.toString('latin1'))),
    (content: Buffer) => Buffer.from(microsoft(base64(content))),
  );
  const core = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
    fc.constantFrom(jks, keyDer, Buffer.from(key), Buffer.from('{"a":"b"}'), Buffer.from('-----BEGIN A-----')),
  );

  it('come off or not, and never throw anything else than a refusal', async () => {
    await fc.assert(
      fc.asyncProperty(core, fc.array(layer, { maxLength: 4 }), async (innermost, layers) => {
        const content = layers.reduce((inner, wrap) => wrap(inner), innermost);
        const thrown: unknown = await readBundle(content).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (thrown !== undefined) expect(thrown).toMatchObject({ name: 'ProviderError', code: 'ERR_BAD_CONTENT' });
      }),
      { numRuns: rounds(50, 200) },
    );
  });

  it.each([
    ['backslashes', '\\'.repeat(250_000)],
    ['dashes', '-'.repeat(250_000)],
    ['dashes of other kinds', '–'.repeat(80_000)],
    ['blanks', `x${' '.repeat(250_000)}x`],
    ['words of PEM', 'BEGIN CERTIFICATE '.repeat(14_000)],
    ['damaged blocks', '-----BEGIN A-----\n*-----END A-----\n'.repeat(6500)],
    ['headers', `-----BEGIN A-----\nProc-Type: ${'DEK-Info: '.repeat(20_000)}\n-----END A-----`],
    ['padding', `-----BEGIN A-----\n${'= '.repeat(100_000)}\n-----END A-----`],
    ['brackets', '['.repeat(250_000)],
    ['members', JSON.stringify(Array.from({ length: 900 }, () => 'A'.repeat(250)))],
    ['blocks in blocks', [1, 2, 3, 4, 5].reduce((inner) => writePem('A', Buffer.from(inner)), key.repeat(200))],
    ['UTF-16', Buffer.alloc(250_000, Buffer.from('A\0'))],
  ])('are bounded: %s', async (_, content) => {
    await expect(readBundle(Buffer.from(content))).rejects.toMatchObject({ code: 'ERR_BAD_CONTENT' });
  });
});
