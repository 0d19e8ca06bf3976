import { describe, expect, it } from 'vitest';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import { convertObjects } from '../../src/mount/convert/convert.ts';
import { PKCS12_FORMS, writePkcs12 } from '../../src/pki/pkcs12-write.ts';
import type { ContentSpec } from '../../src/spc/model.ts';
import {
  convertContext,
  fetchedSecret,
  keptLog,
  objectSpec,
  outputsContent,
  read,
  valueContent,
} from '../support/mount.ts';
import { issue, issueChain, keyPem, pemOf, sharedKey } from '../support/pki.ts';
import { findTool, toolDirectory } from '../support/tools.ts';

const PFX = 'application/x-pkcs12';
const PEM = 'application/x-pem-file';
const chain = await issueChain({ key: sharedKey('p-256') });
const { leaf, certificates } = chain;
const key = keyPem(leaf.key);
const pem = key + pemOf(certificates);
const pfx = async (privateKey: typeof leaf.key | undefined) => {
  const form = { ...PKCS12_FORMS.keyVault, password: null, seed: Buffer.alloc(1) };
  return (await writePkcs12({ key: privateKey, certificates }, form)).toString('base64');
};

const [withKey, withoutKey] = [await pfx(leaf.key), await pfx(undefined)];

/** Mounts one secret. Returns its files and the warnings. */
async function mount(value: string, content: ContentSpec, contentType = '') {
  const counted: string[] = [];
  const { log, lines } = keptLog();
  const telemetry = { ...silentTelemetry, certificateWarning: (reason: string) => void counted.push(reason) };
  const fetched = fetchedSecret(value, { contentType, certificateBacked: contentType !== '' });
  const { made } = await convertObjects(
    [read(objectSpec('c', { content }), fetched)],
    convertContext({ telemetry, log }),
  );
  const warnings = lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields.detail);
  return { files: made.map(({ file }) => file.contents.toString()), counted, warnings, lines };
}

describe('a classic secret without a private key', () => {
  it.each([
    ['PEM', pemOf(certificates), PEM, {}],
    ['PEM, split', pemOf(certificates), PEM, { split: true }],
    ['PFX', withoutKey, PFX, {}],
    ['PFX, split', withoutKey, PFX, { split: true }],
    ['PFX as PFX', withoutKey, PFX, { format: 'pfx', encoding: 'base64' }],
  ] as const)('says so: %s', async (_, value, contentType, more) => {
    const { counted, warnings } = await mount(value, valueContent('c', more), contentType);
    expect(counted).toEqual(['no_private_key']);
    expect(warnings).toEqual([expect.stringMatching(/^Certificate "c": there is no private key.*"exportable": true/)]);
  });

  it('that belongs to no certificate, or that has the key, says nothing', async () => {
    for (const [value, contentType] of [
      [pemOf(certificates), ''],
      [pem, ''],
      [pem, PEM],
      [withKey, PFX],
    ] as const) {
      expect((await mount(value, valueContent('c'), contentType)).counted).toEqual([]);
    }
  });
});

const LOST: readonly (readonly [string, string])[] = [
  ['on one line', pem.replaceAll('\n', ' ')],
  ['without line breaks', pem.replaceAll('\n', '')],
  ['with \\n as two characters', pem.replaceAll('\n', '\\n')],
  ['with \\n escaped twice', pem.replaceAll('\n', '\\\\n')],
  ['in quotes', `"${pem.replaceAll('\n', '\\n')}"`],
  ['joined', pem.replaceAll('-----\n-----', '----------')],
  ['with line breaks of old Macs', pem.replaceAll('\n', '\r')],
  ['indented', pem.replace(/^/gm, '  ')],
  ['behind a byte order mark', `\ufeff${pem}`],
];
const KEPT: readonly (readonly [string, string])[] = [
  ['as it should be', pem],
  ['with CR LF', pem.replaceAll('\n', '\r\n')],
  ['with blanks at the ends of lines', pem.replaceAll('\n', ' \n')],
  ['without a line break at the end', pem.trimEnd()],
  ['with text between', `subject=CN=x\n${pem.replaceAll('-----BEGIN', 'Bag Attributes\n    a: b\n-----BEGIN')}`],
  ['with the body on one line', key.replace(/\n(?=[^-])/g, '').replace('KEY-----', 'KEY-----\n') + pemOf(certificates)],
  ['with a block that is commented out', `${pem.replace(/^/gm, '# ')}\n${pem}`],
];

describe('PEM that no consumer can read', () => {
  it.each(LOST)('is rewritten where it is the secret of a certificate: %s', async (_, value) => {
    for (const orderChain of [true, false]) {
      expect((await mount(value, valueContent('c', { orderChain }), PEM)).files).toEqual([pem]);
    }
  });

  it.each(LOST)('is passed on with a warning where it is a secret like any other: %s', async (_, value) => {
    const { files, counted, warnings } = await mount(value, valueContent('c'));
    expect([files, counted]).toEqual([[value], ['line_breaks_lost']]);
    expect(warnings).toEqual([expect.stringContaining('its line breaks are gone')]);
    expect(warnings).toEqual([expect.stringContaining('"files" repairs it')]);
  });

  it.each(KEPT)('is another one: %s', async (_, value) => {
    expect((await mount(value, valueContent('c'), PEM)).files).toEqual([value]);
    expect(await mount(value, valueContent('c'))).toMatchObject({ files: [value], counted: [] });
  });

  it.each([
    ['JSON with a key in it', JSON.stringify({ type: 'service_account', private_key: key })],
    ['a file of variables', `KEY="${key.replaceAll('\n', '\\n')}"\n`],
    ['a word', 'hunter2'],
    ['a mention', '-----BEGIN CERTIFICATE----- is the first line'],
  ])('is no warning for what holds more than PEM: %s', async (_, value) => {
    expect(await mount(value, valueContent('c'))).toMatchObject({ files: [value], counted: [] });
  });
});

describe.skipIf(!findTool('openssl'))('openssl', () => {
  const { put, run } = toolDirectory();
  const certificatesIn = (text: string) => {
    put('all.pem', text);
    try {
      run('openssl', 'crl2pkcs7', '-nocrl', '-certfile', 'all.pem', '-out', 'all.p7');
      return run('openssl', 'pkcs7', '-in', 'all.p7', '-print_certs').match(/^subject/gm)?.length ?? 0;
    } catch {
      return 0;
    }
  };

  it.each(KEPT)('reads all of it: %s', (_, text) => {
    expect(certificatesIn(text)).toBe(3);
  });

  // The byte order mark affects only the first block, which is the key.
  it.each(LOST.filter(([, text]) => !text.startsWith('\ufeff')))('does not: %s', (_, text) => {
    expect(certificatesIn(text)).toBeLessThan(3);
  });
});

describe('a chain without its root', () => {
  const servers = key + pemOf(certificates.slice(0, 2));
  it('is nothing to warn of, and a leaf alone is', async () => {
    const files = outputsContent([{ output: 'fullChain', path: 'tls.crt' }]);
    for (const content of [valueContent('c'), files]) {
      const { counted, lines } = await mount(servers, content, PEM);
      expect(counted).toEqual([]);
      const message = expect.stringContaining(
        '"CN=Root, O=Test" is missing. This is correct if the issuer is the root',
      );
      expect(lines).toMatchObject([{ level: 'info', fields: { detail: message } }]);
      const alone = await mount(key + pemOf(certificates.slice(0, 1)), content, PEM);
      expect(alone.counted).toEqual(['chain_incomplete']);
    }
  });

  it('fails where its root is asked for', async () => {
    for (const output of ['ca', 'truststore'] as const) {
      await expect(mount(servers, outputsContent([{ output, path: 'x' }]), PEM)).rejects.toThrow('it holds no root');
    }
  });
});

describe('the certificate of a client', () => {
  it('needs no alternative names', async () => {
    const nameless = await issue({ name: 'client', dnsNames: [] });
    const value = keyPem(nameless.key) + pemOf([nameless.certificate]);
    const files = (forClient: boolean) => outputsContent([{ output: 'fullChain', path: 'c.crt' }], { forClient });
    expect((await mount(value, files(false), PEM)).counted).toEqual(['no_san']);
    expect((await mount(value, files(true), PEM)).counted).toEqual([]);
  });
});

describe('certificates of equal names', () => {
  it('are told apart, and are where the form leaves them', async () => {
    const older = await issue({ name: 'broker.example', issuer: chain.intermediates[0] ?? leaf, serial: '0abc' });
    const value = key + pemOf([...certificates, older.certificate]);
    const told = '"CN=broker.example, O=Test" (serial number 0ABC, valid to 2040-01-01)';
    const files = outputsContent([{ output: 'fullChain', path: 'tls.crt' }]);
    expect((await mount(value, valueContent('c'), PEM)).warnings).toEqual([
      expect.stringContaining(`and come behind it in the file: ${told}`),
    ]);
    expect((await mount(value, files, PEM)).warnings).toEqual([
      expect.stringContaining(`and are left out of it: ${told}`),
    ]);
  });
});
