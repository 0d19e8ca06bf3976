import { once } from 'node:events';
import { Agent, request } from 'node:https';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { type LogFields, type Logger, silentLogger } from '../../src/base/log.ts';
import { periodOf } from '../../src/webhook/certificate/key-pair.ts';
import type { Verdict } from '../../src/webhook/review.ts';
import {
  startWebhookServer,
  WEBHOOK_LIMITS,
  type WebhookLimits,
  type WebhookServer,
} from '../../src/webhook/server.ts';
import { type Issued, issue, keyPem } from '../support/pki.ts';
import { admissionReview, review, send } from '../support/reviews.ts';

const POD = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'apps' } };
const JSON_TYPE = { 'content-type': 'application/json' };

let ca: Issued;
let server: WebhookServer;
let results: string[];
let logged: LogFields[];
let notReady: string | undefined;
let answer: (signal: AbortSignal) => Promise<Verdict>;
const keep = (_: string, fields: LogFields = {}) => void logged.push(fields);
const log: Logger = { ...silentLogger, error: keep, detail: keep };

async function keyPair() {
  const { certificate, key } = await issue({ name: 'localhost', issuer: ca });
  return { certificate: certificate.toString(), key: keyPem(key), period: periodOf(certificate.toString()) };
}

async function start(limits: Partial<WebhookLimits> = {}): Promise<void> {
  server = await startWebhookServer({
    host: '127.0.0.1',
    port: 0,
    keyPair: await keyPair(),
    reviewers: { '/validate': (_, signal) => answer(signal) },
    notReady: () => notReady,
    reviewed: (path, result) => void results.push(`${path} ${result}`),
    clock: systemClock,
    log,
    limits: { ...WEBHOOK_LIMITS, ...limits },
  });
}

beforeEach(async () => {
  ca = await issue({ name: 'ca', ca: true });
  [results, logged, notReady] = [[], [], undefined];
  answer = async () => ({});
});
afterEach(() => server.stop(0));

const to = (path = '/validate') => ({
  url: `https://127.0.0.1:${server.port}${path}`,
  ca: ca.certificate.toString(),
  servername: 'localhost',
});
const post = (body: string | Buffer, headers: Record<string, string> = JSON_TYPE, path = '/validate') =>
  send({ ...to(path), method: 'POST', headers }, body);
const reviewText = JSON.stringify(admissionReview(POD));

/** From now on, a review waits until `go` is called; `asked` resolves when one has come. */
function holdAnswers(): { readonly asked: Promise<void>; readonly go: () => void } {
  let go = () => {};
  const released = new Promise<Verdict>((resolve) => {
    go = () => resolve({});
  });
  const asked = new Promise<void>((arrived) => {
    answer = () => {
      arrived();
      return released;
    };
  });
  return { asked, go };
}

describe('reviews', () => {
  test('are answered with the verdict and the uid of the request', async () => {
    await start();
    answer = async () => ({ warnings: ['w'] });
    const sent = admissionReview(POD, { uid: 'this one' });
    expect(await review(to(), sent)).toEqual({ uid: 'this one', allowed: true, warnings: ['w'] });
    expect(results).toEqual(['/validate warned']);
    expect(logged).toEqual([{ path: '/validate', operation: 'CREATE', object: 'Pod apps/web', result: 'warned' }]);
  });

  test('that fail are a server error, and the log says where, without the words of the error', async () => {
    await start();
    answer = () => Promise.reject(new TypeError('the secret of the object'));
    expect(await post(reviewText)).toEqual({ status: 500, body: expect.stringContaining('the review failed') });
    expect(results).toEqual(['/validate failed']);
    expect(logged).toEqual([{ path: '/validate', error: expect.stringMatching(/^TypeError +at /) }]);
  });

  test('are told when the API server no longer waits, by its own timeout', async () => {
    await start();
    answer = (signal) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve({ warnings: ['late'] })));
    expect(await post(reviewText, JSON_TYPE, '/validate?timeout=0.1s')).toMatchObject({ status: 200 });
    const gone = connect({ ...tlsTo(), host: '127.0.0.1' });
    gone.end(
      `POST /validate HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${reviewText.length}\r\n\r\n${reviewText}`,
    );
    gone.on('error', () => {});
    await new Promise<void>((resolve) => {
      answer = (signal) => {
        signal.addEventListener('abort', () => resolve());
        gone.destroy();
        return new Promise(() => {});
      };
    });
  });
});

const tlsTo = () => ({ port: server.port, ca: ca.certificate.toString(), servername: 'localhost' });

describe('a request that is no review', () => {
  test.each<[string, () => Promise<{ status: number; body: string }>, number, RegExp]>([
    ['another path', () => post('{}', JSON_TYPE, '/other'), 404, /the paths are \/validate/],
    ['a path of Object', () => post('{}', JSON_TYPE, '/constructor'), 404, /not found/],
    ['GET', () => send(to()), 405, /POST/],
    ['another type', () => post('{}', { 'content-type': 'application/yaml' }), 415, /application\/json/],
    ['no type', () => post('{}', {}), 415, /application\/json/],
    ['no body', () => post(''), 400, /unexpected end of JSON input/],
    ['half a body', () => post(reviewText.slice(0, -9)), 400, /it is not valid JSON/],
    ['bytes that are no text', () => post(Buffer.from([0xff, 0x00, 0xfe])), 400, /it is not valid JSON/],
    ['deep nesting', () => post('['.repeat(50_000)), 400, /nests 50000 levels deep/],
    ['a large body', () => post('x'.repeat(2000)), 413, /the body has 2000 bytes, more than 1000/],
    [
      'a large body without its size',
      () => post('x'.repeat(2000), { ...JSON_TYPE, 'transfer-encoding': 'chunked' }),
      413,
      /more than 1000 bytes/,
    ],
  ])('%s is refused with one line', async (_name, ask, status, message) => {
    await start({ bodyBytes: _name.includes('large') ? 1000 : WEBHOOK_LIMITS.bodyBytes });
    const { status: answered, body } = await ask();
    expect(answered).toBe(status);
    expect(body).toMatch(message);
    expect(body).not.toContain('\n');
    expect(await review(to(), admissionReview(POD))).toMatchObject({ allowed: true });
  });

  test('is refused while the bodies under way take all the room, and the next are answered', async () => {
    const size = 400;
    await start({ allBodyBytes: reviewText.length + size });
    const { asked, go } = holdAnswers();
    const first = post(reviewText);
    await asked;
    expect(await post('x'.repeat(size + 1))).toEqual({ status: 503, body: 'too many requests are under way' });
    go();
    expect(await first).toMatchObject({ status: 200 });
    answer = async () => ({});
    expect(await post(reviewText)).toMatchObject({ status: 200 });
    expect(results).toEqual(['/validate overloaded', '/validate allowed', '/validate allowed']);
  });
});

describe('connections', () => {
  test('are TLS 1.2 or later', async () => {
    await start();
    const old = connect({ ...tlsTo(), minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
    await expect(once(old, 'secureConnect')).rejects.toThrow();
    const { status } = await send({ ...to(), method: 'POST', headers: JSON_TYPE, maxVersion: 'TLSv1.2' }, reviewText);
    expect(status).toBe(200);
  });

  test('that send no TLS are closed, and others are answered', async () => {
    await start();
    const plain = connectPlain(server.port, '127.0.0.1').resume();
    plain.on('error', () => {});
    plain.write('GET / HTTP/1.1\r\n\r\n');
    await once(plain, 'close');
    expect(await post(reviewText)).toMatchObject({ status: 200 });
  });

  test('are bounded: one without a request gives way to one with', async () => {
    await start({ connections: 3 });
    const idle: Socket[] = [];
    for (let count = 0; count < 3; count++) {
      const socket = connectPlain(server.port, '127.0.0.1').resume();
      socket.on('error', () => {});
      await once(socket, 'connect');
      idle.push(socket);
    }
    const closed = once(idle[0] as Socket, 'close');
    expect(await post(reviewText)).toMatchObject({ status: 200 });
    await closed;
    for (const socket of idle) socket.destroy();
  });

  test('have the next certificate as soon as it is set, and those that are open go on', async () => {
    await start();
    const open = connect({ ...tlsTo() });
    await once(open, 'secureConnect');
    const before = open.getPeerCertificate().fingerprint256;
    server.setKeyPair(await keyPair());
    const next = connect({ ...tlsTo() });
    await once(next, 'secureConnect');
    expect(next.authorized).toBe(true);
    expect(next.getPeerCertificate().fingerprint256).not.toBe(before);
    open.write('GET /readyz HTTP/1.1\r\nhost: a\r\n\r\n');
    expect(String((await once(open, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 OK/);
    for (const socket of [open, next]) socket.destroy();
  });
});

test('readiness says why it is not ready', async () => {
  await start();
  expect(await send(to('/readyz'))).toEqual({ status: 200, body: 'ok' });
  notReady = 'the certificate has expired';
  expect(await send(to('/readyz'))).toEqual({ status: 503, body: 'the certificate has expired' });
});

test('callers are sent elsewhere before the end', async () => {
  await start();
  const { asked, go } = holdAnswers();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const sent = request(to().url, { ...to(), agent, method: 'POST', headers: JSON_TYPE });
  sent.end(reviewText);
  await asked;
  server.leave();
  expect(await send(to('/readyz'))).toEqual({ status: 503, body: 'stopping' });
  go();
  const [response] = await once(sent, 'response');
  expect([response.statusCode, response.headers.connection]).toEqual([200, 'close']);
  expect(await post(reviewText)).toMatchObject({ status: 200 });
});

test('the end waits for the requests under way, and takes no others', async () => {
  await start();
  const { asked, go } = holdAnswers();
  const last = post(reviewText);
  await asked;
  const stopped = server.stop(60_000);
  await expect(post(reviewText)).rejects.toThrow(/ECONNREFUSED/);
  go();
  expect(await last).toMatchObject({ status: 200 });
  await stopped;
});
