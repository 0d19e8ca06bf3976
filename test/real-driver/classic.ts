// Twenty objects in the classic form of parameters, with the expected files. volumes.ci.test.ts mounts them.
import { randomBytes } from 'node:crypto';
import { TENANT, VAULT } from '../../src/cli/demo/fixtures.ts';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { objectsText } from '../support/parity.ts';
import { WORKLOAD_CLIENT } from './node.ts';

/** The expected content of a volume. */
export interface Expected {
  readonly parameters: Readonly<Record<string, string>>;
  /** Octal permission bits of every file, by its path. */
  readonly modes: Readonly<Record<string, string>>;
  /** Contents of the files that are copies of values. The other files contain keys and certificates. */
  readonly contents: Readonly<Record<string, Buffer>>;
  /** Objects in the status, sorted by id. */
  readonly objects: readonly { readonly id: string; readonly version: string }[];
}

/** Returns `spec.parameters` for objects that the pod's identity may read. */
export function classicParameters(items: readonly Readonly<Record<string, unknown>>[]): Record<string, string> {
  return { keyvaultName: VAULT, tenantID: TENANT, clientID: WORKLOAD_CLIENT, objects: objectsText(items) };
}

type SecretRow = readonly [
  name: string,
  alias: string,
  mode: string,
  value: Buffer,
  item?: Readonly<Record<string, string>>,
];

const text = (value: string) => Buffer.from(value);

/** Secrets that are written to one file each, unchanged or decoded. */
const SECRETS: readonly SecretRow[] = [
  ['plain', '', '644', text('s3cret')],
  ['in-folders', 'app/db/password', '400', text('deep down')],
  ['utf8', 'ключи/пароль.txt', '444', text('grün – 秘密 🔑')],
  ['mode-0600', 'mode-0600.txt', '600', text('for root')],
  ['mode-0640', 'app/mode-0640.txt', '640', text('for a group')],
  ['base64', 'bytes/base64.bin', '644', randomBytes(300), { objectEncoding: 'base64' }],
  ['hex', 'bytes/hex.bin', '644', randomBytes(300), { objectEncoding: 'hex' }],
  ['lines', 'app/lines.conf', '644', text('a = 1\n\n# b\r\nc = 3\n')],
  ['large', 'large.txt', '644', text('0123456789abcdef'.repeat(1500))],
  ['hidden', '.hidden', '644', text('dot')],
  ['spaces', 'with spaces and $signs.txt', '644', text(' x ')],
];

/** Adds the objects to the vault and returns the expected content of the volume. */
export async function fillVault(emulator: Emulator): Promise<Expected> {
  const secret = (name: string, value: string) => emulator.setSecret(VAULT, name, value);
  const plain = SECRETS.map(([name, alias, mode, value, item = {}]) => {
    const encoding = (item.objectEncoding ?? 'utf8') as BufferEncoding;
    const version = secret(name, value.toString(encoding));
    const permission = mode === '644' ? {} : { filePermission: `0${mode}` };
    const named = alias === '' ? {} : { objectAlias: alias };
    return {
      item: { objectName: name, objectType: 'secret', ...named, ...permission, ...item },
      path: alias || name,
      mode,
      value,
      object: { id: `secret/${name}`, version },
    };
  });
  const pinned = secret('pinned', 'old');
  secret('pinned', 'new');
  const history = ['first', 'second'].map((value, created) => emulator.setSecret(VAULT, 'history', value, { created }));
  const rsa = { issuer: 'demo-intermediate', subject: 'CN=web', key: { kty: 'RSA' } } as const;
  const web = await emulator.createCertificate(VAULT, 'web', { ...rsa, contentType: 'application/x-pkcs12' });
  const store = await emulator.createCertificate(VAULT, 'store', { ...rsa, contentType: 'application/x-pkcs12' });
  const curve = { issuer: 'demo-intermediate', subject: 'CN=curve', key: { kty: 'EC' } } as const;
  const ec = await emulator.createCertificate(VAULT, 'curve', { ...curve, contentType: 'application/x-pem-file' });
  const rsaKey = await emulator.createKey(VAULT, 'rsa-key', { kty: 'RSA' });
  const ecKey = await emulator.createKey(VAULT, 'ec-key', { kty: 'EC', crv: 'P-384' });
  const items = [
    ...plain.map(({ item }) => item),
    { objectName: 'pinned', objectType: 'secret', objectVersion: pinned },
    { objectName: 'history', objectType: 'secret', objectVersionHistory: 2 },
    { objectName: 'web', objectType: 'secret', objectAlias: 'tls/web.pem', filePermission: '0600' },
    { objectName: 'web', objectType: 'cert', objectAlias: 'tls/web.crt' },
    { objectName: 'web', objectType: 'key', objectAlias: 'tls/web.pub' },
    {
      objectName: 'store',
      objectType: 'secret',
      objectAlias: 'tls/store.pfx',
      objectFormat: 'pfx',
      objectEncoding: 'base64',
    },
    { objectName: 'curve', objectType: 'secret', objectAlias: 'tls/curve.pem' },
    { objectName: 'rsa-key', objectType: 'key' },
    { objectName: 'ec-key', objectType: 'key' },
  ];
  const objects = [
    ...plain.map(({ object }) => object),
    { id: 'secret/pinned', version: pinned },
    ...history.toReversed().map((version, i) => ({ id: `secret/history/${i}`, version })),
    ...['secret/web', 'cert/web', 'key/web'].map((id) => ({ id, version: web })),
    { id: 'secret/store', version: store },
    { id: 'secret/curve', version: ec },
    { id: 'key/rsa-key', version: rsaKey },
    { id: 'key/ec-key', version: ecKey },
  ];
  return {
    parameters: classicParameters(items),
    modes: {
      ...Object.fromEntries(plain.map(({ path, mode }) => [path, mode])),
      pinned: '644',
      'history/0': '644',
      'history/1': '644',
      'tls/web.pem': '600',
      'tls/web.crt': '644',
      'tls/web.pub': '644',
      'tls/store.pfx': '644',
      'tls/curve.pem': '644',
      'rsa-key': '644',
      'ec-key': '644',
    },
    contents: {
      ...Object.fromEntries(plain.map(({ path, value }) => [path, value])),
      pinned: text('old'),
      'history/0': text('second'),
      'history/1': text('first'),
      'tls/store.pfx': Buffer.from(emulator.currentSecret(VAULT, 'store').value.reveal(), 'base64'),
    },
    objects: objects.sort((a, b) => (a.id < b.id ? -1 : 1)),
  };
}
