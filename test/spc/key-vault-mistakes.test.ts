import { describe, expect, it } from 'vitest';
import { read, TENANT } from '../support/spc.ts';

const VAULT = `vault:
  name: kv1
  directoryId: ${TENANT}
  credentials:
    servicePrincipalLocalSecretName: aio-akv-sp
`;

function errorsOf(keyVault: string, asked: Parameters<typeof read>[1] = {}): readonly string[] {
  return read({ keyVault }, asked).errors;
}

describe('mistakes, with path and remedy', () => {
  const good = `${VAULT}vaultSecret: {name: db}\n`;

  it.each([
    ['nothing', '', 'keyVault must hold a map with "vault" and an object, not nothing'],
    ['null', '~', 'keyVault must hold a map with "vault" and an object, not nothing'],
    ['a text', 'vault', 'keyVault must hold a map with "vault" and an object, not a text'],
    ['a list', '- vault', 'keyVault must hold a map with "vault" and an object, not a list'],
    ['bad YAML', 'vault: {', 'keyVault cannot be read as YAML: line 1: '],
    [
      'a key twice',
      `${good}vaultSecret: {name: x}`,
      'keyVault cannot be read as YAML: line 7: mapping key "vaultSecret" already defined at line 6',
    ],
    ['two documents', `${good}---\n${good}`, 'keyVault holds more than one YAML document'],
    ['too much', `#${'x'.repeat(300_000)}`, 'keyVault is longer than 262144 bytes'],
    ['no vault', 'vaultSecret: {name: db}', 'keyVault.vault is required'],
    ['a text as vault', 'vault: hunter2\nvaultSecret: {name: db}', 'keyVault.vault must be a map, not a text'],
    ['no name', good.replace('  name: kv1\n', ''), 'keyVault.vault.name is required: it is the name of the Key Vault'],
    ['an empty name', good.replace('kv1', '""'), 'keyVault.vault.name is required'],
    ['a map as name', good.replace('kv1', '{a: b}'), 'keyVault.vault.name must be text, not a map'],
    ['a wrong name', good.replace('kv1', 'k_v'), 'keyVault.vault.name is wrong: Invalid vault name: "k_v", must match'],
    [
      'half a placeholder as name',
      good.replace('kv1', '<vault'),
      'keyVault.vault.name is wrong: Invalid vault name: "<vault"',
    ],
    [
      'a placeholder as name',
      good.replace('kv1', '<your vault>'),
      'keyVault.vault.name is still the placeholder "<your vault>"',
    ],
    ['an empty directory', good.replace(TENANT, ''), 'keyVault.vault.directoryId is required'],
    ['a misspelt directory', good.replace('directoryId', 'directoryID'), 'did you mean "directoryId"?'],
    [
      'a wrong directory',
      good.replace(TENANT, 'my tenant'),
      'keyVault.vault.directoryId is wrong: tenant ID "my tenant" must be a GUID',
    ],
    ['half a placeholder as directory', good.replace(TENANT, '<tenant'), 'keyVault.vault.directoryId is wrong'],
    [
      'no credentials',
      good.replace(/ {2}credentials:\n.*\n/, ''),
      'keyVault.vault.credentials is required: set servicePrincipalLocalSecretName',
    ],
    [
      'empty credentials',
      good.replace(/credentials:\n.*\n/, 'credentials: {}\n'),
      'keyVault.vault.credentials must hold one of servicePrincipalLocalSecretName',
    ],
    [
      'a text as credentials',
      good.replace(/credentials:\n.*\n/, 'credentials: hunter2\n'),
      'keyVault.vault.credentials must be a map, not a text',
    ],
    [
      'no name of the Secret',
      good.replace('aio-akv-sp', ''),
      'keyVault.vault.credentials.servicePrincipalLocalSecretName is required',
    ],
    [
      'a placeholder of the Secret',
      good.replace('aio-akv-sp', '<secret>'),
      'servicePrincipalLocalSecretName is still the placeholder "<secret>"',
    ],
    [
      'two credentials',
      good.replace('aio-akv-sp', 'sp\n    managedIdentity: {}'),
      'keyVault.vault.credentials must hold only one of servicePrincipalLocalSecretName and managedIdentity',
    ],
    [
      'misspelt credentials',
      good.replace('servicePrincipalLocal', 'servicePrincipal'),
      'servicePrincipalSecretName is unknown; did you mean "servicePrincipalLocalSecretName"?',
    ],
    [
      'a client secret in place',
      good.replace('aio-akv-sp', 'sp\n    clientSecret: hunter2'),
      'keyVault.vault.credentials.clientSecret is unknown',
    ],
    [
      'an empty clientId',
      good.replace(/servicePrincipal.*/, 'workloadIdentity: {clientId: }'),
      'workloadIdentity.clientId is required',
    ],
    [
      'a misspelt clientId',
      good.replace(/servicePrincipal.*/, 'managedIdentity: {clientID: c}'),
      'managedIdentity.clientID is unknown; did you mean "clientId"?',
    ],
    [
      'a placeholder as clientId',
      good.replace(/servicePrincipal.*/, 'managedIdentity: {clientId: <id>}'),
      'managedIdentity.clientId is still the placeholder "<id>"',
    ],
    [
      'an empty clientId',
      good.replace(/servicePrincipal.*/, 'managedIdentity: {clientId: }'),
      'managedIdentity.clientId is required',
    ],
    [
      'a text as managedIdentity',
      good.replace(/servicePrincipal.*/, 'managedIdentity: yes'),
      'managedIdentity must be a map, not a text',
    ],
    [
      'a misspelt field of the vault',
      good.replace('directoryId', 'directoryID'),
      'keyVault.vault.directoryID is unknown; did you mean "directoryId"?',
    ],
    ['no object', VAULT, 'keyVault names no object: add vaultSecret, vaultCert or vaultCaChainCert'],
    [
      'a misspelt object',
      good.replace('vaultSecret', 'vaultCret'),
      'keyVault.vaultCret is unknown; did you mean "vaultCert"?',
    ],
    ['an unknown field', `${good}frobnicate: 1`, 'keyVault.frobnicate is unknown; known here: "vault", "vaultSecret"'],
    ['a text as object', `${VAULT}vaultSecret: db`, 'keyVault.vaultSecret must be a map, not a text'],
    ['nothing as object', `${VAULT}vaultSecret:`, 'keyVault.vaultSecret must be a map, not nothing'],
    ['an object without name', `${VAULT}vaultSecret: {}`, 'keyVault.vaultSecret.name is required'],
    [
      'a name that no vault can hold',
      `${VAULT}vaultSecret: {name: my_db}`,
      'keyVault.vaultSecret.name is wrong: "my_db" cannot be the name of a Key Vault object',
    ],
    [
      'a placeholder as name of an object',
      `${VAULT}vaultCert: {name: <cert>}`,
      'keyVault.vaultCert.name is still the placeholder "<cert>"',
    ],
    [
      'a placeholder as version',
      `${VAULT}vaultCert: {name: c, version: <version>}`,
      'keyVault.vaultCert.version is still the placeholder "<version>"',
    ],
    [
      'a version that is a step in a path',
      `${VAULT}vaultCert: {name: c, version: ..}`,
      'keyVault.vaultCert.version cannot be one: ".." can be neither name nor version',
    ],
    [
      'a list as version',
      `${VAULT}vaultCert: {name: c, version: [1]}`,
      'keyVault.vaultCert.version must be text, not a list',
    ],
    [
      'a misspelt field of an object',
      `${VAULT}vaultCert: {name: c, verison: 1}`,
      'keyVault.vaultCert.verison is unknown; did you mean "version"?',
    ],
    [
      'a bad mode',
      `${VAULT}vaultCert: {name: c, filePermission: "9"}`,
      'keyVault.vaultCert.filePermission is wrong: file permission must be a valid octal number',
    ],
    [
      'a bad key format',
      `${VAULT}vaultCert: {name: c, keyFormat: der}`,
      'keyVault.vaultCert.keyFormat "der" must be "pkcs8", "pkcs1" or "sec1"',
    ],
    [
      'a key format of a plain secret',
      `${VAULT}vaultSecret: {name: c, keyFormat: pkcs1}`,
      'keyVault.vaultSecret.keyFormat needs a files map next to it',
    ],
    [
      'both names of the chain',
      `${VAULT}vaultCaChainCert: {name: a, files: {ca: a}}\nvaultCaChainSecret: {name: b, files: {ca: b}}`,
      'keyVault.vaultCaChainSecret is another name of vaultCaChainCert; give one of them',
    ],
    [
      'files that collide',
      `${VAULT}vaultSecret: {name: c, files: {certificate: tls.crt}}\nvaultCert: {name: c}`,
      'file "tls.crt" is written by both keyVault.vaultSecret.files.certificate (secret "c") and keyVault.vaultCert (secret "c")',
    ],
    [
      'no file at all',
      `${VAULT}vaultCert: {name: c, files: {}}`,
      'the objects give no file: each has an empty files map',
    ],
  ])('%s', (_, keyVault, text) => {
    const errors = errorsOf(keyVault).join('\n');
    expect(errors).toContain(text);
    expect(errors).not.toContain('hunter2');
  });

  it('are all reported at once', () => {
    const keyVault = 'vault:\n  nam: kv1\n  directoryId: <id>\nvaultSecert: {name: a}\nvaultCert: {nmae: b}\n';
    expect(errorsOf(keyVault).map((text) => text.split(' ', 2).join(' '))).toEqual([
      'keyVault.vaultSecert is',
      'keyVault.vault.nam is',
      'keyVault.vault.name is',
      'keyVault.vault.directoryId is',
      'keyVault.vault.credentials is',
      'keyVault.vaultCert.nmae is',
      'keyVault.vaultCert.name is',
    ]);
  });

  it('are not followed by mistakes that follow from them', () => {
    expect(errorsOf('vaultSecret: {name: db}', { secrets: 'null' })).toHaveLength(1);
  });
});
