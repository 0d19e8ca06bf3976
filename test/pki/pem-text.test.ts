import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readBundle } from '../../src/pki/bundle.ts';
import { splitPem } from '../../src/pki/official-pem.ts';
import { readPem } from '../../src/pki/pem.ts';
import { fingerprints, issue, issueChain, keyPem, pemOf } from '../support/pki.ts';
import { rounds } from '../support/rounds.ts';
import { findTool, toolDirectory } from '../support/tools.ts';

const { leaf, certificates } = await issueChain();
const key = keyPem(leaf.key);
const chain = pemOf(certificates);
const old = pemOf([(await issue({ name: 'old.example' })).certificate]);
const oldOnOneLine = old.trimEnd().replaceAll('\n', ' ');
const begin = '-----BEGIN CERTIFICATE-----';
const end = '-----END CERTIFICATE-----';
const behind = (mark: string) => old.trimEnd().replace(/^/gm, mark);

/** Texts that contain BEGIN but that OpenSSL and Go do not read as blocks. */
const TEXTS: readonly (readonly [string, string])[] = [
  ['a block behind #', behind('# ')],
  ['a block behind # without blanks', behind('#')],
  ['a block behind ;', behind('; ')],
  ['a block behind //', behind('// ')],
  ['a block quoted as mail', behind('> ')],
  ['a block quoted as mail twice', behind('>> ')],
  ['a block in a comment of C', behind(' * ')],
  ['a block on one line behind #', `# ${oldOnOneLine}`],
  ['blocks on one line behind #', `# ${oldOnOneLine} ${oldOnOneLine}`],
  ['a block in JSON', JSON.stringify({ old })],
  ['a block behind a name', `old="${old.trimEnd()}"`],
  ['a name of a CA', `# CA with ${begin} in its name`],
  ['four dashes', '# CA with ----BEGIN CERTIFICATE----?'],
  ['how to copy it', `Copy everything from ${begin} to ${end}, these lines too.`],
  ['how to copy it, in words that are base64', `copy ${begin} here ${end}`],
  ['how to copy it, at the start of a line', `${begin} and ${end} are the first and the last line.`],
  ['a first line by itself, at its end', `It starts with ${begin}`],
  ['a last line by itself', `It ends with ${end}`],
  ['a last line at the start of a line', end],
  ['a first line in quotes', `"${begin}"`],
  ['a first line in Markdown', `\`${begin}\``],
  ['a block cut off behind #', `# ${begin}\n# MIIB`],
  ['a first line behind #, the rest not', `# ${begin}\nMIIB`],
  ['an indented example', `Use it like this:\n    ${begin}\n    ...\n    ${end}`],
  ['an indented example with words', `\t${begin}\n\tthe certificate\n\t${end}`],
  ['an indented first line', ` ${begin}\nfollows below`],
  ['a label in small letters', 'see -----BEGIN certificate----- below'],
  ['another label', 'a -----BEGIN PRIVATE KEY----- and -----BEGIN OPENSSH PRIVATE KEY----- may not stand here'],
  ['a rule', `${'-'.repeat(70)}`],
  ['a long line', `${'x'.repeat(5000)} ${begin} ${' '.repeat(300)}${begin} x`],
  ['bag attributes', 'Bag Attributes\n    friendlyName: -----BEGIN CERTIFICATE-----\nKey Attributes: <No Attributes>'],
  ['the subject', `subject=CN = ${begin}\nissuer=CN = ${begin}`],
];

const blocksIn = (text: string) => readPem(text).map(({ label, der }) => `${label} ${der.toString('base64')}`);
const expected = blocksIn(key + chain);
const [one = '', two = '', three = ''] = certificates.map(String);

describe('text between blocks that mentions BEGIN', () => {
  const places = (text: string) => [
    `${text}\n${key}${chain}`,
    `${key}${one}${text}\n${two}${three}`,
    `${key}${chain}${text}`,
    `${text}\r\n${(key + chain).replaceAll('\n', '\r\n')}${text}`,
    `${text}\n${(key + chain).replace(/^/gm, '  ')}\n${text}\n`,
  ];

  it.each(TEXTS)('is passed over: %s', async (what, text) => {
    for (const content of places(text)) {
      // Before the first block, this text determines the type of the content.
      if (what === 'a block behind a name' && content.startsWith(text)) continue;
      expect(blocksIn(content)).toEqual(expected);
      const bundle = await readBundle(Buffer.from(content));
      expect([fingerprints(bundle.certificates), bundle.keys.length]).toEqual([fingerprints(certificates), 1]);
      expect(splitPem(content)).toEqual({ certificates: chain, keys: key });
    }
  });

  it('may stand behind a block on its last line', () => {
    for (const text of [`# ${oldOnOneLine}`, ` see ${begin}`, `, then ${old}`]) {
      expect(blocksIn(`${key}${one.trimEnd()}${text}\n${two}${three}`)).toEqual(expected);
    }
  });

  it('never changes what is read', () => {
    const word = fc.constantFrom(begin, end, 'MIIB', '#', '> ', '"', '=', ': ', '\\n', ' ', '-----', oldOnOneLine, 'x');
    const line = fc
      .oneof(
        fc.string(),
        fc.string({ unit: 'binary' }),
        fc.array(word, { maxLength: 8 }).map((words) => words.join('')),
      )
      .filter((text) => !/[\r\n]/.test(text) && !/^[\s\ufeff\xa0\xc2\xef\xbb\xbf]*-----BEGIN /.test(text));
    const text = fc.oneof(
      fc.constantFrom(...TEXTS.map(([, one]) => one)),
      fc.array(line, { maxLength: 4 }).map((lines) => lines.join('\n')),
    );
    const comment = text.map((lines) => lines.replace(/^/gm, '# '));
    fc.assert(
      fc.property(comment, fc.array(text, { minLength: 4, maxLength: 4 }), (before, [a, b, c, d]) => {
        const content = `${before}\n${key}${a}\n${one}${b}\n${two}\n${c}\n${three}${d}`;
        expect(blocksIn(content)).toEqual(expected);
      }),
      { numRuns: rounds(30, 100) },
    );
  });

  it('does not make a damaged block good', () => {
    const cut = `${key}${one}${begin}\nMIIB\n${two}`;
    expect(() => readPem(cut)).toThrow('has a block BEGIN CERTIFICATE');
    expect(() => readPem(`${key}${one}${begin}\nM!IB\n${end}\n`)).toThrow('is not base64');
    expect(() => readPem(`${key}${one.trimEnd()}${begin}\nM!IB\n${end}\n`)).toThrow('is not base64');
    expect(() => readPem(`${key}${one}${begin} MIIBIjANBgkqhkiG9w0 ${two}`)).toThrow('without its END');
    for (const [, text] of TEXTS) {
      expect(() => readPem(`${text}\n${one}${begin}\nM!IB\n${end}\n${text}`)).toThrow('is not base64');
    }
  });

  it('is damaged where there is nothing else', () => {
    expect(() => readPem(`# CA with ${begin} in its name`)).toThrow('(line 1) without its END');
    expect(() => readPem(behind('# '))).toThrow('has a block CERTIFICATE (line 1) that is not base64');
    expect(() => readPem(`# ${begin} x\n\n${begin}\n`)).toThrow('(line 3) without its END');
  });
});

describe('blocks of a text without line breaks of its own', () => {
  const all = key + chain;
  const flat = all.replaceAll('\n', ' ');
  const escaped = all.replaceAll('\n', '\\n');
  const attributes = `Bag Attributes\n    friendlyName: x\n${key}Bag Attributes: <Empty>\n${chain}`;
  it.each([
    ['on one line', flat],
    ['on one line behind text', `key and chain: ${flat}`],
    ['on one line with bag attributes', attributes.replaceAll('\n', ' ')],
    ['on one line, the text after the first block', flat.replace(/(-----END [A-Z ]+-----)/, '$1 subject=x ')],
    ['with \\n as two characters', escaped],
    ['with \\n as two characters and attributes', attributes.replaceAll('\n', '\\n')],
    ['as a JSON string', JSON.stringify(all)],
    ['in JSON', JSON.stringify({ key, chain, other: { begin } })],
    ['in JSON over lines', JSON.stringify({ key, parts: [one, two, three] }, undefined, 2)],
    ['in quotes', `"${all}"`],
    ['in the quotes of a shell', `'${all.trimEnd()}'`],
    ['as variables', `TLS_KEY="${key}"\nTLS_CRT="${chain}"\n`],
    [
      'as variables on one line each',
      `TLS_KEY=${key.trimEnd().replaceAll('\n', '\\n')}\nTLS_CRT="${chain.replaceAll('\n', '\\n')}"`,
    ],
    ['as values of YAML', `key: "${key.replaceAll('\n', '\\n')}"\nchain: "${chain.replaceAll('\n', '\\n')}"\n`],
    ['as blocks of YAML', `key: |\n${key.replace(/^/gm, '  ')}chain: |\n${chain.replace(/^/gm, '  ')}`],
    ['joined', all.replaceAll('-----\n-----', '----------')],
    ['with marks of byte order', `\ufeff${key}\ufeff${chain}`],
    ['with marks of byte order in Latin-1', Buffer.from(`\ufeff${key}\ufeff${chain}`).toString('latin1')],
    ['with line breaks of old Macs', all.replaceAll('\n', '\r')],
  ])('are read %s', (_, text) => {
    expect(blocksIn(text)).toEqual(expected);
  });
});

describe.skipIf(!findTool('openssl'))('openssl', () => {
  const { dir, put, run } = toolDirectory();

  it.each(TEXTS)('passes over the same: %s', async (_, text) => {
    put('text.pem', `${one}${text}\n${two}${text}\n${three}`);
    run('openssl', 'crl2pkcs7', '-nocrl', '-certfile', 'text.pem', '-outform', 'DER', '-out', 'text.p7b');
    const { certificates: read } = await readBundle(readFileSync(join(dir, 'text.p7b')));
    expect(fingerprints(read)).toEqual(fingerprints(certificates));
  });
});
