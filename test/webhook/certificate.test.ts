import { X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type LogFields, type Logger, silentLogger } from '../../src/base/log.ts';
import { CertificateKeeper } from '../../src/webhook/certificate/keeper.ts';
import { type ManualClock, manualClock } from '../support/clocks.ts';
import { type Issued, issue, type KeyType, keyPem } from '../support/pki.ts';
import { send } from '../support/reviews.ts';

const [HOUR, DAY] = [3_600_000, 86_400_000];
const START = Date.UTC(2026, 0, 1);
const NAMES = ['webhook.akv.svc', 'localhost'];

let directory: string;
let clock: ManualClock;
let told: { readonly message: string; readonly error: string }[];
let writes = 0;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'akv-webhook-'));
  clock = manualClock(START);
  told = [];
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const log: Logger = {
  ...silentLogger,
  error: (message, fields: LogFields = {}) => void told.push({ message, error: String(fields.error) }),
};
const authority = (name = 'ca', keyType: KeyType = 'p-256', years = 10) =>
  issue({ name, keyType, ca: true, notBefore: new Date(START), notAfter: new Date(START + years * 365 * DAY) });

/** Writes files as the kubelet does: into a new directory, and then it moves one link. */
function mount(files: Readonly<Record<string, string>>): void {
  const fresh = join(directory, `..${++writes}`);
  mkdirSync(fresh);
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(fresh, name), content);
    if (!readdirSync(directory).includes(name)) symlinkSync(join('..data', name), join(directory, name));
  }
  symlinkSync(fresh, join(directory, '..data_tmp'));
  renameSync(join(directory, '..data_tmp'), join(directory, '..data'));
}
const caFiles = ({ certificate, key }: Issued, type: 'pkcs8' | 'pkcs1' | 'sec1' = 'pkcs8') => ({
  'ca.crt': certificate.toString(),
  'ca.key': key.export({ format: 'pem', type } as { format: 'pem'; type: 'pkcs8' }).toString(),
});
const tlsFiles = ({ certificate, key }: Issued) => ({ 'tls.crt': certificate.toString(), 'tls.key': keyPem(key) });
const openAuthority = () =>
  CertificateKeeper.open({ source: { kind: 'authority', directory, dnsNames: NAMES }, clock, log });
const openFiles = () => CertificateKeeper.open({ source: { kind: 'files', directory }, clock, log });
const served = (keeper: CertificateKeeper) => new X509Certificate(keeper.keyPair.certificate);

describe('a certificate of the own authority', () => {
  test.each<[KeyType, 'pkcs8' | 'pkcs1' | 'sec1']>([
    ['rsa-2048', 'pkcs1'],
    ['rsa-2048', 'pkcs8'],
    ['p-256', 'sec1'],
    ['p-384', 'pkcs8'],
  ])('is trusted over TLS by a client that has the authority only: %s in %s', async (keyType, encoding) => {
    const ca = await issue({ name: 'ca', keyType, ca: true });
    mount(caFiles(ca, encoding));
    clock.time = Date.now();
    const { keyPair } = await openAuthority();
    const server = createServer({ cert: keyPair.certificate, key: keyPair.key }, (_, response) => response.end('ok'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const to = { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/`, ca: ca.certificate.toString() };
    try {
      for (const servername of NAMES) expect(await send({ ...to, servername })).toMatchObject({ body: 'ok' });
      await expect(send({ ...to, servername: 'other.akv.svc' })).rejects.toThrow(/does not match/);
      const other = await issue({ name: 'ca', keyType, ca: true });
      await expect(send({ ...to, ca: other.certificate.toString(), servername: 'localhost' })).rejects.toThrow();
      expect(new X509Certificate(keyPair.certificate)).toMatchObject({ ca: false, subjectAltName: expect.any(String) });
    } finally {
      server.close();
    }
  });

  test('is valid for a week, and an hour before now for clocks that are late', async () => {
    mount(caFiles(await authority()));
    clock.time = START + DAY;
    const { keyPair } = await openAuthority();
    expect(keyPair.period).toEqual({ notBefore: clock.time - HOUR, notAfter: clock.time + 7 * DAY });
    expect(Date.parse(new X509Certificate(keyPair.certificate).validTo)).toBe(keyPair.period.notAfter);
  });

  test('is renewed after two thirds of its life, with a new key, and before a clock that was set back', async () => {
    mount(caFiles(await authority()));
    clock.time = START + 100 * DAY;
    const keeper = await openAuthority();
    const first = keeper.keyPair;
    clock.time += 4 * DAY;
    expect(await keeper.check()).toBe(false);
    expect(keeper.keyPair).toBe(first);
    clock.time += DAY;
    expect(await keeper.check()).toBe(true);
    expect(keeper.keyPair.key).not.toBe(first.key);
    expect(keeper.keyPair.period.notAfter).toBe(clock.time + 7 * DAY);
    clock.offBy = -3 * DAY;
    expect(keeper.problem).toMatch(/^the certificate is not valid yet/);
    expect(await keeper.check()).toBe(true);
    expect(keeper.problem).toBeUndefined();
  });

  test('comes from the next authority as soon as the kubelet has written it, with no time without a certificate', async () => {
    const [old, next] = [await authority('old'), await authority('next')];
    mount(caFiles(old));
    const keeper = await openAuthority();
    expect(served(keeper).verify(old.certificate.publicKey)).toBe(true);
    mount(caFiles(next));
    expect(served(keeper).verify(old.certificate.publicKey)).toBe(true);
    expect(await keeper.check()).toBe(true);
    expect(served(keeper).verify(next.certificate.publicKey)).toBe(true);
  });

  test('does not outlive its authority, and says who has to renew that, once a day', async () => {
    mount(caFiles(await authority('ca', 'p-256', 1)));
    const end = START + 365 * DAY;
    clock.time = end - 2 * DAY;
    const keeper = await openAuthority();
    expect(keeper.keyPair.period.notAfter).toBe(end);
    for (let hour = 0; hour < 48; hour++) {
      expect(await keeper.check()).toBe(false);
      clock.time += HOUR;
    }
    expect(told.map(({ message }) => message)).toEqual(Array(2).fill('The certificate of the webhook expires soon'));
    expect(told[0]?.error).toMatch(/run helm upgrade, which renews the authority/);
    expect(keeper.problem).toMatch(
      /^the authority \(ca\.crt\) has expired: 2026-01-01.* to 2027-01-01.*; run helm upgrade/,
    );
  });

  test('is one of two replicas with two keys and one authority', async () => {
    const ca = await authority();
    mount(caFiles(ca));
    const [one, other] = [await openAuthority(), await openAuthority()];
    expect(one.keyPair.key).not.toBe(other.keyPair.key);
    expect(served(one).serialNumber).not.toBe(served(other).serialNumber);
    for (const keeper of [one, other]) expect(served(keeper).verify(ca.certificate.publicKey)).toBe(true);
  });

  test('stays if the next files cannot be used, with one error for each reason', async () => {
    const [ca, other] = [await authority(), await authority('other')];
    mount(caFiles(ca));
    const keeper = await openAuthority();
    const first = keeper.keyPair;
    mount({ ...caFiles(ca), 'ca.key': caFiles(other)['ca.key'] ?? '' });
    for (let minute = 0; minute < 3; minute++) expect(await keeper.check()).toBe(false);
    mount({ ...caFiles(ca), 'ca.crt': 'nothing' });
    expect(await keeper.check()).toBe(false);
    expect(keeper.keyPair).toBe(first);
    expect(told.map(({ error }) => error)).toEqual([
      'ca.crt and ca.key do not belong together; take both from one Secret',
      expect.stringMatching(/ca\.crt holds no PEM certificate; mount the Secret of the chart there$/),
    ]);
  });
});

describe('a certificate from files', () => {
  test('is read again when the files change, and stays if they do not fit', async () => {
    const [first, next] = [await issue({ name: 'localhost' }), await issue({ name: 'localhost' })];
    mount(tlsFiles(first));
    const keeper = await openFiles();
    expect(keeper.keyPair.certificate).toBe(first.certificate.toString());
    expect(await keeper.check()).toBe(false);
    mount({ ...tlsFiles(next), 'tls.key': keyPem(first.key) });
    expect(await keeper.check()).toBe(false);
    expect(told.map(({ error }) => error)).toEqual([
      expect.stringMatching(/tls\.crt and tls\.key: they do not belong together; write a PEM certificate/),
    ]);
    mount(tlsFiles(next));
    expect(await keeper.check()).toBe(true);
    expect(keeper.keyPair.certificate).toBe(next.certificate.toString());
  });

  test('is never renewed here: the log says who has to do it', async () => {
    mount(
      tlsFiles(await issue({ name: 'localhost', notBefore: new Date(START), notAfter: new Date(START + 90 * DAY) })),
    );
    const keeper = await openFiles();
    clock.time = START + 85 * DAY;
    expect(await keeper.check()).toBe(false);
    clock.time = START + 91 * DAY;
    expect(await keeper.check()).toBe(false);
    expect(told.map(({ message }) => message)).toEqual([
      'The certificate of the webhook expires soon',
      'The API server cannot trust the webhook',
    ]);
    expect(keeper.problem).toMatch(/renew the Secret that holds tls\.crt and tls\.key/);
  });

  test.each<[string, () => Promise<void>, RegExp]>([
    ['there are none', async () => {}, /^open .*tls\.crt: no such file or directory; mount the Secret/],
    ['they are no PEM', async () => mount({ 'tls.crt': 'x', 'tls.key': 'y' }), /tls\.crt and tls\.key: .*write a PEM/],
    [
      'they are too large',
      async () => mount({ 'tls.crt': 'x'.repeat(300_000), 'tls.key': 'y' }),
      /tls\.crt: it is larger than 262144 bytes/,
    ],
  ])('is needed at the start, which fails where %s', async (_name, prepare, message) => {
    await prepare();
    await expect(openFiles()).rejects.toThrow(message);
  });
});
