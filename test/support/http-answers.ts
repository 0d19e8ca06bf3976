/** Generates answers of HTTP/1.1, most of them correct but for a few places, for tests of the reader of answers. */
import { oneOf } from './numbers.ts';

type Random = (below: number) => number;
type Words = readonly [string, ...string[]];

/** One of so many words is an odd one. */
const ODD_OF = 30;
const VERSIONS: Words = ['HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'http/1.1', 'ICY', '\r\nHTTP/1.1', ' HTTP/1.1'];
const STATUSES: Words = ['204', '304', '401', '999', '099', '600', '20', '2000', '+20', '101', '102'];
const REASONS: Words = ['', '  ', ' \t', ' a\x80b', ' a\0b', 'OK', ' \x7f', ' a\rb'];
const LINE_ENDS: Words = ['\n', '\r', '\r\r\n', '\n\r\n', '\r\n\r\n'];
const COLONS: Words = [':', ' : ', ':\t', ': \t ', ''];
const NAMES: Words = [
  'X-A',
  'x-a',
  'Retry-After',
  'Content-Type',
  'WWW-Authenticate',
  '__proto__',
  'Set-Cookie',
  'X-\x80',
];
const VALUES: Words = ['1', 'a b', '', 'timeout=5', '\x80', 'a\x7f', '\0', 'a\rb', 'a, b', '\x0b', 'a\tb', '"q"'];
const LENGTHS: Words = ['+2', '-1', '2, 2', '2,3', '0x2', '2 ', '2 2', '', '02', '1e1', '2;a', '18446744073709551618'];
const LENGTH_NAMES: Words = ['Content-Length', 'content-length', 'CONTENT-LENGTH', 'Content_Length'];
const CODING_NAMES: Words = ['Transfer-Encoding', 'transfer-encoding', 'Transfer_Encoding'];
const CODINGS: Words = [
  'CHUNKED',
  'gzip, chunked',
  'chunked, gzip',
  'identity',
  'chunked, chunked',
  'xchunked',
  '',
  ',chunked',
];
const OTHER_LINES: Words = [
  ' folded',
  '\tfolded: x',
  'NoColon',
  ':x',
  'a b: c',
  '(x): 1',
  'Upgrade: h2c',
  'Connection: close',
];
const INTERIM: Words = [
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 103 E\r\nLink: x\r\n\r\n',
  'HTTP/1.1 102 P\r\nContent-Length: 3\r\n\r\n',
  'HTTP/1.1 103 E\r\nTransfer-Encoding: chunked\r\n\r\n',
  'HTTP/1.1 199 x\n\n',
];
const SIZES: Words = [
  '',
  '0x2',
  '-1',
  '+2',
  ' 2',
  '2 ',
  '2\t',
  'ffffffff',
  'fffffffff',
  '1000000002',
  '00000000000000002',
];
const EXTENSIONS: Words = [';a=b', ';a', ';a="b"', '; a=b', ';', ';a=', ';;', ';\0', ';a\rb', ';\n', ';a =b'];
const ENDS: Words = ['', '\n', '\r', '\r\n\r\n', 'x\r\n'];
const BYTES: Words = ['', '\r', '\n', '\0', ' ', ':', '0', '9', 'f', '\x80', '\r\n', '-', ',', ';', '\t'];

/** Returns an answer, each character a byte. The connection ends after it. */
export function generatedAnswer(random: Random): string {
  const often = (usual: string, odd: Words) => (random(ODD_OF) === 0 ? oneOf(random, odd) : usual);
  const lineEnd = () => often('\r\n', LINE_ENDS);
  const text = (length: number) =>
    Array.from({ length }, () => String.fromCharCode(random(4) === 0 ? random(256) : 97 + random(26))).join('');
  const header = () => {
    switch (random(4)) {
      case 0:
        return oneOf(random, LENGTH_NAMES) + often(': ', COLONS) + often(String(random(10)), LENGTHS);
      case 1:
        return oneOf(random, CODING_NAMES) + often(': ', COLONS) + often('chunked', CODINGS);
      case 2:
        return oneOf(random, NAMES) + often(': ', COLONS) + oneOf(random, VALUES);
      default:
        return oneOf(random, OTHER_LINES);
    }
  };
  const chunk = () => {
    const length = 1 + random(6);
    return often(length.toString(16), SIZES) + often('', EXTENSIONS) + lineEnd() + text(length) + lineEnd();
  };
  const chunks = () => {
    const trailer = random(6) === 0 ? header() + lineEnd() : '';
    return (
      Array.from({ length: random(4) }, chunk).join('') + often('0', SIZES) + lineEnd() + trailer + often('\r\n', ENDS)
    );
  };
  const more = random(3) === 0 ? header() + lineEnd() : '';
  const length = random(12);
  const body = [
    () => `Transfer-Encoding: chunked${lineEnd()}${more}${lineEnd()}${chunks()}`,
    () => `${more}Content-Length: ${length}${lineEnd()}${lineEnd()}${text(random(ODD_OF) === 0 ? random(14) : length)}`,
    () => `${more}${lineEnd()}${text(length)}`,
  ][random(3)] as () => string;
  const interim = random(8) === 0 ? oneOf(random, INTERIM) : '';
  const first = `${often('HTTP/1.1', VERSIONS)} ${often('200', STATUSES)}${often(' OK', REASONS)}${lineEnd()}`;
  const answer = interim + first + body();
  if (random(6) > 0) return answer;
  const at = random(answer.length);
  return answer.slice(0, at) + oneOf(random, BYTES) + answer.slice(at + random(2));
}
