import { afterAll, afterEach, beforeAll, describe, it } from 'vitest';
import { stringify } from 'yaml';
import { checkRow, openWorld, type ParityWorld, type Row, seedWith, TENANT, VAULT } from '../support/parity.ts';
import { issue, issueChain, keyPem, pemOf } from '../support/pki.ts';

const PEM = 'application/x-pem-file';
const { leaf, certificates } = await issueChain();
const [own, intermediate, root] = certificates.map(String);
const key = keyPem(leaf.key);
const old = pemOf([(await issue({ name: 'old.example' })).certificate]);
const begin = '-----BEGIN CERTIFICATE-----';

const TEXTS = [
  ['a block behind #', old.replace(/^(?!$)/gm, '# ')],
  ['a block quoted as mail', old.replace(/^(?!$)/gm, '> ')],
  ['a name', `# CA with ${begin} in its name\n`],
  ['how to copy it', `Copy everything from ${begin} to -----END CERTIFICATE-----, these lines too.\n`],
] as const;

let world: ParityWorld;
beforeAll(async () => {
  world = await openWorld(seedWith());
});
afterEach(() => world.emulator.faults.clear());
afterAll(() => world.close());

const keyVault = (field: object): Row['parameters'] => ({
  keyvaultName: undefined,
  tenantID: undefined,
  keyVault: stringify({
    vault: { name: VAULT, directoryId: TENANT, credentials: { servicePrincipalLocalSecretName: 'sp' } },
    ...field,
  }),
});

describe.each(TEXTS)('text between blocks that mentions BEGIN (%s) is passed over', (fact, text) => {
  const content = `${text}${key}${own}${text}${intermediate}${root}${text}`;
  const server = { 'tls.crt': `${own}${intermediate}`, 'tls.key': key };

  it('by files', () =>
    checkRow(world, {
      fact,
      given: ({ emulator }) => emulator.setSecret(VAULT, 'c', content),
      objects: [
        { objectName: 'c', objectType: 'secret', files: { fullChain: 'tls.crt', privateKey: 'tls.key', ca: 'ca.crt' } },
      ],
      files: { 'tls.crt': server['tls.crt'], 'ca.crt': root ?? '', 'tls.key': key },
    }));

  it('by vaultCert', () =>
    checkRow(world, {
      fact,
      given: (w) => w.certificateSecret('c', content, PEM),
      parameters: keyVault({ vaultCert: { name: 'c' } }),
      files: { ...server, 'ca.crt': root ?? '' },
    }));

  it('by vaultCaChainCert', () =>
    checkRow(world, {
      fact,
      given: ({ emulator }) => emulator.setSecret(VAULT, 'ca', `${text}${intermediate}${text}${root}`),
      parameters: keyVault({ vaultCaChainCert: { name: 'ca' } }),
      files: { 'ca.crt': `${intermediate}${root}` },
    }));

  it('by --write-cert-and-key-in-separate-files', () =>
    checkRow(world, {
      fact,
      given: (w) => w.certificateSecret('c', content, PEM),
      flags: ['--write-cert-and-key-in-separate-files'],
      objects: [{ objectName: 'c', objectType: 'secret' }],
      files: { 'c.crt': `${own}${intermediate}${root}`, 'c.key': key, c: content },
    }));
});
