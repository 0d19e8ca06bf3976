import { createPublicKey } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Item, openWorld, type ParityWorld, seedWith, VAULT } from '../support/parity.ts';
import { issue, newKey, randomOf } from '../support/pki.ts';
import { rounds } from '../support/rounds.ts';

/** The number of mutations of each kind; many more in CI. */
const MUTATED = rounds(60, 400);
const NEVER: readonly status[] = [
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.RESOURCE_EXHAUSTED,
  status.ABORTED,
  status.UNAVAILABLE,
  status.INTERNAL,
];
const VERSION = '0123456789abcdef0123456789abcdef';
const HIDDEN = 'a value that stands in no message';

let world: ParityWorld;
beforeAll(async () => {
  world = await openWorld(seedWith({ vault: '    secrets: [{name: many, value: of-many, versions: 6}]' }));
});
afterAll(() => world.close());

interface Kind {
  readonly object: Item;
  /** The part of a path that selects the response to change. */
  readonly path: string;
  readonly body: unknown;
  /** Returns true if the response, as JSON, may be written as these files. */
  readonly allows: (files: readonly string[], json: unknown) => boolean;
}

type Members = Readonly<Record<string, unknown>>;
const attributes = { enabled: true, created: 1_700_000_000, updated: 1_700_000_000, recoveryLevel: 'Recoverable' };
const idOf = (collection: string, name: string, version = VERSION) =>
  `https://${VAULT}.vault.localhost/${collection}/${name}/${version}`;
const isIdOf = (id: unknown, collection: string, name: string) =>
  typeof id === 'string' && new RegExp(`^https?://[^/]+/${collection}/${name}/[^/]+/*$`, 'i').test(id);

const secretKind: Kind = {
  object: { objectName: 'a', objectType: 'secret' },
  path: '/secrets/a',
  body: { value: HIDDEN, id: idOf('secrets', 'a'), attributes, contentType: 'text/plain', tags: { a: 'b' } },
  allows: ([file], json) => {
    const { value, id } = json as Members;
    return file === value && isIdOf(id, 'secrets', 'a');
  },
};

function keyKind(): Kind {
  const publicKey = createPublicKey(newKey('rsa-2048'));
  const { n, e } = publicKey.export({ format: 'jwk' });
  const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString();
  return {
    object: { objectName: 'k', objectType: 'key' },
    path: '/keys/k',
    body: { key: { kid: idOf('keys', 'k'), kty: 'RSA', key_ops: ['sign'], n, e }, attributes },
    allows: ([file], json) => {
      const key = (json as { key: Members }).key;
      return isIdOf(key.kid, 'keys', 'k') && (key.n !== n || key.e !== e || file === pem);
    },
  };
}

async function certificateKind(): Promise<Kind> {
  const { certificate } = await issue({ name: 'c' });
  const cer = certificate.raw.toString('base64');
  return {
    object: { objectName: 'c', objectType: 'cert' },
    path: '/certificates/c',
    body: { id: idOf('certificates', 'c'), cer, x5t: 'x', attributes, policy: { key_props: { exportable: true } } },
    allows: ([file], json) => {
      const { cer: given, id } = json as Members;
      return isIdOf(id, 'certificates', 'c') && (given !== cer || file?.trim() === certificate.toString().trim());
    },
  };
}

const versionsKind: Kind = {
  object: { objectName: 'many', objectType: 'secret', objectVersionHistory: 3 },
  path: '/secrets/many/versions',
  body: {
    value: [1, 2, 3].map((i) => ({
      id: idOf('secrets', 'many', `${i}`.repeat(32)),
      attributes: { ...attributes, created: i },
    })),
    nextLink: null,
  },
  // Each version is read separately, and these versions do not exist.
  allows: () => false,
};

const WHOLE = ['', ' ', 'null', '[]', '{}', '"text"', '5', '<html><body>Log in</body></html>', '\ufeff{}', '{"value":'];
const TYPES = ['application/json', 'application/json; charset=utf-8', 'text/html', 'application/octet-stream'];
const PARTS = [null, 0, -1, 1e99, true, '', 'x', [], {}, [null], { a: {} }, 'https://x', 'x'.repeat(5000), '../..'];
const IDS = [
  'https://v.vault.localhost/secrets/other/1',
  'https://v.vault.localhost/keys/a/1',
  'https://v.vault.localhost/secrets/a',
  'https://v.vault.localhost/secrets/a/1/2',
  'not a url',
];

/** Returns a changed text, a changed member, or an entirely different response. */
function mutated(body: unknown, random: () => number): string {
  const upTo = (n: number) => Math.floor(random() * n);
  const text = JSON.stringify(body);
  if (random() < 0.1) return WHOLE[upTo(WHOLE.length)] ?? '';
  if (random() < 0.4) {
    const [from, to] = [upTo(text.length), upTo(text.length)].sort((a, b) => a - b) as [number, number];
    const noise = String.fromCharCode(...Array.from({ length: 1 + upTo(4) }, () => upTo(256)));
    if (random() < 0.3) return text.slice(0, to);
    return random() < 0.5 ? text.slice(0, from) + noise + text.slice(from) : text.slice(0, from) + text.slice(to);
  }
  const copy: unknown = JSON.parse(text);
  const holders: Record<string, unknown>[] = [];
  const collect = (value: unknown) => {
    if (typeof value !== 'object' || value === null) return;
    holders.push(value as Record<string, unknown>);
    for (const one of Object.values(value)) collect(one);
  };
  collect(copy);
  const holder = holders[upTo(holders.length)] ?? {};
  const names = Object.keys(holder);
  const name = names[upTo(names.length)] ?? 'x';
  const parts = name === 'id' || name === 'kid' ? [...PARTS, ...IDS, ...IDS] : PARTS;
  if (random() < 0.25) delete holder[name];
  else holder[name] = parts[upTo(parts.length)];
  return JSON.stringify(copy);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

describe('an answer of 200 that was changed on its way', () => {
  it.each<[string, () => Kind | Promise<Kind>, number]>([
    ['a secret', () => secretKind, 1],
    ['a key', keyKind, 2],
    ['a certificate', certificateKind, 3],
    ['a version listing', () => versionsKind, 4],
  ])(
    'to %s is read as it is, or refused with a final code that is not INTERNAL',
    { timeout: 600_000 },
    async (_, kindOf, seed) => {
      const { object, path, body, allows } = await kindOf();
      const random = randomOf(seed);
      for (let i = 0; i < MUTATED; i++) {
        const text = mutated(body, random);
        const headers = { 'content-type': TYPES[i % TYPES.length] ?? '' };
        world.emulator.faults.clear();
        world.emulator.faults.add({ on: 'vault', path, action: { kind: 'answer', status: 200, headers, body: text } });
        const outcome = await world.mount({ objects: [object] });
        if (outcome.kind === 'mounted') {
          const files = outcome.response.files.map(({ contents }) => contents.toString());
          expect(allows(files, jsonOf(text)), text).toBe(true);
        } else {
          expect(NEVER, text).not.toContain(outcome.code);
          expect(outcome.message, text).not.toContain(HIDDEN);
        }
      }
    },
  );
});
