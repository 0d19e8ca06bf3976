/** Compares the reader of answers with Node's own parser of HTTP, on the same bytes. */
import http from 'node:http';
import { Duplex } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { AnswerHeaders } from '../../src/azure/http/answer-headers.ts';
import { AnswerReader } from '../../src/azure/http/answer-reader.ts';
import { generatedAnswer } from '../support/http-answers.ts';
import { numbers } from '../support/numbers.ts';
import { rounds } from '../support/rounds.ts';

const HEADERS = ['content-type', 'retry-after', 'www-authenticate', 'x-ms-request-id', 'location', 'x-a'];
const MAX_BYTES = 1_000;
const ROUNDS = rounds(300, 5_000);

interface Outcome {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly text: string;
}

/** What Node makes of the answer, or undefined if it refuses it. The connection ends after it. */
function byNode(answer: string): Promise<Outcome | undefined> {
  const connection = new Duplex({
    read() {},
    write(_, __, done) {
      done();
    },
  });
  return new Promise((resolve) => {
    const request = http.get({ createConnection: () => connection }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', () => resolve(undefined));
      response.on('end', () => {
        const headers = pick((name) => response.headers[name] as string | undefined);
        resolve({ status: response.statusCode, headers, text: Buffer.concat(chunks).toString() });
      });
    });
    request.on('error', () => resolve(undefined));
    // The end of an answer that ends with its connection comes after it.
    request.on('close', () => setImmediate(() => resolve(undefined)));
    connection.push(Buffer.from(answer, 'latin1'));
    connection.push(null);
  });
}

/** What the reader makes of the answer in parts of `size` bytes, or undefined if it refuses it. */
function byReader(answer: string, size = answer.length): Outcome | undefined {
  const reader = new AnswerReader(MAX_BYTES);
  const bytes = Buffer.from(answer, 'latin1');
  try {
    let isComplete = false;
    for (let at = 0; at < bytes.length; at += size) {
      // Its connection is closed after such an answer.
      if (isComplete) return undefined;
      isComplete = reader.add(bytes.subarray(at, at + size));
    }
    if (!isComplete && !reader.end()) return undefined;
  } catch {
    return undefined;
  }
  const { status, headers = {} } = reader.head ?? {};
  const read = new AnswerHeaders(headers);
  return { status, headers: pick((name) => read.get(name)), text: reader.text() };
}

function pick(get: (name: string) => string | undefined) {
  return Object.fromEntries(HEADERS.map((name) => [name, get(name)]));
}

const HEAD = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;
/** Answers that both understand in the same way. */
const UNDERSTOOD = {
  'a length': `${HEAD}Content-Length: 2\r\nContent-Type: application/json\r\n\r\n{}`,
  'no body': `${HEAD}Content-Length: 0\r\n\r\n`,
  'UTF-8': `${HEAD}Content-Length: 6\r\n\r\n"\xc3\xa4\xe2\x82\xac`,
  chunks: `${CHUNKED}3\r\n{"a\r\n3;x=y\r\n":1\r\n1\r\n}\r\n0\r\n\r\n`,
  'chunks and a trailer': `${CHUNKED}2\r\n{}\r\n0\r\nX-A: 1\r\n\r\n`,
  'the end of the connection': `${HEAD}X-A: 1\r\n\r\n{}`,
  'HTTP/1.0': 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}',
  'no reason': 'HTTP/1.1 404\r\nContent-Length: 2\r\n\r\n{}',
  'an interim answer before it': `HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${HEAD}Content-Length: 2\r\n\r\n{}`,
  '204 with a length': 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n',
  '304': 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
  'spaces around a value': `${HEAD}X-A: \t a b \t\r\nContent-Length: 0\r\n\r\n`,
  'an empty value': `${HEAD}X-A:\r\nContent-Length: 0\r\n\r\n`,
  'two challenges': `HTTP/1.1 401 No\r\nWWW-Authenticate: a="b"\r\nWWW-Authenticate: c="d"\r\nContent-Length: 0\r\n\r\n`,
  'two of a header that counts once': `HTTP/1.1 429 Wait\r\nRetry-After: 1\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n`,
  cookies: `${HEAD}Set-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 0\r\n\r\n`,
  'a header of the prototype': `${HEAD}__proto__: 1\r\nX-A: 2\r\nContent-Length: 0\r\n\r\n`,
} as const;
/** Answers that both refuse. */
const REFUSED = {
  'a length and chunks': `${HEAD}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'two lengths': `${HEAD}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}`,
  'a length with a sign': `${HEAD}Content-Length: +2\r\n\r\n{}`,
  'a body that is too short': `${HEAD}Content-Length: 3\r\n\r\n{}`,
  'a chunk that is too long': `${CHUNKED}1\r\n{}\r\n0\r\n\r\n`,
  'a chunk without a size': `${CHUNKED}x\r\n{}\r\n0\r\n\r\n`,
  'chunks that do not end': `${CHUNKED}2\r\n{}\r\n`,
  'a header without a colon': `${HEAD}X-A\r\n\r\n`,
  'a name with a space': `${HEAD}X-A : 1\r\nContent-Length: 0\r\n\r\n`,
  'a NUL in a value': `${HEAD}X-A: \0\r\nContent-Length: 0\r\n\r\n`,
  'a bare line feed': `${HEAD}X-A: 1\nContent-Length: 0\r\n\r\n`,
  'a bare carriage return': `${HEAD}X-A: 1\rX: 2\r\nContent-Length: 0\r\n\r\n`,
  'no HTTP': 'SSH-2.0-OpenSSH_9.6\r\n\r\n',
  'a status of two digits': 'HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n',
  'a head that is too long': `${HEAD}X-A: ${'a'.repeat(17_000)}\r\nContent-Length: 0\r\n\r\n`,
  'another protocol': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
  nothing: '',
  'a length after the chunks': `${CHUNKED}2\r\n{}\r\n0\r\nContent-Length: 2\r\n\r\n`,
  'a length with a second one after the chunks': `${CHUNKED}0\r\ncontent-length: 2,3\r\n\r\n`,
} as const;
/** Answers that Node understands and others do not, or in another way: Go's HTTP, and RFC 9112 section 6.1. */
const STRICTER = {
  'chunks in HTTP/1.0': 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
  'an encoding after the chunks': `${CHUNKED}2\r\n{}\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n`,
  'an unknown encoding of an interim answer': `HTTP/1.1 103 E\r\nTransfer-Encoding: x\r\n\r\n${HEAD}Content-Length: 0\r\n\r\n`,
} as const;

describe('an answer', () => {
  it.each(Object.entries(UNDERSTOOD))('with %s is understood as Node does, in parts of any size', async (_, answer) => {
    const expected = await byNode(answer);
    expect(expected).toBeDefined();
    for (const size of [answer.length, 1, 2, 3, 7]) expect(byReader(answer, size)).toEqual(expected);
  });

  it.each(Object.entries(REFUSED))('with %s is refused, as Node does, in parts of any size', async (_, answer) => {
    expect(await byNode(answer)).toBeUndefined();
    for (const size of [answer.length, 1, 7]) expect(byReader(answer, size)).toBeUndefined();
  });

  it.each(Object.entries(STRICTER))('with %s is refused, though Node understands it', async (_, answer) => {
    expect(await byNode(answer)).toBeDefined();
    for (const size of [answer.length, 1, 7]) expect(byReader(answer, size)).toBeUndefined();
  });

  it('that is generated is never understood in another way than Node does, nor in parts than as a whole', async () => {
    const random = numbers(1);
    const differs: unknown[] = [];
    let understood = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const answer = generatedAnswer(random);
      const ours = byReader(answer);
      for (const size of [1, 2 + random(9)]) {
        const inParts = byReader(answer, size);
        if (JSON.stringify(inParts) !== JSON.stringify(ours)) differs.push([answer, ours, size, inParts]);
      }
      if (ours === undefined) continue;
      understood++;
      const theirs = await byNode(answer);
      if (JSON.stringify(ours) !== JSON.stringify(theirs)) differs.push([answer, ours, theirs]);
    }
    expect(differs).toEqual([]);
    expect(understood).toBeGreaterThan(ROUNDS / 4);
  });

  it.each([
    ['no HTTP', 'SSH-2.0-OpenSSH_9.6\r\n', 'HPE_INVALID_CONSTANT'],
    ['frames of HTTP/2', '\0\0\x12\x04\0\0\0\0\0', 'HPE_INVALID_CONSTANT'],
    ['no HTTP after an interim answer', 'HTTP/1.1 100 Continue\r\n\r\nx', 'HPE_INVALID_CONSTANT'],
    ['a head of bare line feeds', 'HTTP/1.1 200 OK\nContent-Length: 2\n\n', 'HPE_CR_EXPECTED'],
    ['chunks with bare line feeds', `${CHUNKED}1\n`, 'HPE_CR_EXPECTED'],
  ])('of %s is refused at once, before its connection ends', async (_, answer, code) => {
    expect(await byNode(answer)).toBeUndefined();
    for (const size of [answer.length, 1, 7]) {
      const reader = new AnswerReader(MAX_BYTES);
      const addAll = () => {
        for (let at = 0; at < answer.length; at += size) reader.add(Buffer.from(answer.slice(at, at + size), 'latin1'));
      };
      expect(addAll).toThrow(expect.objectContaining({ code }));
    }
  });

  it('whose body is too large is refused before it has arrived', () => {
    const code = (answer: string) => {
      try {
        new AnswerReader(MAX_BYTES).add(Buffer.from(answer));
      } catch (error) {
        return (error as NodeJS.ErrnoException).code;
      }
      return undefined;
    };
    const large = 'a'.repeat(MAX_BYTES + 1);
    expect(code(`${HEAD}Content-Length: 5000\r\n\r\n${large}`)).toBe('LARGE_ANSWER');
    expect(code(`${CHUNKED}1000\r\n${large}`)).toBe('LARGE_ANSWER');
    expect(code(`${CHUNKED}${large}${large}`)).toBe('HPE_INVALID_CHUNK_SIZE');
    expect(code(`${HEAD}\r\n${large}`)).toBe('LARGE_ANSWER');
  });

  it.each([
    ['interim answers', '', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['chunks with long extensions', CHUNKED, `1;x=${'y'.repeat(1_000)}\r\na\r\n`],
    ['lines after the last chunk', `${CHUNKED}0\r\n`, 'X-A: 1\r\n'],
  ])('with %s without an end is refused', (_, head, more) => {
    const reader = new AnswerReader(MAX_BYTES);
    reader.add(Buffer.from(head));
    const addAll = () => {
      for (let bytes = 0; bytes < 1024 * 1024; bytes += more.length) reader.add(Buffer.from(more));
    };
    expect(addAll).toThrow(expect.objectContaining({ code: 'LARGE_ANSWER' }));
  });

  it.each([
    ['a length', `${HEAD}Content-Length: 900\r\n\r\n${'$'.repeat(900)}`],
    ['chunks', `${CHUNKED}${'1\r\n$\r\n'.repeat(900)}0\r\n\r\n`],
    ['the end of the connection', `${HEAD}\r\n${'$'.repeat(900)}`],
  ])('with %s is joined without a copy for each part, and nothing of it is left in memory', (_, answer) => {
    for (const size of [1, 7, 500, answer.length]) {
      for (const isCut of [false, true]) {
        const given: Buffer[] = [];
        for (let at = 0; at < answer.length - (isCut ? 1 : 0); at += size) {
          given.push(Buffer.from(new Uint8Array(Buffer.from(answer.slice(at, at + size))).buffer));
        }
        const made = vi.spyOn(Buffer, 'allocUnsafeSlow').mockImplementation((bytes) => Buffer.alloc(bytes));
        const reader = new AnswerReader(MAX_BYTES);
        for (const part of given) reader.add(part);
        if (!isCut) expect([reader.end(), reader.text()]).toEqual([true, '$'.repeat(900)]);
        reader.discard();
        const copies = made.mock.results.map(({ value }) => value as Buffer);
        made.mockRestore();
        for (const buffer of [...given, ...copies]) expect(buffer.includes('$')).toBe(false);
        // A part of the line before a chunk is copied when its rest has come.
        const lines = answer.startsWith(CHUNKED) && size < answer.length ? given.length : 0;
        expect(copies.length).toBeLessThan(20 + lines);
      }
    }
  });

  it.each([
    ['HTTP/1.1', '', true],
    ['HTTP/1.1', 'Connection: close\r\n', false],
    ['HTTP/1.0', '', false],
    ['HTTP/1.0', 'Connection: Keep-Alive\r\n', true],
  ])('of %s with "%s" keeps its connection open: %s', (version, header, expected) => {
    const reader = new AnswerReader(MAX_BYTES);
    expect(reader.add(Buffer.from(`${version} 200 OK\r\n${header}Content-Length: 0\r\n\r\n`))).toBe(true);
    expect(reader.keepsOpen).toBe(expected);
  });
});
