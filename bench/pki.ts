/**
 * Measures the cost of certificates: the time per PFX of each kind, and the longest block of the event loop while 100
 * are parsed in parallel, compared with node-forge on the main thread. Prints ratios and asserts nothing.
 */
import type { KeyObject, X509Certificate } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { setImmediate as nextImmediate } from 'node:timers/promises';
import forge from 'node-forge';
import { Secret } from '../src/base/secret.ts';
import { readBundle } from '../src/pki/bundle.ts';
import { pairKey } from '../src/pki/certified-key.ts';
import { PKCS12_FORMS, writePkcs12 } from '../src/pki/pkcs12-write.ts';
import { issueChain, randomOf } from '../test/support/pki.ts';

const PARALLEL = 100;
const MUTATIONS = 10_000;
const PASSWORD = 'password';

interface Kind {
  readonly name: string;
  readonly pfx: Buffer;
}

interface Contents {
  readonly key: KeyObject;
  readonly certificates: readonly X509Certificate[];
}

async function kindsOf(contents: Contents, keyName: string): Promise<readonly Kind[]> {
  const seed = Buffer.from('bench');
  const password = new Secret(PASSWORD);
  const forms = {
    'AES-256, SHA-256': PKCS12_FORMS.modern,
    '3DES, SHA-1': PKCS12_FORMS.legacy,
    'Key Vault (3DES, RC2-40)': PKCS12_FORMS.keyVault,
    'AES-256, 10,000 iterations': { ...PKCS12_FORMS.modern, iterations: 10_000 },
  };
  return Promise.all(
    Object.entries(forms).map(async ([name, form]) => ({
      name: `${keyName}, ${name}`,
      pfx: await writePkcs12(contents, { ...form, password, seed }),
    })),
  );
}

async function readHere(pfx: Buffer): Promise<void> {
  await pairKey(await readBundle(pfx, { password: new Secret(PASSWORD) }));
}

async function readByForge(pfx: Buffer): Promise<void> {
  forge.pkcs12.pkcs12FromAsn1(forge.asn1.fromDer(pfx.toString('latin1')), PASSWORD);
}

/** Returns the median time of a read, in milliseconds. */
async function timeOf(read: (pfx: Buffer) => Promise<void>, pfx: Buffer): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 15; i++) {
    const start = performance.now();
    await read(pfx);
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[7] ?? 0;
}

/** Returns the run with the shortest block. Work of other processes makes blocks longer. */
async function blockOf(job: () => Promise<unknown>, runs: number): Promise<{ total: number; block: number }> {
  let best = await blockOnce(job);
  for (let i = 1; i < runs; i++) {
    const next = await blockOnce(job);
    if (next.block < best.block) best = next;
  }
  return best;
}

/** Returns the total time and the longest block of the event loop while `job` runs, in milliseconds. */
async function blockOnce(job: () => Promise<unknown>): Promise<{ total: number; block: number }> {
  let block = 0;
  let last = performance.now();
  const beat = () => {
    const now = performance.now();
    block = Math.max(block, now - last);
    last = now;
    timer = setImmediate(beat);
  };
  let timer = setImmediate(beat);
  const start = performance.now();
  await job();
  const total = performance.now() - start;
  await nextImmediate();
  clearImmediate(timer);
  return { total, block };
}

function mutations(pfx: Buffer): readonly Buffer[] {
  const random = randomOf(1);
  return Array.from({ length: MUTATIONS }, () => {
    const bytes = Buffer.from(pfx);
    for (let i = 0; i < 1 + Math.floor(random() * 4); i++) {
      bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    }
    return bytes;
  });
}

const ms = (value: number) => `${value.toFixed(1)} ms`.padStart(11);

async function main(): Promise<void> {
  const rsa = await issueChain({ keyType: 'rsa-2048' });
  const ec = await issueChain({ keyType: 'p-256' });
  const kinds = [
    ...(await kindsOf({ key: rsa.leaf.key, certificates: rsa.certificates }, 'RSA 2048')),
    ...(await kindsOf({ key: ec.leaf.key, certificates: ec.certificates }, 'EC P-256')),
  ];
  console.log('Time per PFX of key and three certificates (median)');
  console.log(`${''.padEnd(40)}${'here'.padStart(11)}${'node-forge'.padStart(11)}  ratio`);
  for (const { name, pfx } of kinds) {
    const [own, theirs] = [await timeOf(readHere, pfx), await timeOf(readByForge, pfx)];
    console.log(`${name.padEnd(40)}${ms(own)}${ms(theirs)}  ${(theirs / own).toFixed(1)}x`);
  }
  console.log(`\nLongest block of the event loop while ${PARALLEL} are parsed in parallel, and total time`);
  for (const { name, pfx } of kinds) {
    const all = (read: (content: Buffer) => Promise<void>) => () =>
      Promise.all(Array.from({ length: PARALLEL }, () => read(pfx)));
    const own = await blockOf(all(readHere), 3);
    const theirs = await blockOf(all(readByForge), 1);
    const ratio = `${(theirs.block / own.block).toFixed(0)}x`;
    console.log(
      `${name.padEnd(40)}${ms(own.block)}${ms(theirs.block)}  ${ratio} (${ms(own.total)},${ms(theirs.total)})`,
    );
  }
  const [, , keyVault] = kinds;
  if (keyVault === undefined) return;
  const damaged = mutations(keyVault.pfx);
  const readAll = async () => {
    for (let i = 0; i < MUTATIONS; i += PARALLEL) {
      await Promise.allSettled(damaged.slice(i, i + PARALLEL).map(readHere));
    }
  };
  const { total, block } = await blockOf(readAll, 3);
  console.log(
    `\n${MUTATIONS} damaged PFX files, ${PARALLEL} in parallel: longest block${ms(block)}, total${ms(total)}`,
  );
}

await main();
