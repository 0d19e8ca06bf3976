import { setImmediate as nextImmediate } from 'node:timers/promises';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { Secret } from '../../src/base/secret.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import { CertificateCache, type ContentSource, digestOf } from '../../src/mount/convert/certificate-cache.ts';
import { convertObjects } from '../../src/mount/convert/convert.ts';
import { MAX_CONTENT_BYTES, readBundle } from '../../src/pki/bundle.ts';
import { PKCS12_FORMS, writePkcs12 } from '../../src/pki/pkcs12-write.ts';
import type { ContentSpec } from '../../src/spc/model.ts';
import {
  convertContext,
  failureOf,
  fetchedSecret,
  keptLog,
  manualClock,
  objectSpec,
  outputsContent,
  read,
  valueContent,
} from '../support/mount.ts';
import { issueChain, keyPem, pemOf } from '../support/pki.ts';

const PFX = { contentType: 'application/x-pkcs12', certificateBacked: true };
const PEM = { contentType: 'application/x-pem-file', certificateBacked: true };
const { leaf, certificates } = await issueChain();
const [own, intermediate, root] = certificates;
if (!own || !intermediate || !root) throw new Error('a short chain');
const pfxWith = (password: string | null) =>
  writePkcs12(
    { key: leaf.key, certificates },
    { ...PKCS12_FORMS.keyVault, password: password === null ? null : new Secret(password), seed: Buffer.from('seed') },
  );
const open = (await pfxWith(null)).toString('base64');
const locked = (await pfxWith('right')).toString('base64');
const pem = keyPem(leaf.key) + pemOf(certificates);
const patient = () => new AbortController().signal;

/** Returns a cache that counts the contents it reads. */
function countedContents(clock = manualClock()) {
  let reads = 0;
  const contents = new CertificateCache(new Sweeper(clock), (...args) => {
    reads++;
    return readBundle(...args);
  });
  return { contents, clock, reads: () => reads };
}

/** Converts objects as one Mount does. Returns the contents of the files. */
async function filesOf(contents: CertificateCache, ...all: Parameters<typeof convertObjects>[0]) {
  const { made } = await convertObjects(all, convertContext({ contents }));
  return made.map(({ file }) => file.contents);
}

const everyOutput = outputsContent([
  { output: 'certificate', path: 'leaf' },
  { output: 'chain', path: 'chain' },
  { output: 'fullChain', path: 'full' },
  { output: 'ca', path: 'ca' },
  { output: 'privateKey', path: 'key' },
  { output: 'combined', path: 'combined' },
  { output: 'pfx', path: 'pfx' },
  { output: 'truststore', path: 'trust' },
  { output: 'der', path: 'der' },
]);

describe('a content that many Mounts want', () => {
  it.each<[string, string, typeof PFX, ContentSpec]>([
    ['a PFX', open, PFX, valueContent('x')],
    ['a PFX in two files', open, PFX, valueContent('x', { split: true })],
    ['a PFX as it is', open, PFX, valueContent('x', { format: 'pfx' })],
    ['a PFX of no certificate', open, { ...PFX, certificateBacked: false }, valueContent('x', { format: 'pem' })],
    ['PEM', pem, PEM, valueContent('x')],
    ['PEM as PFX', pem, PEM, valueContent('x', { format: 'pfx' })],
    ['every output of a PFX', open, PFX, everyOutput],
    ['outputs of a chain', pemOf(certificates), PEM, outputsContent([{ output: 'ca', path: 'x' }], { role: 'chain' })],
  ])('is read once for those at the same time and those after: %s', async (_, value, parts, content) => {
    const { contents, reads } = countedContents();
    const all = [read(objectSpec('c', { content }), fetchedSecret(value, parts))];
    const [first, ...others] = await Promise.all(Array.from({ length: 5 }, () => filesOf(contents, ...all)));
    others.push(await filesOf(contents, ...all));
    for (const other of others) expect(other).toEqual(first);
    expect(first).toEqual(await filesOf(new CertificateCache(new Sweeper(manualClock())), ...all));
    expect(reads()).toBe(1);
  });

  it('is read once though each wants other files of it', async () => {
    const { contents, reads } = countedContents();
    const wants = [valueContent('x'), everyOutput, outputsContent([{ output: 'der', path: 'y' }])];
    for (const content of wants) await filesOf(contents, read(objectSpec('c', { content }), fetchedSecret(open, PFX)));
    expect(reads()).toBe(1);
  });

  it('is read once though it is a certificate object, which comes alone', async () => {
    const { contents, reads } = countedContents();
    const der = { type: 'cert', version: 'v', expiresAt: undefined, der: own.raw } as const;
    for (let i = 0; i < 3; i++) await filesOf(contents, read(objectSpec('c', { type: 'cert' }), der));
    expect(reads()).toBe(1);
  });

  it('is read again after the minute in which its keys stay open only for files that nobody wanted before', async () => {
    const { contents, reads, clock } = countedContents();
    const want = (content: ContentSpec) =>
      filesOf(contents, read(objectSpec('c', { content }), fetchedSecret(open, PFX)));
    await want(valueContent('x'));
    clock.time += 61_000;
    await want(valueContent('x'));
    expect(reads()).toBe(1);
    await want(everyOutput);
    expect(reads()).toBe(2);
  });

  it('is forgotten when no Mount wanted it for ten minutes', async () => {
    const { contents, reads, clock } = countedContents();
    const all = [read(objectSpec('c'), fetchedSecret(open, PFX))];
    for (const minutes of [0, 9, 9, 11]) {
      clock.time += minutes * 60_000;
      await filesOf(contents, ...all);
    }
    expect(reads()).toBe(2);
  });

  it('gives each Mount files of its own', async () => {
    const { contents } = countedContents();
    const all = [read(objectSpec('c', { content: everyOutput }), fetchedSecret(open, PFX))];
    const before = await filesOf(contents, ...all);
    const kept = before.map((file) => file.toString('hex'));
    for (const file of before) file.fill(0);
    expect((await filesOf(contents, ...all)).map((file) => file.toString('hex'))).toEqual(kept);
  });

  it('does not suffer from one Mount that ends while others wait', async () => {
    const { contents, reads } = countedContents();
    const all = [read(objectSpec('c'), fetchedSecret(open, PFX))];
    const ends = new AbortController();
    const first = convertObjects(all, convertContext({ contents, signal: ends.signal }));
    const second = filesOf(contents, ...all);
    first.catch(() => {});
    // Both wait after these turns. Opening a PFX takes about twenty turns.
    for (let turn = 0; turn < 6; turn++) await nextImmediate();
    expect(reads()).toBe(1);
    ends.abort(new Error('the time is over'));
    await expect(first).rejects.toThrow('the time is over');
    expect((await second).toString()).toContain('PRIVATE KEY');
    expect(reads()).toBe(1);
  });

  it('is looked at by the clock of each Mount, though it is not read again', async () => {
    const { contents, reads, clock } = countedContents();
    const { log, lines } = keptLog();
    const counted: string[] = [];
    const telemetry = { ...silentTelemetry, certificateWarning: (reason: string) => counted.push(reason) };
    const context = convertContext({ contents, clock, log, telemetry });
    const all = [read(objectSpec('c'), fetchedSecret(open, PFX))];
    clock.time = Date.parse('2039-12-31T23:59:00Z');
    await convertObjects(all, context);
    expect(counted).toEqual([]);
    clock.time += 2 * 60_000;
    await convertObjects(all, context);
    await convertObjects(all, context);
    expect(counted).toEqual(Array.from({ length: 6 }, () => 'expired'));
    expect(lines).toHaveLength(3);
    expect(reads()).toBe(1);
    const enforced = convertObjects(all, { ...context, certificatePolicy: 'enforce' });
    expect((await failureOf(enforced)).message).toContain('expired on 2040-01-01');
  });
});

describe('contents that are not the same', () => {
  const lockedSource = (password?: string): ContentSource => ({
    value: Buffer.from(locked),
    contentType: PFX.contentType,
    ...(password === undefined ? {} : { password: new Secret(password) }),
  });

  it('are one value with the right password, and with a wrong one or none after it', async () => {
    const { contents } = countedContents();
    const ask = (password?: string) => contents.of(lockedSource(password), patient()).facts();
    expect((await ask('right')).hasKey).toBe(true);
    for (const wrong of ['wrong', '', 'righ', 'right\ud800', undefined]) {
      expect((await failureOf(ask(wrong))).code, `password ${wrong}`).toBe('ERR_BAD_CONTENT');
    }
    expect((await ask('right')).hasKey).toBe(true);
  });

  it('are one value of two content types', async () => {
    const { contents, reads } = countedContents();
    for (const contentType of ['', PFX.contentType]) {
      await contents.of({ value: Buffer.from(open), contentType }, patient()).facts();
    }
    expect(reads()).toBe(2);
  });

  it('are one certificate with different chains lent to it', async () => {
    const { contents } = countedContents();
    const content = outputsContent([{ output: 'fullChain', path: 'x' }], { chainFrom: 1 });
    const lender = objectSpec('lender', { content: outputsContent([], { role: 'chain' }) });
    const fullWith = async (lent: string) =>
      (
        await filesOf(
          contents,
          read(objectSpec('c', { content }), fetchedSecret(keyPem(leaf.key) + own, PEM)),
          read(lender, fetchedSecret(lent)),
        )
      ).toString();
    expect(await fullWith(pemOf([intermediate, root]))).toBe(pemOf([own, intermediate]));
    expect(await fullWith(pemOf([root]))).toBe(pemOf([own]));
  });

  it('are files under two passwords, and of two versions', async () => {
    const { contents } = countedContents();
    const content = outputsContent([{ output: 'pfx', path: 'x', passwordFrom: 1 }]);
    const pfxOf = async (password: string, version: string) => {
      const silent = objectSpec('pw', { content: outputsContent([]) });
      const certificate = fetchedSecret(open, { ...PFX, version });
      const [file] = await filesOf(
        contents,
        read(objectSpec('c', { content }), certificate),
        read(silent, fetchedSecret(password)),
      );
      return file ?? Buffer.alloc(0);
    };
    const files = [await pfxOf('one', 'v1'), await pfxOf('two', 'v1'), await pfxOf('one', 'v2')];
    expect(new Set(files.map((file) => file.toString('hex'))).size).toBe(3);
    await expect(readBundle(files[1] ?? Buffer.alloc(0), { password: new Secret('one') })).rejects.toThrow(
      'does not open',
    );
    expect(await pfxOf('one', 'v1')).toEqual(files[0]);
  });

  it('have digests that differ wherever one text ends and the next begins', () => {
    const lists = [
      ['ab', 'c'],
      ['a', 'bc'],
      ['abc'],
      ['abc', ''],
      ['abc', undefined],
      ['', 'abc'],
      ['\ud800'],
      ['\ufffd'],
    ];
    expect(new Set(lists.map((list) => digestOf(...list))).size).toBe(lists.length);
  });
});

it('prints nothing of what it keeps', async () => {
  const { contents } = countedContents();
  const source = { value: Buffer.from(locked), contentType: '', password: new Secret('right') };
  const content = contents.of(source, patient());
  await content.file('x', async () => 'hunter2');
  const printed = inspect([contents, content], { depth: 10, showHidden: true }) + JSON.stringify([contents, content]);
  for (const text of ['hunter2', Buffer.from('hunter2').toString('hex'), 'right']) expect(printed).not.toContain(text);
});

it('takes no more of a value that is too long than shows it', async () => {
  const seen: number[] = [];
  const contents = new CertificateCache(new Sweeper(systemClock), (value, options) => {
    seen.push(value.length);
    return readBundle(value, options);
  });
  const zeros = '0'.repeat(4 * MAX_CONTENT_BYTES);
  const object = objectSpec('c', { content: outputsContent([{ output: 'certificate', path: 'x' }]) });
  const mount = convertObjects([read(object, fetchedSecret(zeros))], { ...convertContext(), contents });
  await expect(mount).rejects.toThrow(`more than ${MAX_CONTENT_BYTES} bytes`);
  expect(seen).toEqual([MAX_CONTENT_BYTES + 1]);
});
