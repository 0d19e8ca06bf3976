import { createPrivateKey, X509Certificate } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { writePem } from '../../src/pki/pem.ts';
import { checkRow, openWorld, type ParityWorld, type Row, seedWith, TENANT, VAULT } from '../support/parity.ts';
import { issue, issueChain, keyPem, newKey, pemOf, randomOf, sharedKey } from '../support/pki.ts';

const FILES = {
  tls: { certificate: 'tls.crt', key: 'tls.key', chain: 'ca.crt' },
  client: { certificate: 'client_cert.pem', key: 'client_key.pem', chain: 'client_intermediate_certs.pem' },
} as const;
type Layout = keyof typeof FILES;
const LAYOUTS: readonly Layout[] = ['tls', 'client'];

const { leaf, certificates } = await issueChain({ names: ['bridge', 'Inner', 'Root'] });
const [own, inner, root] = certificates;
if (!own || !inner || !root) throw new Error('a short chain');
const other = await issue({ name: 'other' });
const key = keyPem(leaf.key);
const text = (...parts: readonly { toString(): string }[]) => parts.map(String).join('');
const secretOf = (type: 'pkcs8' | 'sec1', cipher: string) =>
  leaf.key.export({ format: 'pem', type, cipher, passphrase: 'x' }).toString();

let world: ParityWorld;
beforeAll(async () => {
  world = await openWorld(seedWith());
});
afterAll(() => world.close());

/** Returns parameters with a `keyVault` field. */
function asked(field: object, fileLayout: Layout, more: object = {}) {
  const vault = { name: VAULT, directoryId: TENANT, credentials: { servicePrincipalLocalSecretName: 'sp' } };
  const keyVault = stringify({ vault, ...field, ...more });
  return { keyvaultName: undefined, tenantID: undefined, keyVault, fileLayout };
}

/** Returns a row with a secret that contains `value` and is the only chain secret. */
function alone(fact: string, value: string, fileLayout: Layout, row: Partial<Row>): Row {
  return {
    fact: `${fileLayout}: ${fact}`,
    given: ({ emulator }) => emulator.setSecret(VAULT, 'chain', value),
    parameters: asked({ vaultCaChainCert: { name: 'chain' } }, fileLayout),
    ...row,
  };
}

/** Contents with a private key that cannot be written together with a certificate. */
const UNUSABLE: readonly (readonly [string, string, string | RegExp])[] = [
  [
    'an RSA key of another pair',
    text(keyPem(sharedKey('rsa-2048')), own, inner, root),
    /does not belong to the certif/,
  ],
  ['an EC key of another pair', text(own, inner, root, keyPem(newKey('p-256'))), /does not belong to the certificate/],
  ['the key of another pair beside CA certificates', text(keyPem(newKey('p-256')), inner, root), /does not belong/],
  ['a key alone', key, 'holds no certificate, only a private key'],
  ['an encrypted key', text(secretOf('pkcs8', 'aes-256-cbc'), own, inner, root), 'encrypted private key'],
  ['a key encrypted in the old way', text(secretOf('sec1', 'aes-128-cbc'), own, inner, root), 'encrypted private key'],
  ['a damaged key', text(writePem('PRIVATE KEY', Buffer.from('3003020100', 'hex')), own, inner), /private key/],
  ['a key cut off', text(own, inner, root, key.slice(0, -40)), 'without its END'],
  [
    'a key in the format of OpenSSH',
    text(writePem('OPENSSH PRIVATE KEY', Buffer.from('x')), own, inner),
    'ssh-keygen -p',
  ],
  ['a DSA key', text(writePem('DSA PRIVATE KEY', Buffer.from('3000', 'hex')), own, inner), '"DSA PRIVATE KEY"'],
  [
    'keys of two servers',
    text(key, keyPem(other.key), own, inner, root, other.certificate),
    /2 private keys .*"CN=bridge, O=Test" and "CN=other, O=Test"; keep one/,
  ],
];

describe('a chain secret alone that holds a private key', () => {
  const unusable = LAYOUTS.flatMap((layout) =>
    UNUSABLE.map(([fact, value, says]) =>
      alone(fact, value, layout, {
        fails: { code: status.FAILED_PRECONDITION, says: ['keyVault.vaultCaChainCert', '"chain"', says] },
      }),
    ),
  );
  it.each(unusable)('is refused where key and certificate cannot be written: $fact', (row) => checkRow(world, row));

  it.each(
    LAYOUTS.flatMap((layout) => {
      const names = FILES[layout];
      const pair = { [names.certificate]: text(own), [names.key]: key };
      const selfSigned = { [names.certificate]: text(other.certificate), [names.key]: keyPem(other.key) };
      const isTls = layout === 'tls';
      return [
        alone('leaf, intermediate and root', text(root, key, inner, own), layout, {
          files: {
            [names.certificate]: text(own, inner),
            [names.key]: key,
            [names.chain]: isTls ? text(root, inner) : text(inner),
          },
        }),
        alone('the leaf alone, which is no CA', text(key, own), layout, { files: pair }),
        alone('a self-signed certificate, once', text(keyPem(other.key), other.certificate), layout, {
          files: isTls ? { ...selfSigned, [names.chain]: text(other.certificate) } : selfSigned,
        }),
        alone('the key of its CA too', text(keyPem(sharedKey('p-256', 'ca 1')), key, own, inner), layout, {
          files: { [names.certificate]: text(own, inner), [names.key]: key, [names.chain]: text(inner) },
        }),
      ];
    }),
  )('serves as the certificate too: $fact', (row) => checkRow(world, row));

  it.each(LAYOUTS)(
    'gives the files that vaultCert gives of a certificate that Key Vault signed itself (%s)',
    async (layout) => {
      await world.emulator.createCertificate(VAULT, 'self');
      const filesOf = async (reference: string) => {
        const outcome = await world.mount({ parameters: asked({ [reference]: { name: 'self' } }, layout) });
        if (outcome.kind === 'failed') throw new Error(outcome.message);
        return outcome.response.files.map(({ path, contents }) => [path, contents.toString()]);
      };
      const files = await filesOf('vaultCaChainCert');
      expect(files).toEqual(await filesOf('vaultCert'));
      for (const [path, contents = ''] of files) {
        expect(contents.match(/BEGIN CERTIFICATE/g) ?? [], path).toHaveLength(path?.includes('key') ? 0 : 1);
      }
    },
  );

  it('has no intermediate that signed itself, whatever its key usage says', async () => {
    await world.emulator.createCertificate(VAULT, 'self');
    const outcome = await world.mount({ parameters: asked({ vaultCert: { name: 'self' } }, 'tls') });
    if (outcome.kind === 'failed') throw new Error(outcome.message);
    const selfSigned = outcome.response.files.find(({ path }) => path === 'tls.crt')?.contents.toString() ?? '';
    world.emulator.setSecret(VAULT, 'own', text(key, own));
    await checkRow(world, {
      ...alone('', text(selfSigned, inner, root), 'client', {}),
      parameters: asked({ vaultCaChainCert: { name: 'chain' }, vaultCert: { name: 'own' } }, 'client'),
      files: {
        'client_cert.pem': text(own, inner),
        'client_key.pem': key,
        'client_intermediate_certs.pem': text(inner),
      },
    });
  });

  it('gives a certificate with its key or an error, whatever is damaged in the key', async () => {
    const value = text(key, own, inner, root);
    const [start, end] = [key.indexOf('\n'), key.indexOf('\n-----END')];
    const random = randomOf(11);
    let refused = 0;
    for (let round = 0; round < 60; round++) {
      const at = start + Math.floor(random() * (end - start));
      const damage = String.fromCharCode(43 + Math.floor(random() * 80));
      world.emulator.setSecret(VAULT, 'chain', value.slice(0, at) + damage + value.slice(at + 1));
      const outcome = await world.mount({ parameters: asked({ vaultCaChainCert: { name: 'chain' } }, 'client') });
      if (outcome.kind === 'failed') {
        expect(outcome.code).toBe(status.FAILED_PRECONDITION);
        refused++;
        continue;
      }
      const files = new Map(outcome.response.files.map(({ path, contents }) => [path, contents]));
      const certificate = new X509Certificate(files.get('client_cert.pem') ?? '');
      expect(certificate.checkPrivateKey(createPrivateKey(files.get('client_key.pem') ?? ''))).toBe(true);
    }
    expect(refused).toBeGreaterThan(10);
  });

  it('is not left without a file that the manifest names', async () => {
    const files = { fullChain: 'a.crt', privateKey: 'a.key', ca: 'ca.crt' };
    await checkRow(world, {
      ...alone('', text(key, own), 'client', {
        fails: { code: status.FAILED_PRECONDITION, says: ['cannot write "ca.crt"', 'no root'] },
      }),
      parameters: asked({ vaultCaChainCert: { name: 'chain', files } }, 'client'),
    });
  });
});

describe('a chain secret that cannot be read, beside a sound certificate', () => {
  const UNREADABLE = [
    ['a SAS token', 'SharedAccessSignature sr=hub&sig=hunter2&se=1'],
    ['nothing', ' '],
    ['a certificate cut off', text(root).slice(0, -30)],
    ['a locked key', text(secretOf('pkcs8', 'aes-256-cbc'), inner)],
  ] as const;

  it.each(LAYOUTS.flatMap((layout) => UNREADABLE.map(([fact, value]) => [layout, fact, value] as const)))(
    '%s: %s is blamed once, with its command',
    async (layout, _, value) => {
      world.emulator.setSecret(VAULT, 'own', text(key, own, inner), { contentType: 'application/x-pem-file' });
      world.emulator.setSecret(VAULT, 'chain', value);
      const field = { vaultCert: { name: 'own' }, vaultCaChainCert: { name: 'chain' } };
      const outcome = await world.mount({ parameters: asked(field, layout) });
      if (outcome.kind !== 'failed') throw new Error('it did not fail');
      expect(outcome.message).toMatch(
        /: 2 of 2 objects: failed to get keyVault\.vaultCaChainCert \(secret "chain"\) \(needed by keyVault\.vaultCert \(secret "own"\)\): /,
      );
      expect(outcome.message.match(/failed to get/g)).toHaveLength(1);
      expect(outcome.message).toContain(`az keyvault secret show --vault-name ${VAULT} --name chain `);
      expect(outcome.message).not.toMatch(/--name own|hunter2/);
    },
  );
});

describe('a chain secret alone without a private key', () => {
  /** Returns the warnings of one Mount by a provider that has not warned before. */
  async function warningsOf(row: Row, flag: string): Promise<readonly string[]> {
    const before = world.log.length;
    await checkRow(world, { ...row, flags: [`--custom-user-agent=${flag}`] });
    const lines = world.log.slice(before).map((line) => JSON.parse(line));
    return lines.flatMap(({ reason, detail }) => (reason === undefined ? [] : [`${reason}: ${detail}`]));
  }

  it('is a warning in the layout of clients: a client has to present a certificate', async () => {
    const row = alone('', text(root, inner), 'client', { files: { 'client_intermediate_certs.pem': text(inner) } });
    expect(await warningsOf(row, 'a')).toEqual([
      'no_client_certificate: Certificate "chain": client_cert.pem and client_key.pem are not there: the secret holds CA certificates only; add vaultCert with the client certificate',
    ]);
  });

  it('says so too where a leaf is there', async () => {
    const row = alone('', text(own, inner, root), 'client', {
      files: { 'client_intermediate_certs.pem': text(inner) },
    });
    expect(await warningsOf(row, 'b')).toEqual([
      expect.stringMatching(/holds certificates only, and no private key; add/),
    ]);
  });

  it('is a warning where its only certificate is that of a server, by which nobody can be verified', async () => {
    const row = alone('', text(own), 'tls', { files: { 'ca.crt': text(own) } });
    expect(await warningsOf(row, 'e')).toEqual([expect.stringMatching(/^no_ca: .*"CN=bridge, O=Test"/)]);
    const trusted = alone('', text(other.certificate), 'tls', { files: { 'ca.crt': text(other.certificate) } });
    expect(await warningsOf(trusted, 'f')).toEqual([]);
  });

  it('is a warning where the manifest says that a server reads the files', async () => {
    const row = alone('', text(root, inner), 'tls', { files: { 'ca.crt': text(root, inner) } });
    expect(await warningsOf({ ...row, parameters: { ...row.parameters, certificateUse: 'server' } }, 'g')).toEqual([
      'no_server_certificate: Certificate "chain": tls.crt and tls.key are not there: the secret holds CA certificates only; add vaultCert with the server certificate',
    ]);
  });

  it('is nothing to warn of in the layout of servers, nor beside a certificate', async () => {
    expect(
      await warningsOf(alone('', text(root, inner), 'tls', { files: { 'ca.crt': text(root, inner) } }), 'c'),
    ).toEqual([]);
    const { given, ...row } = alone('', text(root, inner), 'client', {
      files: {
        'client_cert.pem': text(own, inner),
        'client_key.pem': key,
        'client_intermediate_certs.pem': text(inner),
      },
      parameters: asked({ vaultCaChainCert: { name: 'chain' }, vaultCert: { name: 'own' } }, 'client'),
    });
    world.emulator.setSecret(VAULT, 'own', text(key, own));
    expect(await warningsOf({ ...row, ...(given ? { given } : {}) }, 'd')).toEqual([]);
  });
});

describe('a certificate with its key', () => {
  it.each(LAYOUTS)('of which there are two is refused, and both are named (%s)', async (fileLayout) => {
    world.emulator.setSecret(VAULT, 'two', text(key, keyPem(other.key), pemOf(certificates), other.certificate));
    await checkRow(world, {
      fact: '',
      parameters: asked({ vaultCert: { name: 'two' } }, fileLayout),
      fails: {
        code: status.FAILED_PRECONDITION,
        says: ['keyVault.vaultCert', '"CN=bridge, O=Test" and "CN=other, O=Test"', 'keep one key'],
      },
    });
  });
});
