// A program that test/pki/odd-keys.test.ts starts: `node odd-keys.cjs ROUNDS SEED FILE`. It is a separate process,
// because a failed assertion in OpenSSL's callers ends the process. It changes the DER of keys and certificates of all
// kinds, passes them to every reader and writer, and prints the results as JSON. FILE contains the input that it is
// processing.
import { createECDH, generateKeyPairSync, getCurves, hash, type KeyObject } from 'node:crypto';
import { openSync, writeFileSync, writeSync } from 'node:fs';
import { Agents } from '../../src/azure/http/agents.ts';
import { readTrust } from '../../src/azure/http/trust.ts';
import { pemOfClientCertificate } from '../../src/azure/login/modes/client-certificate.ts';
import { ProviderError } from '../../src/base/errors.ts';
import { Secret } from '../../src/base/secret.ts';
import { readBundle } from '../../src/pki/bundle.ts';
import { authoritiesOf, pairKey } from '../../src/pki/certified-key.ts';
import { readAll, readDer, TAG } from '../../src/pki/der.ts';
import { inspectBundle } from '../../src/pki/inspect.ts';
import { publicKeyPemFromJwk } from '../../src/pki/jwk.ts';
import { splitPem, upstreamPem, upstreamPemOfText } from '../../src/pki/official-pem.ts';
import { OUTPUT_KINDS } from '../../src/pki/outputs.ts';
import { writePem } from '../../src/pki/pem.ts';
import { writePkcs12 } from '../../src/pki/pkcs12-write.ts';
import { publicKeyFromPem } from '../../src/pki/public-key.ts';
import { missingFor, writeOutput } from '../../src/pki/write.ts';
import { issue, type KeyType, newKey, randomOf, spki, tlv, withPublicKey } from '../support/pki.ts';

/** Decoded DER, including the content of strings. `prefix` is the octet of unused bits of a BIT STRING. */
interface Node {
  tag: number;
  content: Buffer;
  children: Node[] | undefined;
  prefix: Buffer;
}

/** An input: its PEM label, its tree, and a valid key and certificates for it. */
interface Specimen {
  readonly label: string;
  readonly der: Buffer;
  readonly beside: string;
}

type Random = () => number;

const NO_BYTES = Buffer.alloc(0);
const CURVES = ['prime256v1', 'secp384r1', 'secp521r1', 'secp256k1', 'brainpoolP256r1', 'sect233r1', 'SM2'];
const ISSUED: readonly KeyType[] = ['rsa-2048', 'p-256', 'p-384', 'p-521', 'ed25519'];
/** The identifier of P-256. */
const P256 = '06082a8648ce3d030107';
const SEED = Buffer.from('odd keys');

function parse(bytes: Buffer): Node {
  const { tag, content } = readDer(bytes);
  const bits = tag === TAG.bitString && content[0] === 0;
  const inner = bits ? content.subarray(1) : content;
  const holds = (tag & 0x20) !== 0 || bits || tag === TAG.octetString;
  return { tag, content, children: holds ? childrenIn(inner) : undefined, prefix: bits ? Buffer.alloc(1) : NO_BYTES };
}

/** Returns the elements in `bytes`, or undefined if they do not fill it exactly. */
function childrenIn(bytes: Buffer): Node[] | undefined {
  try {
    const all = readAll(bytes);
    return all.length === 0 || all.some(({ tag }) => tag < 2) ? undefined : all.map(({ raw }) => parse(raw));
  } catch {
    return undefined;
  }
}

function write({ tag, content, children, prefix }: Node): Buffer {
  const body = children === undefined ? content : Buffer.concat([prefix, ...children.map(write)]);
  return tlv(tag, body);
}

function allIn(node: Node): Node[] {
  return [node, ...(node.children ?? []).flatMap(allIn)];
}

function clone(node: Node): Node {
  return { ...node, children: node.children?.map(clone) };
}

function pick<T>(from: readonly T[], random: Random): T {
  const one = from[Math.floor(random() * from.length)];
  if (one === undefined) throw new Error('nothing to pick from');
  return one;
}

/**
 * Returns contents for a number or a point: its own in another size, the bounds of every kind, and points of every
 * form.
 */
function oddContent(content: Buffer, random: Random): Buffer {
  const more = Buffer.alloc(1 + Math.floor(random() * 40), Math.floor(random() * 256));
  return pick(
    [
      () => NO_BYTES,
      () => Buffer.alloc(1),
      () => Buffer.from([1]),
      () => Buffer.from([0xff]),
      () => Buffer.alloc(content.length),
      () => Buffer.alloc(content.length, 0xff),
      () => Buffer.concat([content, more]),
      () => Buffer.concat([more, content]),
      () => content.subarray(0, Math.floor(random() * content.length)),
      () => content.subarray(Math.floor(random() * content.length)),
      () => Buffer.concat([Buffer.from([pick([0, 1, 2, 3, 4, 5, 6, 7, 128], random)]), content.subarray(1)]),
      () =>
        Buffer.concat([
          content.subarray(0, -1),
          Buffer.from([(content.at(-1) ?? 0) ^ (1 + Math.floor(random() * 255))]),
        ]),
      () => Buffer.alloc(pick([33, 57, 66, 67, 500, 2100], random), 0x5a),
      () => Buffer.concat([Buffer.alloc(1 + Math.floor(random() * 3)), content]),
    ],
    random,
  )();
}

/** Changes one place of a tree. `others` supplies parts of other keys. */
function change(root: Node, others: readonly Node[], random: Random): void {
  const nodes = allIn(root);
  const node = pick(nodes, random);
  const other = pick(random() < 0.5 ? nodes : allIn(pick(others, random)), random);
  const copy = clone(other);
  const roll = random();
  if (roll < 0.55) {
    const values = nodes.filter(({ children }) => children === undefined);
    // The long values are numbers and points. Most of the others are names.
    const some = Array.from({ length: random() < 0.5 ? 1 : 4 }, () => pick(values, random));
    const value = some.reduce((a, b) => (b.content.length > a.content.length ? b : a));
    value.content = oddContent(value.content, random);
  } else if (roll < 0.75) Object.assign(node, copy);
  else if (roll < 0.8) node.tag = pick([2, 3, 4, 5, 6, 0x30, 0x31, 0xa0, 0xa1, 0xa3, 0x80, 0x24, 0x23], random);
  else if (node.children !== undefined) {
    if (roll < 0.87) node.children.splice(Math.floor(random() * node.children.length), 1);
    else if (roll < 0.94) node.children.splice(Math.floor(random() * (node.children.length + 1)), 0, copy);
    else node.children.reverse();
  } else node.content = oddContent(node.content, random);
}

function keysOf(): readonly KeyObject[] {
  const ec = CURVES.filter((namedCurve) => getCurves().includes(namedCurve)).flatMap((namedCurve) =>
    (['named', 'explicit'] as const).map(
      (paramEncoding) => generateKeyPairSync('ec', { namedCurve, paramEncoding }).privateKey,
    ),
  );
  const pss = { modulusLength: 2048, hashAlgorithm: 'sha256', mgf1HashAlgorithm: 'sha256' };
  return [
    ...ec,
    newKey('rsa-2048'),
    newKey('rsa-1024'),
    generateKeyPairSync('rsa-pss', pss).privateKey,
    newKey('rsa-pss'),
    generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 }).privateKey,
    newKey('ed25519'),
    generateKeyPairSync('ed448').privateKey,
    generateKeyPairSync('x25519').privateKey,
    generateKeyPairSync('x448').privateKey,
  ];
}

/** Returns SEC 1 without public part and with a compressed point, as Java and other programs write it. */
function ecForms(): readonly Buffer[] {
  const ecdh = createECDH('prime256v1');
  ecdh.generateKeys();
  const start = [tlv(TAG.integer, '01'), tlv(TAG.octetString, ecdh.getPrivateKey()), tlv(TAG.context(0), P256)];
  const point = tlv(TAG.context(1), tlv(TAG.bitString, '00', ecdh.getPublicKey(null, 'compressed')));
  return [tlv(TAG.sequence, ...start), tlv(TAG.sequence, ...start, point)];
}

async function specimens(): Promise<readonly Specimen[]> {
  const keys = keysOf();
  const issued = await Promise.all(ISSUED.map((keyType) => issue({ name: 'odd.example', keyType })));
  const [root] = issued;
  if (root === undefined) throw new Error('nothing issued');
  const all: Specimen[] = [];
  for (const key of [...keys, ...issued.map((one) => one.key)]) {
    const certificate = withPublicKey(root.certificate, spki(key));
    const der = key.export({ format: 'der', type: 'pkcs8' });
    all.push({ label: 'PRIVATE KEY', der, beside: writePem('CERTIFICATE', certificate) });
    all.push({ label: 'CERTIFICATE', der: certificate, beside: writePem('PRIVATE KEY', der) });
    all.push({ label: 'PUBLIC KEY', der: spki(key), beside: '' });
    const old = key.asymmetricKeyType === 'ec' ? 'sec1' : key.asymmetricKeyType === 'rsa' ? 'pkcs1' : undefined;
    if (old !== undefined)
      all.push({ label: 'EC PRIVATE KEY', der: key.export({ format: 'der', type: old }), beside: '' });
  }
  for (const der of ecForms()) all.push({ label: 'EC PRIVATE KEY', der, beside: '' });
  for (const { certificate, key } of issued) {
    const beside = writePem('PRIVATE KEY', key.export({ format: 'der', type: 'pkcs8' }));
    all.push({ label: 'CERTIFICATE', der: certificate.raw, beside });
    const leaf = await issue({ name: 'leaf.example', keyType: 'p-256', issuer: { certificate, key } });
    all.push({ label: 'CERTIFICATE', der: leaf.certificate.raw, beside: certificate.toString() });
    all.push({ label: 'CERTIFICATE', der: certificate.raw, beside: leaf.certificate.toString() });
    const material = await pairKey({ keys: [key], certificates: [certificate] });
    const pfx = await writeOutput('pfx', material, { seed: SEED });
    const open = { password: null, keyCipher: 'none', certificateCipher: 'none', mac: 'none', iterations: 1 } as const;
    const bare = await writePkcs12({ key, certificates: [leaf.certificate, certificate] }, { ...open, seed: SEED });
    for (const der of [pfx, bare]) all.push({ label: 'PKCS12', der, beside: '' });
  }
  return all;
}

/** Returns the results of everything that the program does with a content, as one text. */
async function outcomeOf(text: string, heavy: boolean): Promise<string> {
  const bundle = await readBundle(Buffer.from(text, 'latin1'));
  const inspection = await inspectBundle(bundle, { now: Date.UTC(2026, 0) });
  const content = { bundle, material: await pairKey(bundle) };
  const parts = [JSON.stringify(inspection), upstreamPem(content, true), upstreamPemOfText(text, content, true)];
  for (const material of [content.material, await authoritiesOf(bundle)]) {
    for (const output of OUTPUT_KINDS) {
      const slow = output === 'pfx' || output === 'truststore';
      if (missingFor(output, material) !== undefined || (slow && !heavy)) continue;
      parts.push((await writeOutput(output, material, { seed: SEED })).toString('base64'));
    }
  }
  return parts.join('\n');
}

/**
 * Returns the result of a job, or its message if it is refused. Any error but ERR_BAD_CONTENT is a defect of the
 * program.
 */
async function refusalOr(job: () => Promise<string> | string): Promise<string> {
  try {
    return `good ${hash('sha256', await job())}`;
  } catch (error) {
    if (error instanceof ProviderError && error.code === 'ERR_BAD_CONTENT') return `refused ${error.message}`;
    throw error;
  }
}

async function attempt(pem: string, number: Buffer, heavy: boolean): Promise<readonly string[]> {
  const x = number.toString('base64url');
  return [
    await refusalOr(() => outcomeOf(pem, heavy)),
    await refusalOr(() => Object.values(splitPem(pem)).join('')),
    await refusalOr(async () => (await pemOfClientCertificate(new Secret(pem), undefined)).reveal()),
    await refusalOr(() => publicKeyFromPem(pem).asymmetricKeyType ?? ''),
    await refusalOr(() => publicKeyPemFromJwk({ kty: 'RSA', n: x, e: 'AQAB' })),
    await refusalOr(() => publicKeyPemFromJwk({ kty: 'EC', crv: 'P-256', x, y: x })),
  ];
}

/** Checks that odd certificates among the trusted ones do not end the process. */
async function trust(certFile: string, pems: readonly string[]): Promise<void> {
  writeFileSync(certFile, pems.join(''));
  const agents = new Agents(await readTrust({ certFile, certDir: undefined, extraCaFile: undefined }));
  agents.warmUp();
  agents.close();
}

async function main([rounds, seed, file = '']: readonly string[]): Promise<void> {
  const random = randomOf(Number(seed));
  const all = await specimens();
  const trees = all.map(({ der }) => parse(der));
  const current = openSync(file, 'w');
  const counts = { good: 0, refused: 0, different: 0 };
  const certificates: string[] = [];
  for (let round = 0; round < Number(rounds); round++) {
    const { label, der, beside } = pick(all, random);
    const tree = parse(der);
    for (let changes = 1 + Math.floor(random() * 2); changes > 0; changes--) change(tree, trees, random);
    const odd = write(tree);
    const pem = writePem(label, odd) + (random() < 0.5 ? beside : '');
    writeSync(current, pem.padEnd(40_000), 0, 'latin1');
    if (label === 'CERTIFICATE' && certificates.length < 50) certificates.push(writePem(label, odd));
    const number = pick(allIn(tree), random).content;
    const heavy = round % 10 === 0;
    const first = await attempt(pem, number, heavy);
    const second = await attempt(pem, number, heavy);
    if (first.join() !== second.join()) counts.different++;
    counts[first[0]?.startsWith('good') ? 'good' : 'refused']++;
  }
  await trust(`${file}.ca`, certificates);
  process.stdout.write(JSON.stringify(counts));
}

await main(process.argv.slice(2));
