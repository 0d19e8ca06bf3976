import { decodeBase64 } from '../base/encoding.ts';
import { badContent } from './bad-content.ts';

/** One block of a PEM text. */
export interface PemBlock {
  /** What stands after BEGIN, such as `CERTIFICATE`. */
  readonly label: string;
  readonly der: Buffer;
  /** Of an old encrypted key (RFC 1421): the whole block with its headers again, tidied. */
  readonly encrypted?: string;
  /** Line of its BEGIN, from 1. */
  readonly line: number;
}

/** Labels of blocks that hold one certificate; OpenSSL's trusted ones hold something more behind it. */
export const CERTIFICATE_LABELS: readonly string[] = ['CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE'];

const BEGIN = '-----BEGIN ';
const DASHES = '-----';
const LABEL = /^[A-Z0-9 ]{1,64}$/;
const MAX_BLOCKS = 1000;
/** `Proc-Type` and `DEK-Info` take less than a hundred; Go writes any others. */
const MAX_HEADERS_LENGTH = 1000;

/**
 * The blocks of a PEM text (RFC 7468) in their order. Text between blocks is passed over; inside, so are white space
 * and the two characters `\n`, which remain where a PEM went through JSON or an environment variable.
 */
export function readPem(text: string): readonly PemBlock[] {
  const blocks: PemBlock[] = [];
  const lines = new LineCounter(text);
  for (let start = text.indexOf(BEGIN); start !== -1; ) {
    const labelEnd = text.indexOf(DASHES, start + BEGIN.length);
    const label = labelEnd === -1 ? '' : text.slice(start + BEGIN.length, labelEnd);
    let next = start + BEGIN.length;
    if (LABEL.test(label)) {
      const line = lines.at(start);
      const bodyStart = labelEnd + DASHES.length;
      const bodyEnd = text.indexOf(DASHES, bodyStart);
      const marker = `-----END ${label}-----`;
      if (bodyEnd === -1 || !text.startsWith(marker, bodyEnd)) {
        throw badContent(`has a block BEGIN ${label} (line ${line}) without its END: it is cut off or damaged`);
      }
      blocks.push(readBlock(label, text.slice(bodyStart, bodyEnd), line));
      if (blocks.length > MAX_BLOCKS) throw badContent(`has more than ${MAX_BLOCKS} blocks`);
      next = bodyEnd + marker.length;
    }
    start = text.indexOf(BEGIN, next);
  }
  return blocks;
}

/** Writes one block: 64 columns, LF, LF at the end. */
export function writePem(label: string, der: Buffer): string {
  const body = der.toString('base64').replace(/.{1,64}/g, '$&\n');
  return `-----BEGIN ${label}-----\n${body}-----END ${label}-----\n`;
}

function readBlock(label: string, body: string, line: number): PemBlock {
  const headersEnd = body.lastIndexOf(':');
  const dataStart = headersEnd === -1 ? 0 : body.indexOf('\n', headersEnd) + 1;
  if (dataStart > MAX_HEADERS_LENGTH) throw badContent(`has a block ${label} (line ${line}) with too many headers`);
  const data = body.slice(dataStart).replace(/\s+|\\[nr]/g, '');
  const decoded = decodeBase64(data);
  if (!decoded.ok) throw badContent(`has a block ${label} (line ${line}) that is not base64: it is damaged`);
  const block = { label, der: decoded.bytes, line };
  if (!body.includes('Proc-Type:')) return block;
  const headers = body.slice(0, dataStart).trim().replace(/\r/g, '');
  const encrypted = writePem(label, decoded.bytes).replace('-----\n', `-----\n${headers}\n\n`);
  return { ...block, encrypted };
}

/** Line numbers of rising offsets, each character looked at once. */
class LineCounter {
  readonly #text: string;
  #line = 1;
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  at(offset: number): number {
    let newline = this.#text.indexOf('\n', this.#offset);
    while (newline !== -1 && newline < offset) {
      this.#line++;
      newline = this.#text.indexOf('\n', newline + 1);
    }
    this.#offset = offset;
    return this.#line;
  }
}
