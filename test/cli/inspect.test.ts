import 'reflect-metadata';
import { createPublicKey, type KeyObject } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { inspectCommand, runInspect } from '../../src/cli/inspect.ts';
import { PKCS12_FORMS, writePkcs12 } from '../../src/pki/pkcs12-write.ts';
import { recordedIo } from '../support/cli.ts';
import { type IssuedChain, issueChain, keyPem, newKey, pemOf } from '../support/pki.ts';

const directory = mkdtempSync(join(tmpdir(), 'akv-inspect-'));
afterAll(() => rmSync(directory, { recursive: true }));

let chain: IssuedChain;
let pfx: Buffer;
let lockedPfx: Buffer;

beforeAll(async () => {
  chain = await issueChain();
  const contents = { key: chain.leaf.key, certificates: chain.certificates };
  const seed = Buffer.alloc(1);
  pfx = await writePkcs12(contents, { ...PKCS12_FORMS.keyVault, password: null, seed });
  lockedPfx = await writePkcs12(contents, { ...PKCS12_FORMS.modern, password: new Secret('open sesame'), seed });
});

function file(name: string, content: string | Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

async function inspect(
  path: string | readonly string[],
  { stdin, ...options }: { json?: boolean; passwordFile?: string; stdin?: string | Buffer } = {},
) {
  const io = recordedIo(stdin === undefined ? {} : { stdin });
  const code = await runInspect([path].flat(), options, io);
  return { code, ...io.printed };
}

/** Returns every encoding in which a private key could be printed by mistake. */
function formsOf(key: KeyObject): readonly string[] {
  const der = key.export({ format: 'der', type: 'pkcs8' });
  const { d = '' } = key.export({ format: 'jwk' });
  const scalar = Buffer.from(d, 'base64url');
  return [der.toString('base64').slice(40, 80), d, scalar.toString('hex'), scalar.toString('base64').slice(0, 40)];
}

describe('akv-csi inspect', () => {
  it.each([
    ['a PFX', () => pfx, 'PKCS#12 (PFX): 1 private key, 3 certificates'],
    ['a PFX in base64, as Key Vault gives it away', () => `${pfx.toString('base64')}\n`, 'PKCS#12 (PFX): 1 private'],
    ['a PEM bundle', () => keyPem(chain.leaf.key) + pemOf(chain.certificates), 'PEM: 1 private key, 3 certificates'],
    ['a certificate in DER', () => chain.leaf.certificate.raw, 'DER: no private keys, 1 certificate'],
    ['a key in DER', () => chain.leaf.key.export({ format: 'der', type: 'pkcs8' }), 'DER: 1 private key, no cert'],
    ['a mounted tls.crt', () => pemOf(chain.certificates.slice(0, 2)), 'PEM: no private keys, 2 certificates'],
    ['a mounted ca.crt', () => pemOf(chain.certificates.slice(2)), 'CN=Root, O=Test (root)'],
  ])('reads %s, from a file and from stdin', async (_, content, expected) => {
    const fromFile = await inspect(file('content', content()));
    expect(fromFile).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining(expected) });
    expect(await inspect('-', { stdin: content() })).toEqual(fromFile);
  });

  it('warns of nothing that a mounted file of certificates lacks by design', async () => {
    for (const mounted of [chain.certificates.slice(0, 2), chain.certificates.slice(2)]) {
      expect((await inspect('-', { stdin: pemOf(mounted) })).stdout).not.toContain('Warnings');
    }
  });

  it('opens what has a password with the password of a file, or of stdin', async () => {
    const locked = file('locked.pfx', lockedPfx);
    const passwordFile = file('password', 'open sesame\r\n');
    const opened = await inspect(locked, { passwordFile });
    expect(opened).toMatchObject({ code: 0, stdout: expect.stringContaining('1 private key, 3 certificates') });
    expect(await inspect(locked, { passwordFile: '-', stdin: 'open sesame\n' })).toEqual(opened);
    const encrypted = chain.leaf.key
      .export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'open sesame' })
      .toString();
    expect((await inspect(file('encrypted.pem', encrypted), { passwordFile })).code).toBe(0);
    expect((await inspect(file('encrypted.pem', encrypted))).stderr).toMatch(
      /encrypted private key; give the password/,
    );
  });

  it('says how to give a password that is missing, and when it is wrong, never which it was', async () => {
    const locked = file('locked.pfx', lockedPfx);
    expect(await inspect(locked)).toEqual({
      code: 1,
      stdout: '',
      stderr: `error: ${locked}: the PKCS#12 content is protected by a password, or is damaged (pkcs12: decryption password incorrect); give the password with --password-file FILE\n`,
    });
    const wrong = await inspect(locked, { passwordFile: file('wrong', 'hunter2') });
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('does not open with the password given') });
    expect(wrong.stderr).not.toContain('hunter2');
  });

  it('says what a file is that holds neither key nor certificate, and what to do', async () => {
    const publicKey = createPublicKey(chain.leaf.key);
    const keys = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
    const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' };
    const request = await Pkcs10CertificateRequestGenerator.create({ name: 'CN=a', keys, signingAlgorithm });
    const jks = Buffer.concat([Buffer.from('feedfeed00000002', 'hex'), Buffer.alloc(50)]);
    const refusals: readonly (readonly [string | Buffer, RegExp])[] = [
      ['', /: the content is empty; PKCS#12 \(PFX\), PEM or DER/],
      ['just a text\n', /: the content is neither PKCS#12 nor PEM nor DER; /],
      [pfx.subarray(0, 99), /: the content is truncated or damaged; /],
      [publicKey.export({ format: 'pem', type: 'spki' }).toString(), /only a public key/],
      [publicKey.export({ format: 'der', type: 'spki' }), /only a public key/],
      [request.toString('pem'), /only a certificate request \(CSR\); take the certificate that the CA issued/],
      [Buffer.from(request.rawData), /only a certificate request \(CSR\); take the certificate that the CA issued/],
      [jks, /a Java keystore \(JKS\); convert it with "keytool -importkeystore/],
      [Buffer.alloc(5_000_000), /more than 262144 bytes, which no certificate has; check that it is the right object/],
    ];
    for (const [content, expected] of refusals) {
      const { code, stdout, stderr } = await inspect(file('other', content));
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(expected);
    }
  });

  it('reads no more of an endless stream than a certificate can have', async () => {
    let pulled = 0;
    const io = {
      ...recordedIo(),
      async *stdinBytes() {
        for (; ; pulled++) yield Buffer.alloc(65_536);
      },
    };
    expect(await runInspect(['-'], {}, io)).toBe(1);
    expect(pulled).toBeLessThan(20);
  });

  it('ends with 2 for what cannot be read, with the reason', async () => {
    const folder = join(directory, 'folder');
    mkdirSync(folder);
    const refusals = [
      await inspect(join(directory, 'absent')),
      await inspect(folder),
      await inspect('-', { stdin: pfx, passwordFile: join(directory, 'absent') }),
      await inspect('-', { passwordFile: '-' }),
    ];
    expect(refusals.map(({ code }) => code)).toEqual([2, 2, 2, 2]);
    expect(refusals.map(({ stderr }) => stderr)).toEqual([
      expect.stringMatching(/^error: cannot read .*absent: no such file or directory\n$/),
      expect.stringMatching(/^error: cannot read .*folder: it holds no files\n$/),
      expect.stringMatching(/^error: cannot read .*absent: no such file or directory\n$/),
      'error: stdin cannot be both the file and its password; name one of them\n',
    ]);
  });

  it('prints JSON of one shape', async () => {
    const { stdout } = await inspect('-', { stdin: pfx, json: true });
    const inspection = JSON.parse(stdout);
    expect(Object.keys(inspection)).toEqual([
      'format',
      'keys',
      'certificates',
      'keyFitsLeaf',
      'chain',
      'findings',
      'outputs',
    ]);
    expect(Object.keys(inspection.keys[0])).toEqual(['kind', 'fits']);
    expect(Object.keys(inspection.certificates[0])).toEqual([
      'subject',
      'issuer',
      'alternativeNames',
      'notBefore',
      'notAfter',
      'key',
      'signature',
      'serialNumber',
      'fingerprint256',
      'ca',
      'place',
    ]);
    expect(Object.keys(inspection.outputs[0])).toEqual(['output', 'possible', 'holds', 'problem']);
    expect(inspection.chain).toEqual({ path: [0, 1, 2], complete: true, missingIssuer: null });
  });

  it('prints no key, whatever the file and the form of the output', async () => {
    const stranger = newKey('p-256');
    const contents = [
      pfx,
      keyPem(chain.leaf.key) + pemOf(chain.certificates),
      keyPem(stranger) + pemOf(chain.certificates),
      keyPem(chain.leaf.key),
      `${keyPem(chain.leaf.key)}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
      keyPem(chain.leaf.key).slice(0, 150),
      keyPem(chain.leaf.key).replace('-----BEGIN', '----BEGIN'),
    ];
    for (const content of contents) {
      for (const json of [false, true]) {
        const { stdout, stderr } = await inspect('-', { stdin: content, json });
        expect(stdout + stderr).not.toBe('');
        for (const form of [...formsOf(chain.leaf.key), ...formsOf(stranger)])
          expect(stdout + stderr).not.toContain(form);
      }
    }
  });

  it('tells its exit codes, and how to get at what is in the vault', () => {
    let help = '';
    const command = inspectCommand();
    command.configureOutput({
      writeOut: (text) => {
        help += text;
      },
    });
    command.outputHelp();
    expect(help).toMatch(/Exit codes: 0 .*; 1 .*; 2 /s);
    expect(help).toContain(
      'az keyvault secret show --vault-name VAULT --name NAME --query value -o tsv | akv-csi inspect -',
    );
  });

  it('reads several files and directories, each under its name, and goes on after one that it cannot read', async () => {
    const folder = join(directory, 'volume');
    mkdirSync(join(folder, '..data'), { recursive: true });
    const crt = file('volume/tls.crt', pemOf(chain.certificates));
    const txt = file('volume/version.txt', 'no certificate');
    const { code, stdout, stderr } = await inspect([folder, file('own.pfx', pfx)]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^\S+volume\/tls\.crt:\nPEM: no private keys.*\n\S+own\.pfx:\nPKCS#12 \(PFX\)/s);
    expect(stderr).toMatch(new RegExp(`^error: ${txt}: [^\n]*\n$`));
    const json = JSON.parse((await inspect([folder], { json: true })).stdout);
    expect(json).toMatchObject([{ file: crt, format: 'pem' }]);
    const turned = file('volume/a\u202etxt.crt', pemOf(chain.certificates));
    const { stdout: shown } = await inspect([folder], { json: true });
    expect(shown).not.toContain('\u202e');
    expect(JSON.parse(shown)).toMatchObject([{ file: turned }, { file: crt }]);
    mkdirSync(join(directory, 'none'));
    expect(await inspect([join(directory, 'none')])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('none: it holds no files'),
    });
  });
});
