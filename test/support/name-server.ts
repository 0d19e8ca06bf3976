/** A name server on UDP, whose answers the test chooses. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** What is answered for a name: nothing, a code of RFC 1035, or addresses (none: the name exists and has no address). */
export type DnsAnswer = 'silent' | 'SERVFAIL' | 'NXDOMAIN' | 'REFUSED' | readonly string[];

/** The answers by name, without a dot at the end; a name that is not listed does not exist. */
export type Zone = Record<string, DnsAnswer>;

/** A name server that runs. */
export interface NameServer {
  readonly zone: Zone;
  /** Names of the questions for IPv4 addresses, in their order. */
  readonly asked: string[];
  /** Address, and address with port. */
  readonly host: string;
  readonly address: string;
}

const CODES: Readonly<Record<string, number>> = { SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 };
const TYPES: Readonly<Record<number, number>> = { 1: 4, 28: 6 };

/** Settings of {@link nameServer}. */
export interface NameServerOptions {
  readonly host?: string;
  readonly port?: number;
  /** TTL of all answers, in seconds. */
  readonly ttl?: number;
  /** Registers a cleanup; default: after the test. */
  readonly defer?: (undo: () => Promise<void>) => void;
}

/** Starts one for the test. */
export async function nameServer(
  zone: Zone,
  { host = '127.0.0.1', port = 0, ttl = 30, defer = onTestFinished }: NameServerOptions = {},
): Promise<NameServer> {
  const asked: string[] = [];
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const { name, type, question } = questionOf(query);
    if (type === 1) asked.push(name);
    const answer = zone[name] ?? 'NXDOMAIN';
    if (answer === 'silent') return;
    const code = typeof answer === 'string' ? (CODES[answer] ?? 0) : 0;
    const records = (typeof answer === 'string' ? [] : answer).filter((one) => isIP(one) === TYPES[type]);
    const head = Buffer.alloc(12);
    query.copy(head, 0, 0, 2);
    head.writeUInt16BE(0x8180 | code, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(records.length, 6);
    const answers = records.map((address) => recordOf(address, type, ttl));
    socket.send(Buffer.concat([head, question, ...answers]), from.port, from.address);
  });
  socket.bind(port, host);
  await once(socket, 'listening');
  defer(() => new Promise<void>((resolve) => socket.close(() => resolve())));
  return { zone, asked, host, address: `${host}:${socket.address().port}` };
}

/** Files of a resolver that asks these servers, in a directory. */
export function resolverFiles(
  directory: string,
  servers: readonly Pick<NameServer, 'address'>[],
  { hosts = '', options = '' } = {},
) {
  const files = { hosts: join(directory, 'hosts'), resolvConf: join(directory, 'resolv.conf') };
  const lines = servers.map(({ address }) => `nameserver ${address}\n`);
  writeFileSync(files.hosts, hosts);
  writeFileSync(files.resolvConf, `# made by a test\n${lines.join('')}${options}`);
  return files;
}

function questionOf(query: Buffer) {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length !== 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length).toLowerCase());
    at += length + 1;
  }
  return { name: labels.join('.'), type: query.readUInt16BE(at + 1), question: query.subarray(12, at + 5) };
}

function recordOf(address: string, type: number, ttl: number): Buffer {
  const bytes =
    type === 1
      ? Buffer.from(address.split('.').map(Number))
      : Buffer.from(
          address.split(':').flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]),
        );
  const head = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, bytes.length]);
  head.writeUInt32BE(ttl, 6);
  return Buffer.concat([head, bytes]);
}
