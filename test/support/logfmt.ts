/**
 * A strict reader of logfmt, written from its grammar: pairs with one blank between them, each with a key and a value.
 * A value is a word or a JSON text in quotes.
 */
export function readLogfmt(line: string): readonly (readonly [string, string])[] {
  if (!/^[^\n\r]*\n$/.test(line)) throw new Error(`it is not one line: ${JSON.stringify(line)}`);
  const pairs: (readonly [string, string])[] = [];
  const pair = /([A-Za-z_][\w-]*)=("(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[0-9a-f]{4}))*"|[^\s"=\\\p{Cc}]+)( |\n)/uy;
  while (pair.lastIndex < line.length) {
    const at = pair.lastIndex;
    const [, key = '', value = '', end] = pair.exec(line) ?? [];
    if (end === undefined) throw new Error(`no pair at ${at}: ${line.slice(at, at + 80)}`);
    pairs.push([key, value.startsWith('"') ? JSON.parse(value) : value]);
    if (end === '\n') return pairs;
  }
  return pairs;
}

/** Texts that a wrong encoder writes as broken or forged log lines. */
export const INJECTIONS = [
  'a b',
  'a"b',
  'a=b',
  'a\\b',
  '\\u0041',
  'a\r\nb',
  'a\nlevel=error msg=forged',
  '" level=error msg="forged',
  '\t',
  '\u0000\u001b[31m\u007f\u0085\u009b',
  '\u2028\u2029',
  '\u202eevil\u2066\ufeff',
  '\u{e0041}',
  'héllo',
  '日本語',
  '🔑',
  "it's",
  '/',
  '[]',
  '{"a":"b"}',
  ' ',
];
