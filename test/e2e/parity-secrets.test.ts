import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest';
import { checkRow, openWorld, type ParityWorld, type Row, seedWith, VAULT } from '../support/parity.ts';
import { issueChain, keyPem, pemOf } from '../support/pki.ts';

const { FAILED_PRECONDITION, UNKNOWN, INVALID_ARGUMENT } = status;
const chain = await issueChain();
const pem = keyPem(chain.leaf.key) + pemOf(chain.certificates);

let world: ParityWorld;
beforeAll(async () => {
  world = await openWorld(seedWith());
});
afterEach(() => world.emulator.faults.clear());
afterAll(() => world.close());

const set = (name: string, value: string, options: { version?: string; contentType?: string } = {}) => ({
  given: ({ emulator }: ParityWorld) => emulator.setSecret(VAULT, name, value, options),
});
const secret = (objectName: string, more: object = {}) => ({ objectName, objectType: 'secret', ...more });

/** Returns a row about a secret that is written unchanged. */
const asItIs = (fact: string, value: string, contentType?: string): Row => {
  const name = fact.replace(/[^a-z0-9]+/gi, '-');
  return {
    fact: `a secret is written as it is: ${fact}`,
    ...set(name, value, contentType === undefined ? {} : { contentType }),
    objects: [secret(name)],
    files: { [name]: Buffer.from(value) },
  };
};

const PLAIN: readonly Row[] = [
  asItIs('one line', 'hunter2'),
  asItIs('several lines', 'first\nsecond\n\nlast'),
  asItIs('a final newline', 'text\n'),
  asItIs('Windows line ends', 'first\r\nsecond\r\n'),
  asItIs('nothing at all', ''),
  asItIs('white space only', ' \t '),
  asItIs('white space around', '  padded  '),
  asItIs('letters of all the world', 'Pässwörd 密碼 🔑'),
  asItIs('control characters', '\u0001\u0000\u007f'),
  asItIs('JSON', '{"user":"a","password":"b"}', 'application/json'),
  asItIs('base64 of something', 'aGVsbG8='),
  asItIs('25 kilobytes', 'x'.repeat(25 * 1024)),
  asItIs('PEM without a certificate behind it', pem, 'application/x-pem-file'),
  asItIs('a content type of its own', 'v', 'application/x-anything'),
  {
    fact: 'the version is the last part of the id, and the id names type and object',
    ...set('with-version', 'v', { version: '0123456789abcdef0123456789abcdef' }),
    objects: [secret('with-version')],
    files: { 'with-version': 'v' },
    versions: ['secret/with-version 0123456789abcdef0123456789abcdef'],
  },
  {
    fact: 'a version is read by its id, the current one being another',
    given: ({ emulator }) => {
      emulator.setSecret(VAULT, 'pinned', 'old', { version: 'a'.repeat(32) });
      emulator.setSecret(VAULT, 'pinned', 'new', { version: 'b'.repeat(32) });
    },
    objects: [secret('pinned', { objectVersion: 'a'.repeat(32) })],
    files: { pinned: 'old' },
    versions: [`secret/pinned ${'a'.repeat(32)}`],
  },
  ...['latest', '', '  ', 'LATEST'].map(
    (objectVersion): Row => ({
      fact: `objectVersion ${JSON.stringify(objectVersion)} is the current version`,
      given: ({ emulator }) => {
        emulator.setSecret(VAULT, 'current', 'old', { version: 'a'.repeat(32) });
        emulator.setSecret(VAULT, 'current', 'new', { version: 'b'.repeat(32) });
      },
      objects: [secret('current', { objectVersion })],
      files: { current: 'new' },
      versions: [`secret/current ${'b'.repeat(32)}`],
    }),
  ),
  {
    fact: 'one secret under two aliases is read once and written twice, each with a row of its own',
    ...set('shared', 'v'),
    objects: [secret('shared', { objectAlias: 'one' }), secret('shared', { objectAlias: 'two' })],
    files: { one: 'v', two: 'v' },
    versions: ['secret/shared *', 'secret/shared *'],
    vaultRequests: 1,
  },
  {
    fact: 'secret, key and certificate of one name are three objects',
    given: ({ emulator }) => emulator.createCertificate(VAULT, 'trio'),
    objects: [
      { objectName: 'trio', objectType: 'cert', objectAlias: 'c' },
      { objectName: 'trio', objectType: 'key', objectAlias: 'k' },
      { objectName: 'trio', objectType: 'secret', objectAlias: 's' },
    ],
    files: { c: /^-----BEGIN CERTIFICATE/, k: /^-----BEGIN PUBLIC KEY/, s: /^-----BEGIN PRIVATE KEY/ },
    versions: ['cert/trio *', 'key/trio *', 'secret/trio *'],
  },
];

const text = (encoding: string, value: string, contents: string | Buffer): Row => ({
  fact: `objectEncoding ${encoding} of ${JSON.stringify(value.slice(0, 24))}`,
  ...set('encoded', value),
  objects: [secret('encoded', { objectEncoding: encoding })],
  files: { encoded: contents },
});
const refusedText = (encoding: string, value: string, ...says: (string | RegExp)[]): Row => ({
  fact: `objectEncoding ${encoding} refuses ${JSON.stringify(value)}, naming the object and where`,
  ...set('badly-encoded', value),
  objects: [secret('badly-encoded', { objectEncoding: encoding })],
  fails: {
    code: FAILED_PRECONDITION,
    says: ['objectType:secret, objectName:badly-encoded, objectVersion:', ...says],
  },
});

const ENCODINGS: readonly Row[] = [
  text('utf-8', 'grüße', 'grüße'),
  text('UTF-8', 'aGVsbG8=', 'aGVsbG8='),
  text('base64', 'aGVsbG8=', 'hello'),
  text('Base64', 'AP//gA==', Buffer.from([0, 255, 255, 128])),
  text('base64', 'aGVs\r\nbG8=\n', 'hello'),
  text('base64', '', ''),
  text('hex', '68656C6c6f', 'hello'),
  text('HEX', '00ff80', Buffer.from([0, 255, 128])),
  text('hex', '', ''),
  refusedText('base64', 'aGVsbG8', 'illegal base64 data at input byte 4'),
  refusedText('base64', 'aGVs bG8=', 'illegal base64 data at input byte 4'),
  refusedText('base64', 'aGVs_G8=', 'illegal base64 data at input byte 4'),
  refusedText('base64', '!', 'illegal base64 data at input byte 0'),
  refusedText('base64', 'aGVsbG8=x', 'illegal base64 data'),
  refusedText('hex', '68656', 'encoding/hex: odd length hex string'),
  refusedText('hex', '68 65', 'encoding/hex: invalid byte at offset 2'),
  refusedText('hex', 'zz', 'encoding/hex: invalid byte at offset 0'),
];

const removing = (name: string, field: string, more: object = {}): Pick<Row, 'given' | 'objects'> => ({
  given: ({ emulator }) => {
    emulator.setSecret(VAULT, name, 'v');
    emulator.faults.add({ on: 'vault', object: name, action: { kind: 'edit', remove: [field] } });
  },
  objects: [secret(name, more)],
});

const MISSING: readonly Row[] = [
  {
    fact: 'an answer without value is an error naming object and field',
    ...removing('no-value', 'value'),
    fails: { code: UNKNOWN, says: ['secret value is nil', 'objectName:no-value', '"value"'] },
  },
  {
    fact: 'an answer without id is an error naming object and field',
    ...removing('no-id', 'id'),
    fails: { code: UNKNOWN, says: ['secret id is nil', 'objectName:no-id', '"id"'] },
  },
  { fact: 'attributes need not be there', ...removing('no-attributes', 'attributes'), files: { 'no-attributes': 'v' } },
  { fact: 'a plain secret needs no content type', ...removing('bare', 'contentType'), files: { bare: 'v' } },
  {
    fact: 'one failure fails all, and every failed object is named',
    given: ({ emulator }) => emulator.setSecret(VAULT, 'good', 'aGVsbG8='),
    objects: [
      secret('good'),
      secret('absent-one'),
      secret('good', { objectAlias: 'x', objectEncoding: 'base64' }),
      { objectName: 'absent-two', objectType: 'key' },
    ],
    fails: { code: status.NOT_FOUND, says: ['objectName:absent-one', 'objectName:absent-two', /2 of 4 objects/] },
  },
  {
    fact: 'several contents that cannot be decoded are all named',
    given: ({ emulator }) => {
      emulator.setSecret(VAULT, 'bad-a', '!!');
      emulator.setSecret(VAULT, 'bad-b', '??');
    },
    objects: [secret('bad-a', { objectEncoding: 'base64' }), secret('bad-b', { objectEncoding: 'hex' })],
    fails: { code: FAILED_PRECONDITION, says: ['objectName:bad-a', 'objectName:bad-b'] },
  },
  {
    fact: 'objectEncoding is for secrets only, and says so before any call',
    objects: [{ objectName: 'k', objectType: 'key', objectEncoding: 'hex' }],
    vaultRequests: 0,
    fails: { code: INVALID_ARGUMENT, says: ['objectEncoding only supported for objectType: secret'] },
  },
];

describe('plain secrets', () => {
  it.each(PLAIN)('$fact', (row) => checkRow(world, row));
});

describe('objectEncoding', () => {
  it.each(ENCODINGS)('$fact', (row) => checkRow(world, row));
});

describe('what is missing', () => {
  it.each(MISSING)('$fact', (row) => checkRow(world, row));
});
