import { SecretClient } from '@azure/keyvault-secrets';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect, type Lab, openLab, sdkOptions, seedWith, VAULT, vaultGet } from '../support/emulator.ts';

const VERSIONS = ['00000000000000000000000000000003', '00000000000000000000000000000001'];

const SEED = seedWith(`
    secrets:
      - name: plain
        value: plain value
        contentType: text/plain
        tags: {file-encoding: utf-8}
        notBefore: 2020-01-01
        expires: 2020-02-01T12:00:00Z
      - name: versioned
        tags: {of: all}
        versions:
          - {version: "${VERSIONS[0]}", value: old}
          - {version: "${VERSIONS[1]}", value: new, tags: {of: this}}
      - {name: off, value: x, enabled: false}
      - {name: many-versions, value: x, versions: 60}
      - name: authorities
        valueFrom: {authority: sub}
      - name: bundle
        contentType: application/x-pem-file
        valueFrom: {chain: client, parts: [key, leaf, intermediates, root]}
  - name: crowded
    tenant: contoso.onmicrosoft.com
    grants: [{identity: app, secrets: [list]}]
    secrets:
${Array.from({ length: 30 }, (_, i) => `      - {name: s-${String(i).padStart(2, '0')}, value: "${i}"}`).join('\n')}
authorities:
  - {name: root}
  - {name: sub, issuer: root}
chains:
  - {name: client, issuer: sub, subject: CN=client}
`);

describe('secrets of the emulator, read with the stock client', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await openLab(SEED);
  });
  afterAll(() => lab.close());

  it('come with value, id, content type, tags and dates; dates in the past do not hinder reading', async () => {
    const { value, properties } = await lab.secrets.getSecret('plain');
    expect(value).toBe('plain value');
    expect(properties).toMatchObject({
      contentType: 'text/plain',
      tags: { 'file-encoding': 'utf-8' },
      enabled: true,
      notBefore: new Date('2020-01-01T00:00:00Z'),
      expiresOn: new Date('2020-02-01T12:00:00Z'),
      recoveryLevel: 'Recoverable+Purgeable',
      recoverableDays: 90,
    });
    expect(properties.id).toBe(`${lab.emulator.vaultUrl(VAULT)}/secrets/plain/${properties.version}`);
    expect(properties.version).toMatch(/^[0-9a-f]{32}$/);
  });

  it('return the version added last, or the requested one', async () => {
    expect((await lab.secrets.getSecret('versioned')).value).toBe('new');
    const old = await lab.secrets.getSecret('versioned', { version: VERSIONS[0] ?? '' });
    expect(old).toMatchObject({ value: 'old', properties: { tags: { of: 'all' } } });
  });

  it('are found by names in any case', async () => {
    expect((await lab.secrets.getSecret('PLAIN')).name).toBe('plain');
  });

  it('list their versions by version id, not by time', async () => {
    const versions = await collect(lab.secrets.listPropertiesOfSecretVersions('versioned'));
    expect(versions.map(({ version }) => version)).toEqual([...VERSIONS].sort());
    expect(versions[0]?.createdOn?.getTime()).toBeGreaterThan(versions[1]?.createdOn?.getTime() ?? 0);
  });

  it('list at most 25 per page and link to the next page', async () => {
    const pages = await collect(lab.secrets.listPropertiesOfSecretVersions('many-versions').byPage());
    expect(pages.map(({ length }) => length)).toEqual([25, 25, 10]);
    expect(new Set(pages.flat().map(({ version }) => version)).size).toBe(60);
  });

  it('honour a smaller page size and refuse one out of range', async () => {
    const page = await vaultGet(lab, '/secrets/many-versions/versions?api-version=7.4&maxresults=7');
    expect(page.json.value).toHaveLength(7);
    expect(page.json.nextLink).toContain('$skiptoken=');
    for (const size of ['0', '26', 'x']) {
      const refused = await vaultGet(lab, `/secrets?api-version=7.4&maxresults=${size}`);
      expect(refused).toMatchObject({ status: 400, json: { error: { code: 'BadParameter' } } });
    }
    const garbled = await vaultGet(lab, '/secrets?api-version=7.4&$skiptoken=garbage');
    expect(garbled).toMatchObject({ status: 400, json: { error: { code: 'BadParameter' } } });
  });

  it('list the secrets of a vault without their values, disabled ones too', async () => {
    const all = await collect(lab.secrets.listPropertiesOfSecrets());
    expect(all.map(({ name }) => name)).toEqual([
      'authorities',
      'bundle',
      'many-versions',
      'off',
      'plain',
      'versioned',
    ]);
    expect(all.find(({ name }) => name === 'off')?.enabled).toBe(false);
    const listed = await vaultGet(lab, '/secrets?api-version=7.4');
    expect(listed.text).not.toContain('plain value');
    const crowded = new SecretClient(lab.emulator.vaultUrl('crowded'), lab.credential, sdkOptions(lab.agent));
    expect(await collect(crowded.listPropertiesOfSecrets())).toHaveLength(30);
  });

  it('refuse a disabled version with 403 and the inner code', async () => {
    await expect(lab.secrets.getSecret('off')).rejects.toMatchObject({
      statusCode: 403,
      code: 'Forbidden',
      message: 'Operation get is not allowed on a disabled secret.',
      details: { error: { innerError: { code: 'SecretDisabled' } } },
    });
  });

  it('answer 404 for a missing name and for a missing version', async () => {
    await expect(lab.secrets.getSecret('nope')).rejects.toMatchObject({
      statusCode: 404,
      code: 'SecretNotFound',
      message: expect.stringMatching(/^A secret with \(name\/id\) nope was not found in this key vault\./),
    });
    const version = 'f'.repeat(32);
    await expect(lab.secrets.getSecret('plain', { version })).rejects.toMatchObject({
      statusCode: 404,
      message: expect.stringContaining(`plain/${version}`),
    });
  });

  it.each([
    ['no api-version', '/secrets/plain', 'api-version must be specified'],
    ['an unknown api-version', '/secrets/plain?api-version=9.9', 'The specified version (9.9) is not recognized'],
    ['a bad name', '/secrets/pl_ain?api-version=7.4', 'The request URI contains an invalid name: pl_ain'],
    ['a bad version', '/secrets/plain/123?api-version=7.4', 'invalid secret version: 123'],
    ['an undecodable path', '/secrets/%zz?api-version=7.4', 'cannot be decoded'],
  ])('answer 400 to %s', async (_, path, message) => {
    const answer = await vaultGet(lab, path);
    expect(answer).toMatchObject({ status: 400, json: { error: { code: 'BadParameter' } } });
    expect(answer.json.error.message).toContain(message);
  });

  it.each(['7.0', '7.4', '7.5', '7.6', '7.6-preview.2', '2025-07-01', '2026-04-01'])(
    'speak API version %s',
    async (version) => {
      expect((await vaultGet(lab, `/secrets/plain/?api%2Dversion=${version}`)).json.value).toBe('plain value');
    },
  );

  it('have the headers of the service, including the client request id', async () => {
    const answer = await vaultGet(lab, '/secrets/plain?api-version=7.4');
    expect(answer.headers).toMatchObject({
      'x-ms-keyvault-region': 'westeurope',
      'x-ms-keyvault-service-version': expect.any(String),
      'x-ms-request-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
      'x-ms-keyvault-network-info': expect.stringContaining('addr=127.0.0.1'),
    });
    let echoed: string | undefined;
    await lab.secrets.getSecret('plain', {
      onResponse: (response) => {
        echoed = response.headers.get('x-ms-client-request-id');
      },
    });
    expect(echoed).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('can be made of chains: an authority up to its root, or key and certificates of a client', async () => {
    const authorities = (await lab.secrets.getSecret('authorities')).value ?? '';
    expect(authorities).toBe(lab.emulator.authorityPem('sub'));
    expect(authorities.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    const bundle = (await lab.secrets.getSecret('bundle')).value ?? '';
    expect(bundle).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    expect(bundle.match(/BEGIN CERTIFICATE/g)).toHaveLength(3);
    expect(bundle.endsWith(authorities)).toBe(true);
  });

  it('answer 501 to operations that the emulator does not implement', async () => {
    await expect(lab.secrets.backupSecret('plain')).rejects.toMatchObject({ statusCode: 501, code: 'NotImplemented' });
  });
});

describe('secrets of the emulator, changed with the stock client', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await openLab(SEED);
  });
  afterAll(() => lab.close());

  it('are set: each time a new version', async () => {
    const options = { contentType: 'text/x', tags: { a: 'b' }, enabled: true, expiresOn: new Date('2037-01-01') };
    const first = await lab.secrets.setSecret('fresh', 'one', options);
    const second = await lab.secrets.setSecret('fresh', 'two');
    expect(first.properties).toMatchObject({
      contentType: 'text/x',
      tags: { a: 'b' },
      expiresOn: new Date('2037-01-01'),
    });
    expect(second.properties.version).not.toBe(first.properties.version);
    expect((await lab.secrets.getSecret('fresh')).value).toBe('two');
    expect(await collect(lab.secrets.listPropertiesOfSecretVersions('fresh'))).toHaveLength(2);
  });

  it('are updated: attributes, tags and content type of one version', async () => {
    const { properties } = await lab.secrets.setSecret('changing', 'x');
    const version = properties.version ?? '';
    await lab.secrets.updateSecretProperties('changing', version, {
      enabled: false,
      tags: { t: '1' },
      contentType: 'c',
    });
    await expect(lab.secrets.getSecret('changing')).rejects.toMatchObject({ statusCode: 403 });
    await lab.secrets.updateSecretProperties('changing', version, { enabled: true });
    expect((await lab.secrets.getSecret('changing')).properties).toMatchObject({ contentType: 'c', tags: { t: '1' } });
  });

  it('are soft-deleted: not found, listed as deleted, name reserved, recovered', async () => {
    await lab.secrets.setSecret('doomed', 'x');
    const poller = await lab.secrets.beginDeleteSecret('doomed');
    const deleted = await poller.pollUntilDone();
    expect(deleted.properties.deletedOn).toBeInstanceOf(Date);
    expect(deleted.properties.scheduledPurgeDate).toBeInstanceOf(Date);
    await expect(lab.secrets.getSecret('doomed')).rejects.toMatchObject({ code: 'SecretNotFound' });
    expect((await collect(lab.secrets.listDeletedSecrets())).map(({ name }) => name)).toEqual(['doomed']);
    await expect(lab.secrets.setSecret('doomed', 'y')).rejects.toMatchObject({
      statusCode: 409,
      code: 'Conflict',
      details: { error: { innerError: { code: 'ObjectIsDeletedButRecoverable' } } },
    });
    const recovery = await lab.secrets.beginRecoverDeletedSecret('doomed');
    await recovery.pollUntilDone();
    expect((await lab.secrets.getSecret('doomed')).value).toBe('x');
  });

  it('are purged permanently', async () => {
    await lab.secrets.setSecret('purged', 'x');
    await (await lab.secrets.beginDeleteSecret('purged')).pollUntilDone();
    await lab.secrets.purgeDeletedSecret('purged');
    await expect(lab.secrets.getDeletedSecret('purged')).rejects.toMatchObject({ statusCode: 404 });
    await lab.secrets.setSecret('purged', 'again');
    expect((await lab.secrets.getSecret('purged')).value).toBe('again');
  });

  it('are limited to 25 KB, 15 tags and 255 characters of content type', async () => {
    await expect(lab.secrets.setSecret('big', 'x'.repeat(25 * 1024 + 1))).rejects.toMatchObject({ statusCode: 400 });
    const tags = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`t${i}`, '']));
    await expect(lab.secrets.setSecret('tagged', 'x', { tags })).rejects.toMatchObject({ statusCode: 400 });
    const contentType = 'c'.repeat(256);
    await expect(lab.secrets.setSecret('typed', 'x', { contentType })).rejects.toMatchObject({ statusCode: 400 });
  });

  it('can be changed by the program that started the emulator', async () => {
    const version = lab.emulator.setSecret(VAULT, 'own', 'value', { contentType: 'text/plain', tags: { a: '1' } });
    expect((await lab.secrets.getSecret('own')).properties).toMatchObject({ version, tags: { a: '1' } });
    lab.emulator.setEnabled(VAULT, { kind: 'secrets', name: 'own' }, false);
    await expect(lab.secrets.getSecret('own')).rejects.toMatchObject({ statusCode: 403 });
    lab.emulator.setEnabled(VAULT, { kind: 'secrets', name: 'own', version }, true);
    expect(lab.emulator.currentSecret(VAULT, 'own').value.reveal()).toBe('value');
    lab.emulator.deleteObject(VAULT, 'secrets', 'own');
    await expect(lab.secrets.getSecret('own')).rejects.toMatchObject({ statusCode: 404 });
    lab.emulator.recoverObject(VAULT, 'secrets', 'own');
    expect((await lab.secrets.getSecret('own')).value).toBe('value');
    expect(() => lab.emulator.deleteObject(VAULT, 'secrets', 'nope')).toThrow('The emulator has no secrets "nope"');
    expect(() => lab.emulator.setSecret('nope', 'a', 'b')).toThrow('The emulator has no vault "nope"; known:');
  });
});
