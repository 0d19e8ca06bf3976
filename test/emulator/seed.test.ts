import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseSeed, resolveTime } from '../../src/emulator/seed/seed.ts';
import { buildWorld } from '../../src/emulator/seed/seed-world.ts';
import { writePem } from '../../src/pki/pem.ts';
import { seedWith, TENANT } from '../support/emulator.ts';
import { infiniteCertificate, LONG_NUMBER } from '../support/odd-samples.ts';
import { issue } from '../support/pki.ts';

const NOW = Date.UTC(2030, 0, 1);
const ODD_CERTIFICATE = writePem('CERTIFICATE', infiniteCertificate(await issue({ name: 'odd.example' })));
const build = (yaml: string) => buildWorld(parseSeed(yaml), { clock: { wall: () => NOW }, hosts: [] });

describe('a seed', () => {
  it('that cannot be used is refused with every mistake named by its path', async () => {
    const yaml = `
tenants:
  - id: 42
    identitys: []
    identities: [{name: a, clientId: x, secret: []}]
vaults:
  - {name: v, tenant: t, secrets: [{name: a b, valu: x}, {name: ok, value: 5}]}
colour: red
`;
    expect(() => parseSeed(yaml)).toThrow(
      [
        "The emulator's seed cannot be used:",
        '  tenants[0].id: must be a GUID (quoted) or "adfs"',
        '  tenants[0].identities[0].clientId: must be a GUID; quote it',
        '  tenants[0].identities[0].secret: unknown field; did you mean "secrets"?',
        '  tenants[0].identitys: unknown field; did you mean "identities"?',
        '  vaults[0].name: must be 3 to 24 of 0-9, A-Z, a-z and "-"',
        '  vaults[0].secrets[0].name: must be 1 to 127 of 0-9, A-Z, a-z and "-"',
        '  vaults[0].secrets[0].valu: unknown field; did you mean "value"?',
        '  vaults[0].secrets[1].value: must be text; quote it',
        '  colour: unknown field; known: "latency", "serviceAccountIssuer", "tenants", "authorities", "chains", "vaults" or "faults"',
      ].join('\n'),
    );
  });

  it.each([
    ['broken YAML', 'tenants: [', 'Flow sequence'],
    ['no document', '', 'the document: '],
    ['no vaults', 'tenants: [{id: adfs}]', 'vaults: is missing'],
    [
      'a mistake in a version',
      seedWith('    secrets: [{name: a, versions: [{value: x, contenttype: y}]}]'),
      'vaults[0].secrets[0].versions[0].contenttype: unknown field; did you mean "contentType"?',
    ],
    ['an unknown permission', seedWith('      - {identity: app, secrets: [read]}'), 'vaults[0].grants[1].secrets'],
    [
      'a bad time',
      seedWith('    secrets: [{name: a, value: x, expires: tomorrow}]'),
      'vaults[0].secrets[0].expires: must be a date',
    ],
    [
      'a fault of unknown kind',
      `${seedWith('')}\nfaults: [{on: vault, action: {kind: explode}}]`,
      'faults[0].action.kind: must be one of',
    ],
    [
      'a mistake in a fault',
      `${seedWith('')}\nfaults: [{on: vault, action: {kind: drop, after: 1}}]`,
      'faults[0].action.after: unknown field',
    ],
    [
      'an unknown tenant',
      seedWith(`  - {name: other, tenant: nowhere}`),
      'vaults[1].tenant: "nowhere" is not in this seed',
    ],
    [
      'a grant to nobody',
      seedWith('      - {identity: apq}'),
      'vaults[0].grants[1].identity: "apq" is not in this seed; did you mean "app"?',
    ],
    [
      'a vault twice',
      seedWith(`  - {name: TEST-vault, tenant: "${TENANT}"}`),
      'vaults: the name "TEST-vault" occurs twice',
    ],
    [
      'a secret twice',
      seedWith('    secrets: [{name: a, value: x}, {name: A, value: y}]'),
      'the name "A" occurs twice',
    ],
    [
      'a secret with the name of a certificate',
      seedWith('    secrets: [{name: a, value: x}]\n    certificates: [{name: a}]'),
      'the name "a" occurs twice',
    ],
    [
      'a secret without value',
      seedWith('    secrets: [{name: a}]'),
      'vaults[0].secrets[0]: needs either value or valueFrom',
    ],
    [
      'a value and a source of it',
      seedWith('    secrets: [{name: a, value: x, valueFrom: {authority: y}}]'),
      'needs either value or valueFrom',
    ],
    [
      'an unknown chain',
      seedWith('    secrets: [{name: a, valueFrom: {chain: x, parts: [key]}}]'),
      'valueFrom.chain: "x" is not in this seed',
    ],
    [
      'an unknown issuer',
      seedWith('    certificates: [{name: a, issuer: x}]'),
      'vaults[0].certificates[0].issuer: "x" is not in this seed',
    ],
    [
      'a chain and how to issue it',
      `${seedWith('    certificates: [{name: a, chain: c, subject: CN=x}]')}\nchains: [{name: c}]`,
      'set only one of chain, content, or the fields that issue it',
    ],
    [
      'an impossible subject',
      seedWith('    certificates: [{name: a, subject: "XX=1=2"}]'),
      'is not a distinguished name',
    ],
    [
      'a curve no certificate is made for',
      seedWith('    certificates: [{name: a, key: {crv: P-256K}}]'),
      'must be an RSA, P-256, P-384 or P-521 key',
    ],
    [
      'an authority before its issuer',
      `${seedWith('')}\nauthorities: [{name: sub, issuer: root}, {name: root}]`,
      'authorities[0].issuer',
    ],
    [
      'content that is no certificate',
      seedWith('    certificates: [{name: a, content: nonsense}]'),
      'certificate "a": ',
    ],
    [
      'a client certificate that is none',
      seedWith('', `      - {name: b, clientId: "${TENANT}", certificates: [nonsense]}`),
      'identities[1].certificates[0]: must contain a valid public key',
    ],
    [
      'a client certificate with a key that OpenSSL must not see',
      seedWith('', `      - {name: b, clientId: "${TENANT}", certificates: [${JSON.stringify(ODD_CERTIFICATE)}]}`),
      'identities[1].certificates[0]: must contain a valid public key',
    ],
    [
      'a certificate with such a key',
      seedWith(`    certificates: [{name: a, content: ${JSON.stringify(ODD_CERTIFICATE)}}]`),
      'certificate "a": has a public key with numbers that its kind does not allow',
    ],
    [
      'a certificate with such a private key',
      seedWith(`    certificates: [{name: a, content: ${JSON.stringify(LONG_NUMBER)}}]`),
      'certificate "a": the PEM content has a block EC PRIVATE KEY (line 1) that holds a damaged private key',
    ],
    ['two documents', `${seedWith('')}---\n${seedWith('')}`, 'the document: there are 2 of them; keep one'],
    ['nothing but a comment', '# nothing\n', 'the document: it is empty'],
    [
      'public keys that are none',
      seedWith(
        '',
        `      - {name: b, clientId: "${TENANT}", federated: [{subject: s, publicKeys: [x], jwks: {keys: [{kty: EC}]}}]}`,
      ),
      'identities[1].federated[0].publicKeys[0]: must contain a valid public key\n  tenants[0].identities[1].federated[0].jwks.keys[0]',
    ],
    [
      'a foreign issuer without keys',
      seedWith('', `      - {name: b, clientId: "${TENANT}", federated: [{subject: s, issuer: https://x}]}`),
      'needs publicKeys, jwks or "signature: any"',
    ],
  ])('is refused with %s', async (_, yaml, message) => {
    await expect((async () => build(yaml))()).rejects.toMatchObject({
      code: 'ERR_BAD_PARAMETERS',
      message: expect.stringContaining(message),
    });
  });

  it('never shows a secret in what it refuses', async () => {
    const yaml = seedWith(
      '    certificates: [{name: a, content: "-----BEGIN PRIVATE KEY-----\\nhush\\n-----END PRIVATE KEY-----"}]',
    );
    await expect(build(yaml)).rejects.not.toMatchObject({ message: expect.stringContaining('hush') });
    expect(() => parseSeed(seedWith('    secrets: [{name: a, value: hush, colour: hush}]'))).not.toThrow('hush');
  });

  it('contains times as dates or as offsets from the start', () => {
    expect(resolveTime('2031-02-03', NOW)).toBe(Date.UTC(2031, 1, 3));
    expect(resolveTime('2031-02-03T04:05:06Z', NOW)).toBe(Date.UTC(2031, 1, 3, 4, 5, 6));
    expect(resolveTime('+12h', NOW)).toBe(NOW + 12 * 3_600_000);
    expect(resolveTime('-1d', NOW)).toBe(NOW - 86_400_000);
    expect(resolveTime('+90s', NOW)).toBe(NOW + 90_000);
  });

  it('has versions in order, each with the fields of its object', async () => {
    const world = await build(
      seedWith(
        '    secrets: [{name: a, value: x, tags: {t: "1"}, versions: [{created: 2029-01-01}, {value: y, enabled: false}]}]',
      ),
    );
    const versions = world.vaults.get('test-vault')?.secrets.get('a')?.versions;
    expect(versions?.map(({ value, enabled, created, tags }) => [value.reveal(), enabled, created, tags])).toEqual([
      ['x', true, Date.UTC(2029, 0, 1) / 1000, { t: '1' }],
      ['y', false, NOW / 1000, { t: '1' }],
    ]);
  });

  it('of the examples contains the objects that the broker resources name', async () => {
    const world = await build(readFileSync(new URL('../../examples/emulator-seed.yaml', import.meta.url), 'utf8'));
    const vault = world.vaults.get('my-key-vault');
    expect(vault?.certificates.version('my-server-certificate')?.material.chain).toHaveLength(3);
    const value = (name: string) => vault?.secrets.version(name)?.value.reveal();
    expect(value('my-username-password-db')).toContain('[client1]\npassword = "$pbkdf2-sha512$i=100000,l=64$');
    expect(value('mosquitto-password-file')).toMatch(/^client1:\$7\$101\$\S{16}\$\S{88}\n$/);
    expect(value('my-remote-broker-certificate')?.match(/-----BEGIN [A-Z ]+-----/g)).toEqual([
      '-----BEGIN PRIVATE KEY-----',
      ...Array.from({ length: 3 }, () => '-----BEGIN CERTIFICATE-----'),
    ]);
  });
});
