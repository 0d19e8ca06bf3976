/** Generates calls as valid HTTP/2 frames in many forms. `http2-script-client.ts` sends them. */
import { csiDriverProvider } from '../../src/wire/contract.ts';
import { flag, frame, type } from './http2.ts';
import { oneOf } from './numbers.ts';
import { mountRequest } from './server.ts';

type Random = (below: number) => number;
type Field = readonly [name: string, value: string];

/** A call of `Mount`. Its attributes name it. */
export interface ScriptedCall {
  readonly streamId: number;
  readonly name: string;
  readonly secrets: string;
  /** True if the client resets it after its request. */
  readonly isReset: boolean;
}

/** Calls, and the frames that make them. */
export interface Script {
  readonly calls: readonly ScriptedCall[];
  readonly frames: readonly Buffer[];
}

/** The characters with Huffman codes of 5, 6 and 7 bits (RFC 7541 appendix B), in the order of their codes. */
const HUFFMAN = ['012aceiost', ' %-./3456789=A_bdfghlmnpru', ':BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz'];

function huffmanBits(text: string): string {
  const codes = new Map<string, string>();
  let code = 0;
  for (const [index, characters] of HUFFMAN.entries()) {
    for (const character of characters) codes.set(character, (code++).toString(2).padStart(5 + index, '0'));
    code *= 2;
  }
  return [...text].map((character) => codes.get(character)).join('');
}

/** Encodes an integer after the bits that `first` has above its prefix (RFC 7541 section 5.1). */
function integer(prefixBits: number, first: number, value: number): Buffer {
  const limit = 2 ** prefixBits - 1;
  if (value < limit) return Buffer.of(first | value);
  const octets = [first | limit];
  let rest = value - limit;
  for (; rest >= 128; rest = Math.floor(rest / 128)) octets.push((rest % 128) + 128);
  return Buffer.from([...octets, rest]);
}

/** Encodes header blocks in forms chosen at random, with a dynamic table as an encoder keeps it. */
class Encoder {
  readonly #random: Random;
  #table: Field[] = [];
  #limit = 4096;

  constructor(random: Random) {
    this.#random = random;
  }

  block(fields: readonly Field[]): Buffer {
    const parts: Buffer[] = [];
    if (this.#random(10) === 0) {
      this.#limit = oneOf(this.#random, [0, 100, 300, 4096]);
      this.#evict();
      parts.push(integer(5, 0x20, this.#limit));
    }
    return Buffer.concat([...parts, ...fields.map((one) => this.#field(one))]);
  }

  #field([name, value]: Field): Buffer {
    const same = this.#table.findIndex(([n, v]) => n === name && v === value);
    if (same !== -1 && this.#random(4) > 0) return integer(7, 0x80, 62 + same);
    const named = this.#random(2) === 0 ? -1 : this.#table.findIndex(([n]) => n === name);
    const known = named === -1 ? { ':authority': 1, ':path': 4 }[name] : 62 + named;
    const index = this.#random(4) === 0 ? 0 : (known ?? 0);
    const [bits, first] = oneOf<readonly [bits: number, first: number]>(this.#random, [
      [6, 0x40],
      [4, 0x00],
      [4, 0x10],
    ]);
    const literal = [integer(bits, first, index), ...(index === 0 ? [this.#text(name)] : []), this.#text(value)];
    if (first === 0x40) {
      this.#table.unshift([name, value]);
      this.#evict();
    }
    return Buffer.concat(literal);
  }

  #text(text: string): Buffer {
    if (this.#random(2) === 0) return Buffer.concat([integer(7, 0, text.length), Buffer.from(text, 'latin1')]);
    const octets = huffmanBits(text).match(/.{1,8}/g) ?? [];
    return Buffer.concat([
      integer(7, 0x80, octets.length),
      Buffer.from(octets.map((octet) => Number.parseInt(octet.padEnd(8, '1'), 2))),
    ]);
  }

  #evict(): void {
    let bytes = 0;
    const fits = ([name, value]: Field) => {
      bytes += name.length + value.length + 32;
      return bytes <= this.#limit;
    };
    const end = this.#table.findIndex((entry) => !fits(entry));
    if (end !== -1) this.#table = this.#table.slice(0, end);
  }
}

/** Returns HEADERS and CONTINUATION frames of a block, which nothing may come between. */
function headers(random: Random, streamId: number, block: Buffer, endStream: number): Buffer {
  const cuts = random(3) > 0 ? [] : Array.from({ length: random(5) }, () => random(block.length + 1));
  const ends = [...cuts.sort((a, b) => a - b), block.length];
  const [head, tail, padding] = [[] as Buffer[], [] as Buffer[], random(4) === 0 ? flag.padded : 0];
  if (padding) {
    const length = random(60);
    head.push(Buffer.of(length));
    tail.push(Buffer.alloc(length));
  }
  const priority = random(4) === 0 ? flag.priority : 0;
  if (priority) head.push(Buffer.of(0, 0, 0, 0, random(256)));
  return Buffer.concat(
    ends.map((end, index) => {
      const piece = block.subarray(ends[index - 1] ?? 0, end);
      const last = index === ends.length - 1 ? flag.endHeaders : 0;
      if (index > 0) return frame(type.continuation, last, streamId, piece);
      return frame(
        type.headers,
        last | endStream | padding | priority,
        streamId,
        Buffer.concat([...head, piece, ...tail]),
      );
    }),
  );
}

/** Returns DATA frames, some of them padded or empty. Without `endStream`, the stream stays open. */
function data(random: Random, streamId: number, bytes: Buffer, endStream: boolean): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const piece = bytes.subarray(at, at + (random(3) === 0 ? 16_000 : random(Math.min(16_000, bytes.length))));
    const padding = random(5) === 0 ? random(60) : undefined;
    const payload = padding === undefined ? piece : Buffer.concat([Buffer.of(padding), piece, Buffer.alloc(padding)]);
    frames.push(frame(type.data, padding === undefined ? 0 : flag.padded, streamId, payload));
    at += piece.length;
  }
  if (endStream) frames.push(frame(type.data, flag.endStream, streamId));
  return frames;
}

/** Encodes a number in four octets. */
export function number(value: number): Buffer {
  const octets = Buffer.alloc(4);
  octets.writeUInt32BE(value);
  return octets;
}

/** A frame that may come between those of the calls. */
function between(random: Random): Buffer {
  return oneOf(random, [
    () => frame(type.ping, 0, 0, Buffer.alloc(8, random(256))),
    () => frame(2, 0, 1 + 2 * random(9), Buffer.of(0, 0, 0, 0, random(256))),
    () => frame(20 + random(200), random(256), random(2), Buffer.alloc(random(40), random(256))),
    () => frame(type.settings, 0, 0, random(2) === 0 ? Buffer.alloc(0) : Buffer.of(0, 200, 0, 0, 0, 1)),
    () => frame(type.windowUpdate, 0, 0, number(1 + random(1000))),
  ])();
}

/** Returns one to six calls, whose frames alternate. `prefix` begins their names. */
export function script(random: Random, prefix: string): Script {
  const encoder = new Encoder(random);
  const authority = oneOf(random, ['localhost', '/var/run/azure.sock', 'a.b:1', 'x'.repeat(1 + random(200))]);
  const calls = Array.from({ length: 1 + random(6) }, (_, index) => ({
    streamId: 1 + 2 * index,
    name: `${prefix}-${index}`,
    secrets: 's'.repeat(random(random(5) === 0 ? 60_000 : 100)),
    isReset: random(8) === 0,
  }));
  const left = [...calls];
  const open: Buffer[][] = [];
  const frames: Buffer[] = [];
  while (left.length > 0 || open.length > 0) {
    if (random(3) === 0) frames.push(between(random));
    const next = random(2) === 0 || open.length === 0 ? left.shift() : undefined;
    if (next !== undefined) {
      const { sent, rest } = framesOfCall(random, next, { encoder, authority });
      frames.push(sent);
      open.push(rest);
    }
    const one = open[random(open.length)];
    const following = one?.shift();
    if (following !== undefined) frames.push(following);
    if (one?.length === 0) open.splice(open.indexOf(one), 1);
  }
  return { calls, frames };
}

function framesOfCall(
  random: Random,
  { streamId, name, secrets, isReset }: ScriptedCall,
  { encoder, authority }: { readonly encoder: Encoder; readonly authority: string },
): { readonly sent: Buffer; readonly rest: Buffer[] } {
  const fields: Field[] = [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', '/v1alpha1.CSIDriverProvider/Mount'],
  ];
  fields.splice(random(4), 0, [':authority', authority]);
  fields.push(['content-type', 'application/grpc'], ['te', 'trailers']);
  for (let more = random(4); more > 0; more--)
    fields.push([`x-${random(5)}`, 'v'.repeat(random(random(6) === 0 ? 3000 : 60))]);
  const request = csiDriverProvider.Mount.requestSerialize({ ...mountRequest, attributes: name, secrets });
  const message = Buffer.concat([Buffer.of(0), number(request.length), request]);
  const rest = data(random, streamId, message, !(isReset && random(2) === 0));
  if (isReset) rest.push(frame(type.rstStream, 0, streamId, number(8)));
  return { sent: headers(random, streamId, encoder.block(fields), 0), rest };
}
