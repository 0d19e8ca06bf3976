import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Agents } from '../../src/azure/http/agents.ts';
import { createTransport } from '../../src/azure/http/transport.ts';
import { IssuerKeys, type KnownIssuer } from '../../src/azure/login/issuer-keys.ts';
import { DOCUMENT_BOUNDS } from '../../src/azure/login/openid-documents.ts';
import { type LogFields, silentLogger } from '../../src/base/log.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import type { Emulator } from '../../src/emulator/emulator.ts';
import type { Faults } from '../../src/emulator/host/faults.ts';
import { reader, SUBJECT } from '../support/azure.ts';
import { type ManualClock, manualClock } from '../support/clocks.ts';
import { openLab, seedWith } from '../support/emulator.ts';
import { sharedKey } from '../support/pki.ts';
import { podClaims, podIdentity, podToken, publicJwkOf } from '../support/pod-tokens.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const MAX_STALE = 2 * HOUR;
/** A day more. */
const KEEP = 26 * HOUR;
/** A bound of time that no request reaches: on a loaded machine, time would end requests or send them twice. */
const NEVER_MS = HOUR;
const AUDIENCE = 'api://AzureADTokenExchange';
const UNKNOWN_ISSUER = 'no login with a token of its issuer has succeeded on this node';
const CONFIGURATION = '/.well-known/openid-configuration';
const rsa = sharedKey('rsa-2048', 'cluster');

type Answer = Extract<Parameters<Faults['add']>[0]['action'], { kind: 'answer' }>;

let emulator: Emulator;
let agents: Agents;
let clock: ManualClock;
let keys: IssuerKeys;
/** Counts the issuers of `keys`. */
let sweeper: Sweeper;
let lines: { message: string; fields: LogFields }[];
let kept: KnownIssuer[];
let dropped: string[];
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  clock = manualClock();
  const lab = await openLab(seedWith(''), { clock });
  emulator = lab.emulator;
  agents = new Agents([emulator.caPem], { connectTimeoutMs: NEVER_MS });
  closers.push(() => agents.close(), lab.close);
});
beforeEach(() => {
  clock.offBy = 0;
  kept = [];
  dropped = [];
  keys = issuerKeys();
  emulator.requests.clear();
});
afterEach(() => emulator.faults.clear());
afterAll(async () => {
  for (const close of closers) await close();
});

function issuerKeys(): IssuerKeys {
  // What an earlier test left under way has lines of its own.
  const own: typeof lines = [];
  lines = own;
  const note = (message: string, fields: LogFields = {}) => own.push({ message, fields });
  const log = { ...silentLogger, info: note, detail: note };
  const witness = {
    kept: (issuer: KnownIssuer) => void kept.push(issuer),
    dropped: (issuer: string) => void dropped.push(issuer),
  };
  const client = createTransport({
    agents,
    userAgent: 'test',
    ...DOCUMENT_BOUNDS,
    timeoutMs: NEVER_MS,
    keptTimeoutMs: NEVER_MS,
    hedgeMs: NEVER_MS,
  });
  sweeper = new Sweeper(clock);
  return new IssuerKeys({ client, log, sweeper, maxStaleMs: MAX_STALE, witness });
}

function token(change: { subject?: string; issuer?: string; expiresInSeconds?: number; audience?: string } = {}) {
  return emulator.issueServiceAccountToken({ subject: SUBJECT, audience: AUDIENCE, ...change });
}

/** A login with a token of the cluster has succeeded, and the keys of its issuer are read. */
async function accept(identity = podIdentity(token()), count = 1): Promise<void> {
  const before = lines.length;
  keys.accepted(identity, 'prod');
  await expect.poll(() => lines.length).toBe(before + count);
}

function verify(text = token()): Promise<boolean> {
  return keys.verify(podIdentity(text), clock.wall());
}

/** What the issuer was asked for. */
function asked(): readonly string[] {
  return emulator.requests.filter(({ kind }) => kind === 'issuer').map(({ path }) => path);
}

/** Puts a document of the test in place of the issuer's. */
function publish(path: string, answer: Partial<Answer>): void {
  emulator.faults.add({ on: 'issuer', path, action: { kind: 'answer', status: 200, ...answer } });
}

describe('the keys of an accepted issuer', () => {
  it('verify a token that no login service has seen, without asking anybody', async () => {
    await accept();
    expect(asked()).toEqual([CONFIGURATION, '/openid/v1/jwks']);
    emulator.faults.add({ on: 'issuer', action: { kind: 'drop' } });
    expect(await verify()).toBe(true);
    expect(asked()).toHaveLength(2);
  });

  it('verify the token of another subject too: what it opens hangs on its principal', async () => {
    await accept();
    expect(await verify(token({ subject: 'system:serviceaccount:other:x' }))).toBe(true);
  });

  it('verify a token for the token proxy of identity binding by its own audience only', async () => {
    await accept();
    const binding = (text: string) => keys.verify({ ...podIdentity(text), kind: 'identity-binding' }, clock.wall());
    expect(await binding(token({ audience: 'api://AKSIdentityBinding' }))).toBe(true);
    expect(await binding(token())).toBe(false);
    expect(await verify(token({ audience: 'api://AKSIdentityBinding' }))).toBe(false);
  });

  it.each<[string, () => string, string]>([
    ['expired', () => token({ expiresInSeconds: -60 }), 'it has expired'],
    ['of an issuer that was never accepted', () => token({ issuer: 'https://elsewhere.example' }), UNKNOWN_ISSUER],
    [
      'of an issuer that differs by a slash',
      () => token({ issuer: `${emulator.serviceAccountIssuer}/` }),
      UNKNOWN_ISSUER,
    ],
    [
      'of an issuer in other case',
      () => token({ issuer: emulator.serviceAccountIssuer.toUpperCase() }),
      UNKNOWN_ISSUER,
    ],
    ['for another audience', () => token({ audience: 'api://elsewhere' }), 'it is for another audience'],
    [
      'of a key that is not published',
      () => podToken({ key: rsa, claims: podClaims(emulator.serviceAccountIssuer, clock.wall()) }),
      'its issuer published no key of its key ID and algorithm',
    ],
    ['with a cut signature', () => token().slice(0, -2), 'its signature is not one of its issuer'],
  ])('do not verify a token %s', async (_, text, detail) => {
    await accept();
    expect(await verify(text())).toBe(false);
    expect(lines.at(-1)?.message).toBe('A service-account token was not verified offline');
    expect(lines.at(-1)?.fields).toEqual({ subject: SUBJECT, detail });
  });

  it('do not verify what is no JWT', async () => {
    await accept();
    expect(await verify('token')).toBe(false);
    expect(lines.at(-1)?.fields.detail).toBe('it is not a signed JWT of a known form');
  });

  it('verify nothing for identities without a service-account token', async () => {
    keys.accepted(reader(), 'prod');
    expect(await keys.verify(reader(), clock.wall())).toBe(false);
    expect(asked()).toEqual([]);
  });

  it('are not asked for by a verification alone', async () => {
    expect(await verify()).toBe(false);
    expect(asked()).toEqual([]);
  });

  it('are read once for many logins, and again an hour later', async () => {
    await accept();
    for (let i = 0; i < 20; i++) keys.accepted(podIdentity(token()), 'prod');
    clock.time += 59 * MINUTE;
    keys.accepted(podIdentity(token()), 'prod');
    expect(asked()).toHaveLength(2);
    clock.time += MINUTE;
    await accept();
    expect(asked()).toHaveLength(4);
  });

  it('are read again for an unknown key ID, once a minute for all who ask', async () => {
    await accept();
    clock.time += MINUTE;
    await emulator.rotateServiceAccountKey({ type: 'rsa' });
    expect(await Promise.all([verify(), verify(), verify()])).toEqual([false, false, false]);
    await expect.poll(() => kept).toHaveLength(2);
    expect(await verify()).toBe(true);
    expect(asked()).toHaveLength(4);
    const forged = () => podToken({ key: rsa, claims: podClaims(emulator.serviceAccountIssuer, clock.wall()) });
    expect(await Promise.all([verify(forged()), verify(forged())])).toEqual([false, false]);
    expect(asked()).toHaveLength(4);
    clock.time += MINUTE;
    expect(await Promise.all([verify(forged()), verify(forged())])).toEqual([false, false]);
    await expect.poll(() => kept).toHaveLength(3);
    expect(await verify(forged())).toBe(false);
    expect(asked()).toHaveLength(6);
  });

  it('no longer verify what the issuer has withdrawn, once they are read again', async () => {
    await accept();
    const old = token();
    await emulator.rotateServiceAccountKey({ keepOld: false });
    expect(await verify(old)).toBe(true);
    clock.time += HOUR - 1;
    await accept(podIdentity(token()), 0);
    clock.time += 1;
    await accept();
    const current = token({ expiresInSeconds: 7200 });
    expect(await verify(current)).toBe(true);
    expect(await verify(old)).toBe(false);
  });

  it('serve on while the issuer does not answer, for a day and --max-stale after they were read', async () => {
    await accept();
    emulator.faults.add({ on: 'issuer', action: { kind: 'drop' } });
    clock.time += KEEP - 1;
    expect(await verify()).toBe(true);
    clock.time += 1;
    expect(await verify()).toBe(false);
  });

  it('of 16 issuers are kept: a namespace that logs in with many loses its own, which leave the disk too', async () => {
    // Nobody listens there, so that no request disturbs another test.
    const issuerOf = (i: number) => `https://127.0.0.1:1/x${i}`;
    await accept();
    for (let i = 0; i < 40; i++) keys.accepted(podIdentity(token({ issuer: issuerOf(i) })), 'thief');
    expect(sweeper.size).toBe(16);
    expect(dropped).toEqual(Array.from({ length: 25 }, (_, i) => issuerOf(i)));
    expect(await verify()).toBe(true);
  });

  it('are read from four issuers at a time', async () => {
    emulator.faults.add({ on: 'issuer', action: { kind: 'hang' } });
    for (let i = 0; i < 10; i++) {
      keys.accepted(podIdentity(token({ issuer: `${emulator.serviceAccountIssuer}/x${i}` })), 'prod');
    }
    await expect.poll(asked).toHaveLength(4);
  });

  it('take no place from an issuer that another namespace logs in with, however many do', async () => {
    keys.accepted(podIdentity(token()), 'thief-0');
    await accept();
    for (let i = 0; i < 40; i++) {
      keys.accepted(podIdentity(token({ issuer: `https://127.0.0.1:1/x${i}` })), `thief-${i % 20}`);
      expect(await verify()).toBe(true);
    }
  });

  it('are not asked of an issuer that is no plain HTTPS URL', () => {
    const at = new URL(emulator.serviceAccountIssuer).host;
    const issuers = [`http://${at}`, `https://u:p@${at}`, `https://${at}/?a=b`, `https://${at}/#x`, at, '', 'file:///'];
    for (const issuer of [...issuers, `https://${at}/${'x'.repeat(1100)}`]) {
      keys.accepted(podIdentity(token({ issuer })), 'prod');
    }
    expect(lines).toEqual([]);
  });
});

describe('documents of an issuer that are not used', () => {
  const elsewhere = 'https://login.localhost:1/keys';
  it.each<[string, string, () => Partial<Answer>, string]>([
    ['a redirect', CONFIGURATION, () => ({ status: 302, headers: { location: elsewhere } }), 'has status 302'],
    ['404', CONFIGURATION, () => ({ status: 404 }), 'has status 404'],
    ['a page', CONFIGURATION, () => ({ body: '<html>' }), 'it is not valid JSON'],
    ['an array', CONFIGURATION, () => ({ body: '[]' }), 'it is not a JSON object'],
    ['another issuer', CONFIGURATION, () => configuration({ issuer: 'https://x.example' }), 'its "issuer"'],
    ['keys on another host', CONFIGURATION, () => configuration({ jwks_uri: elsewhere }), 'on another host'],
    [
      'keys on another port',
      CONFIGURATION,
      () => configuration({ jwks_uri: 'https://oidc.localhost:1/keys' }),
      'on another host or port',
    ],
    ['keys over HTTP', CONFIGURATION, () => configuration({ jwks_uri: 'http://oidc.localhost/' }), 'not an https URL'],
    ['no address of keys', CONFIGURATION, () => configuration({ jwks_uri: undefined }), 'not an https URL'],
    ['two issuers', CONFIGURATION, () => ({ body: '{"issuer":"a","issuer":"b"}' }), 'two members of one name'],
    ['65 KiB', CONFIGURATION, () => ({ body: `"${'x'.repeat(65 * 1024)}"` }), 'over 65536 bytes'],
    ['many levels', CONFIGURATION, () => ({ body: '['.repeat(100) }), 'nests 100 levels deep'],
    ['no keys', '/jwks', () => ({ body: { keys: [] } }), 'it lists no key that can be used'],
    ['a redirect of the keys', '/jwks', () => ({ status: 307, headers: { location: elsewhere } }), 'has status 307'],
    ['1,001 entries', '/jwks', () => ({ body: `[${'1,'.repeat(1001)}1]` }), 'more than 1000'],
  ])('%s is refused, and said once', async (_, path, answer, reason) => {
    publish(path, answer());
    await accept();
    expect(lines[0]?.message).toBe(
      'The keys of an issuer cannot be read; its tokens are not verified while Entra ID is away',
    );
    expect(lines[0]?.fields).toMatchObject({ issuer: emulator.serviceAccountIssuer });
    expect(String(lines[0]?.fields.error)).toContain(reason);
    const count = asked().length;
    clock.time += MINUTE;
    keys.accepted(podIdentity(token()), 'prod');
    await expect.poll(() => asked().length).toBe(2 * count);
    expect(await verify()).toBe(false);
    expect(lines.filter(({ message }) => message.startsWith('The keys'))).toHaveLength(1);
    const host = new URL(emulator.serviceAccountIssuer).host;
    expect(emulator.requests.every((request) => request.host === host)).toBe(true);
  });

  it('leave the earlier keys in use', async () => {
    await accept();
    publish('/jwks', { body: { keys: [] } });
    clock.time += HOUR;
    await accept();
    expect(await verify()).toBe(true);
  });

  it('an issuer that is cut off, or cannot be trusted, is no harm, and is read later', async () => {
    emulator.faults.add({ on: 'issuer', action: { kind: 'drop' } });
    await accept();
    emulator.faults.clear();
    clock.time += MINUTE;
    await accept();
    expect(await verify()).toBe(true);
  });
});

/** The issuer's configuration with members changed; undefined removes one. */
function configuration(change: Record<string, unknown>): Partial<Answer> {
  const issuer = emulator.serviceAccountIssuer;
  return { body: { issuer, jwks_uri: `${issuer}/openid/v1/jwks`, ...change } };
}

describe('an issuer of an earlier process', () => {
  /** What the witness of an earlier process was told, `ageMs` ago. */
  const earlier = async (ageMs = 0): Promise<KnownIssuer> => {
    await accept();
    const [issuer] = kept;
    if (issuer === undefined) throw new Error('the witness was told nothing');
    keys = issuerKeys();
    emulator.requests.clear();
    return JSON.parse(JSON.stringify({ ...issuer, ageMs }));
  };

  it('verifies at once, while nobody answers, and ages on', async () => {
    const issuer = await earlier(HOUR);
    emulator.faults.add({ on: 'issuer', action: { kind: 'drop' } });
    expect(keys.load(issuer)).toBe(true);
    expect(await verify()).toBe(true);
    clock.time += KEEP - HOUR;
    expect(await verify()).toBe(false);
  });

  it('is asked for its keys again when they are an hour old, and not before', async () => {
    const issuer = await earlier(59 * MINUTE);
    expect(keys.load(issuer)).toBe(true);
    keys.accepted(podIdentity(token()), 'prod');
    expect(await verify()).toBe(true);
    expect(asked()).toEqual([]);
    clock.time += MINUTE;
    keys.accepted(podIdentity(token()), 'prod');
    await expect.poll(asked).toHaveLength(2);
  });

  it('does not replace keys that were read since', async () => {
    const issuer = await earlier();
    await accept();
    const forged = { ...issuer, keys: [publicJwkOf(rsa, 'key-1')] };
    expect(keys.load(forged)).toBe(false);
    const text = podToken({ key: rsa, claims: podClaims(emulator.serviceAccountIssuer, clock.wall()) });
    expect(await verify(text)).toBe(false);
  });

  it('outlasts a wall clock that is set', async () => {
    const issuer = await earlier();
    expect(keys.load(issuer)).toBe(true);
    emulator.faults.add({ on: 'issuer', action: { kind: 'drop' } });
    clock.offBy = 10 * 365 * 24 * HOUR;
    expect(await verify()).toBe(true);
  });

  it.each<[string, (issuer: KnownIssuer) => unknown]>([
    ['too old', (issuer) => ({ ...issuer, ageMs: KEEP })],
    ['of the future', (issuer) => ({ ...issuer, ageMs: -1 })],
    ['without an age', ({ issuer, keys: known }) => ({ issuer, keys: known })],
    ['of no age', (issuer) => ({ ...issuer, ageMs: Number.NaN })],
    ['without HTTPS', (issuer) => ({ ...issuer, issuer: 'http://cluster.example' })],
    ['without a name', (issuer) => ({ ...issuer, issuer: 1 })],
    ['without keys', (issuer) => ({ ...issuer, keys: [] })],
    ['with a weak key', (issuer) => ({ ...issuer, keys: [publicJwkOf(sharedKey('rsa-1024'), 'k')] })],
    ['that is null', () => null],
    ['that is a text', () => 'x'],
  ])('%s stays out', async (_, change) => {
    const issuer = await earlier();
    expect(keys.load(change(issuer))).toBe(false);
    expect(sweeper.size).toBe(0);
    expect(keys.load(issuer)).toBe(true);
  });

  it('stays out where there is no room', async () => {
    const issuer = await earlier();
    const many = Array.from({ length: 100 }, (_, i) => ({ ...issuer, issuer: `https://cluster.example/${i}` }));
    expect(many.filter((one) => keys.load(one))).toHaveLength(16);
  });
});
