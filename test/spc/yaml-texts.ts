/**
 * Texts for the comparison with Go's YAML readers: a table of real-world texts, and generated texts with all syntax.
 */
import { numbers } from '../support/numbers.ts';

const NAMES = ['objectName', 'objectAlias', 'objectType', 'objectVersion', 'objectFormat', 'objectEncoding'] as const;
const FIELDS = [...NAMES, 'objectVersionHistory', 'filePermission', 'other'] as const;

const COMMENTS = ['', ' # c', '#c', '\t# c', '  #c: d', " # '", ' #"', '#', ' #'];
const BREAKS = ['\n', '\r\n', '\r', '\u0085', '\u2028', '\u2029'];
const TAGS = ['!!str', '!!int', '!!float', '!!bool', '!!null', '!!binary', '!!timestamp', '!', '!local', '!!merge'];
const VERBATIM_TAGS = [
  '!<tag:yaml.org,2002:str>',
  '!<tag:yaml.org,2002:int>',
  '!<toString>',
  '!!map',
  '!!seq',
  '!a%41',
  '!e!x',
  '!<x',
  '!!',
];
const WORDS = [
  ...[
    's1',
    'my-secret',
    'a b',
    'é',
    'a,b',
    'a\tb',
    'x:y',
    'x#y',
    '?x',
    ':x',
    '-x',
    "a'b",
    'a"b',
    'a: b',
    '- a',
    '@a',
    '%a',
    '`a',
  ],
  ...[
    '0755',
    '0o17',
    '0x1F',
    '0b11',
    '08',
    '1e3',
    '1_000',
    '+1',
    '-0',
    '.5',
    '5.',
    '5.7',

    '.inf',
    '-.INF',
    '.nan',
  ],
  ...[
    '3000000000',
    '-2147483648',
    '9223372036854775808',
    '99999999999999999999999',
    '_5',
    '-_5',
    '+_0x1F',
    '-_.5',
    '-.nan',
    '.NaN',
    '5_',
    '0x',
    '0x1_F',
    '1__0',
    '0.5e',
  ],
  ...['true', 'TRUE', 'TrUe', 'yes', 'No', 'on', 'y', '~', 'null', 'Null', 'NULL', 'nUll', '', '<<', '='],
  ...[
    '2020-01-01',
    '2020-1-1',
    '2020-13-01',
    '2020-02-30',
    '2001-12-14t21:59:43.10-05:00',
    '2001-12-14 21:59:43',
    '12:30:45',
  ],
  ...[
    'aGk=',
    'aGk',
    'http://a/b?c=d',
    '---',
    '...',
    '[x]',
    '{x}',
    '{{ .Values.x }}',
    '*a',
    '&a',
    '!',
    '|',
    '>',
    '"',
    "'",
  ],
];
const QUOTED = [
  ...[
    '"s1"',
    "'s1'",
    '""',
    "''",
    '"5"',
    "'5'",
    '"a\\tb"',
    '"\\x41\\u00e9\\U0001F511"',
    '"\\/"',
    '"\\q"',
    '"\\ud800"',
    "'it''s'",
  ],
  ...[
    '"\\N\\_\\L\\P\\0\\a\\b\\e\\v\\f"',
    '"a\\\n  b"',
    '"a\\\nb"',
    '"a\nb"',
    "'a\nb'",
    '"a\n\n  b"',
    '"a \n \t b"',
    '"a\n---\nb"',
    '"a',
    "'a",
  ],
];

/** Returns `objectAlias: value` as one element, and in the parameter. */
function around(value: string): string[] {
  const item = `objectName: s1\nobjectAlias: ${value}\nobjectType: secret\n`;
  return [item, `array:\n  - |\n${item.replaceAll(/^(?=.)/gm, '    ')}`];
}

const blockHeaders = [
  '|',
  '>',
  '|-',
  '>+',
  '|2',
  '|2-',
  '>-2',
  '|0',
  '|10',
  '|x',
  '|#c',
  '| #c',
  '>-#c',
  '|\t#c',
  '>  ',
];
const blockLines = [
  '  text\n',
  '    text\n   less\n',
  '  a\n\n  b\n',
  '  a\n    b\n  c\n',
  '\n\n  a\n',
  '   \n  a\n',
  '\ttab\n',
  '  \ttab\n',
  ' a\n  b\n',
  '',
  '\n',
];

/** Contents of the parameter or of one element, as people write them. */
export const TABLE: readonly string[] = [
  ...[...WORDS, ...QUOTED].flatMap((value) => COMMENTS.flatMap((comment) => around(value + comment))),
  ...[...TAGS, ...VERBATIM_TAGS].flatMap((tag) =>
    [...WORDS, ...QUOTED.slice(0, 6), '|\n  5', '[a]', '{a: b}'].flatMap((value) => [
      `objectAlias: ${tag} ${value}\n`,
      `objectVersionHistory: ${tag} ${value}\n`,
      `array: [${tag} ${value}]\n`,
    ]),
  ),
  ...[...WORDS, ...QUOTED].flatMap((value) => [
    `objectVersionHistory: ${value}\n`,
    `array:\n- ${value}\n`,
    `${value}: s1\n`,
    value,
  ]),
  ...blockHeaders.flatMap((header) =>
    blockLines.map((lines) => `objectAlias: ${header}\n${lines}objectType: secret\n`),
  ),
  ...blockHeaders.flatMap((header) =>
    blockLines.map((lines) => `array:\n  - ${header}\n${lines.replaceAll(/^(?=.)/gm, '  ')}`),
  ),
  ...BREAKS.flatMap((end) =>
    [
      'objectName: s1\nobjectAlias: |\n  a\n\n  b\n',
      'objectName: "a\n  b"\n',
      'objectName: a\n  b\n',
      'array:\n- a\n- b\n',
      '# c\na: b\n',
    ].map((text) => text.replaceAll('\n', end)),
  ),
  ...[
    '\uFEFF',
    '---\n',
    '--- ',
    '---\t',
    '--- # c\n',
    '...\n',
    '%YAML 1.1\n---\n',
    '%YAML 1.2\n---\n',
    '%YAML 1.1\n%YAML 1.1\n---\n',
    '%FOO\n---\n',
    '%TAG !e! tag:x,2000:\n---\n',
    '\n',
    '\t\n',
    ' ',
    '# c\n',
    '\n# c\n\t# d\n',
  ].map((start) => `${start}objectName: s1\nobjectType: !e!x secret\n`),
  ...[
    '---\n',
    '...\n',
    '--- x\n',
    '...\nfoo: bar\n',
    '---\nfoo: [\n',
    '\0',
    '#end',
    '\t',
    '  ',
    '\uFEFF',
    '... # c\n',
    ']',
    '}',
    '@',
    '"',
  ].map((end) => `objectName: s1\nobjectType: secret\n${end}`),
  ...[
    '[a, b]',
    '[a, b,]',
    '[a,,b]',
    '[,a]',
    '[a b]',
    '[a: b]',
    '[? a: b]',
    '["a":b]',
    '[a:b]',
    '[a',
    '[a}',
    ']',
    '[\na\n]',
    '[\n  a,\n]',
    '[a]#c',
    '[a] #c',
    '[a]b',
    '[#c\na]',
    '[]',
    '[ ]',
    '[~]',
    '[*a]',
    '[&a b, *a]',
    '[-]',
    '[- a]',
    '[|\n a]',
  ].flatMap((list) => [`array: ${list}\n`, `array:\n  ${list}\n`, list, `objectAlias: ${list}\n`]),
  ...[
    '{}',
    '{objectName: a}',
    '{objectName:a}',
    '{"objectName":a}',
    '{"objectName":"a"}',
    '{objectName: a,}',
    '{objectName}',
    '{objectName:}',
    '{? objectName : a}',
    '{: a}',
    '{objectName: a',
    '{objectName: [a}',
    '{objectName: a}#c',
    '{\nobjectName: a\n}',
    '{objectName: a, objectName: b}',
    '{objectName: a\n,objectType: b}',
    '{,}',
    '{objectName: {a: b}}',
    "{'objectName' : 'a'}",
  ].flatMap((map) => [map, `array: [${map}]\n`, `array:\n- ${map}\n`, ` ${map}`, `\t${map}`]),
  ...[
    '? objectName\n: a\n',
    '? objectName',
    ': a',
    '? ',
    '"objectName" : a\n',
    "'objectName':\ta\n",
    'objectName:a\n',
    'objectName : a\n',
    'objectName:  a  \n',
    'objectName:\n a\n',
    'objectName:\na\n',
    'objectName:\n- a\n',
    'objectName: a\n b: c\n',
    'objectName: a\nobjectType\n',
    'objectName: a\nobjectType\nobjectAlias: b\n',
    ' objectName: a\nobjectType: b\n',
    'objectName: a\n objectType: b\n',
    'objectName: a\n\tobjectType: b\n',
    '\tobjectName: a\n',
    'objectName: a\n\n\t\nobjectType: b\n',
    'objectName: - a\n',
    'objectName: a: b\n',
    'objectName: "a": b\n',
    'objectName: "a" b\n',
    'objectName: a\nobjectName: b\n',
    '"objectName": a\nobjectName: b\n',
    'objectName: &a\n',
    'objectName: &a b\nobjectType: *a\n',
    '# c\n\t# d\nobjectName: a\n',
    'objectName: a\n  # c\n\t# d\nobjectType: b\n',
    'objectName: |\n  a\n # c\n\t# d\nobjectType: b\n',
    'objectName: *a\n',
    'objectName: &a *a\n',
    '&a objectName: b\nobjectType: *a\n',
    'objectName: &a-b_1 b\nobjectType: *a-b_1\n',
    'objectName: &é b\n',
    '*a : b\n',
    '!!str objectName: a\n',
    `${'k'.repeat(1100)}: a\n`,
    `? ${'k'.repeat(1100)}\n: a\n`,
    '"objectName\n": a\n',
  ],
  ...[
    '<<: {objectName: a}\n',
    'x: &x {objectName: a, objectType: b}\n<<: *x\nobjectType: c\n',
    '<<: [{objectName: a}, {objectName: b, objectType: c}]\n',
    '<<: a\n',
    '<<: [a]\n',
    '<<: {objectName: a}\n<<: {objectType: b}\n',
    '"<<": {objectName: a}\n',
    '!!merge <<: {objectName: a}\n',
    'objectName: <<\n',
    '<<:\n',
    'other: {<<: a}\n',
    'other: {a: 1, a: 2}\n',
    'other: !!int x\n',
    '<<: {<<: {objectName: a}}\n',
  ],
  ...[
    'array:\n- |\n  objectName: a\n- |\n  objectName: b\n',
    'array:\n  - |\n    a: "\n  - |\n    b: c\n',
    'array:\n-\n- ~\n- a\n',
    'array:\n- a\n - b\n',
    'array:\n  - a\n- b\n',
    'array:\n- - a\n',
    'array: - a\n',
    '- a\n',
    'array:\n- &x |\n  objectName: a\n- *x\n',
    'array: ~\n',
    'array: ""\n',
    'array: a\n',
    '',
    '\n',
    '# c\n',
    'null',
    '~',
    'a',
    'foo: bar\n',
    'Array: [a]\n',
    'array: [a]\narray: [b]\n',
    'array:\n- !!binary aGk=\n- !!int 5\n- 2020-01-01\n- 0x1F\n',
  ],
];

/** Generates one text, usually well formed, from a seed. */
export class TextMaker {
  readonly #random: (below: number) => number;
  readonly #end: string;

  constructor(seed: number) {
    this.#random = numbers(seed);
    this.#end = this.#pick('\n', '\n', '\n', '\n', '\r\n', '\r');
  }

  text(): string {
    const body = this.#random(2) === 0 ? this.#fields('') : this.#array();
    return this.#start() + body + this.#tail();
  }

  #pick<T>(...from: readonly T[]): T {
    const picked = from[this.#random(from.length)];
    if (picked === undefined) throw new Error('nothing to pick from');
    return picked;
  }

  /** Returns true in this number of a hundred cases. */
  #in100(cases: number): boolean {
    return this.#random(100) < cases;
  }

  #repeat(most: number, part: (index: number) => string): string {
    return Array.from({ length: this.#random(most + 1) }, (_, index) => part(index)).join('');
  }

  #br(): string {
    return this.#in100(90) ? this.#end : this.#pick(...BREAKS, '\n\n');
  }

  #start(): string {
    if (this.#in100(85)) return '';
    return this.#pick(
      '\uFEFF',
      '---\n',
      '--- ',
      '%YAML 1.1\n---\n',
      '%YAML 1.2\n---\n',
      '%TAG !e! tag:e,2000:\n---\n',
      '# c\n',
      '\n',
      '\t\n',
      '---\t',
      '...\n',
      '%FOO x\n---\n',
    );
  }

  #tail(): string {
    if (this.#in100(85)) return '';
    return this.#pick(
      '---\n',
      '...\n',
      '--- x\n',
      '...\nfoo: bar\n',
      '---\nfoo: [\n',
      '#end',
      '\t',
      '  ',
      '... # c\n',
      '...x\n',
    );
  }

  #array(): string {
    const indent = this.#pick('  ', '  ', '', '    ', ' ');
    const items = this.#item(indent) + this.#repeat(2, () => this.#item(indent));
    return `array:${this.#pick('', '', '', ' # c', ' &a', ' !!seq', '#c')}${this.#br()}${items}`;
  }

  #item(indent: string): string {
    const kind = this.#random(10);
    if (kind < 6) {
      const head =
        this.#pick('', '', '&a ', '!!str ') + this.#pick('|', '|', '|', '>', '|-', '|+', '|2', '|2', '|#c', '| # c');
      return `${indent}- ${head}${this.#br()}${this.#fields(`${indent}    `)}`;
    }
    if (kind < 7) return `${indent}- ${this.#fields('').replaceAll(/\n(?=.)/g, `\n${indent}  `)}`;
    if (kind < 8)
      return `${indent}-${this.#pick(' ', '\t', '', ' ')}${this.#scalar(false, indent)}${this.#comment()}${this.#br()}`;
    if (kind < 9) return `${indent}- ${this.#flow(0, indent)}${this.#comment()}${this.#br()}`;
    return `${indent}${this.#pick('- - ', '- ? ', '-', '- *a')}${this.#scalar(false, indent)}${this.#br()}`;
  }

  #fields(indent: string): string {
    return this.#field(indent) + this.#repeat(3, () => this.#between() + this.#field(indent));
  }

  #between(): string {
    if (this.#in100(94)) return '';
    return this.#pick('# c', '', '\t', ' ', '---', '...', '  # c', '\t# c') + this.#br();
  }

  #field(indent: string): string {
    const sep = this.#pick(':', ':', ':', ':', ':', ':', ':', ' :', ': ', ':\t');
    return `${this.#in100(95) ? indent : indent + this.#pick(' ', '\t', '  ')}${this.#key()}${sep}${this.#value(indent)}${this.#br()}`;
  }

  #key(): string {
    if (this.#in100(80)) return this.#pick(...FIELDS);
    return this.#pick(
      '"objectName"',
      "'objectType'",
      '? objectName',
      '?',
      '"a":',
      '!!str k',
      '&k key',
      '*a',
      '[a]',
      '{a: b}',
      'a b',
      'a#b',
      'a #b',
      '<<',
      '~',
      'null',
      '',
      '5',
      "''",
      '- x',
      '=',
      `"multi${this.#br()} line"`,
    );
  }

  #value(indent: string): string {
    const kind = this.#random(100);
    if (kind < 62) return ` ${this.#scalar(false, indent)}${this.#comment()}`;
    if (kind < 74) return ` ${this.#tag()}${this.#anchor()}${this.#block(indent)}`;
    if (kind < 86) return ` ${this.#tag()}${this.#anchor()}${this.#flow(0, indent)}${this.#comment()}`;
    if (kind < 90)
      return `${this.#comment()}${this.#br()}${indent}${this.#pick('  ', '    ', ' ', '')}${this.#scalar(false, indent)}`;
    return (kind < 95 ? '\t' : ':') + this.#scalar(false, indent);
  }

  #comment(): string {
    return this.#in100(75) ? '' : this.#pick(...COMMENTS);
  }

  #tag(): string {
    return this.#in100(88) ? '' : `${this.#pick(...TAGS, ...VERBATIM_TAGS)} `;
  }

  #anchor(): string {
    return this.#in100(92) ? '' : this.#pick('&a ', '&b ', '&a-b ', '&a.b ', '&é ', '&a', '& ');
  }

  #scalar(flow: boolean, indent: string): string {
    const front = this.#tag() + this.#anchor();
    const kind = this.#random(100);
    if (kind < 35) return front + (flow ? this.#pick('s1', '5', 'a b', 'x:y', '', '-x') : this.#plain(indent));
    if (kind < 55)
      return `${front}"${this.#repeat(4, () => this.#pick('my', ' ', '\\n', '\\x41', '\\u00e9', '\\"', '\\\\', '\\/', '\\ ', '\\_', '\\e', '#', '# x', ': ', "'", '{', '\t', this.#fold(indent), `\\${this.#br()}`, '\\q', '\\ud800'))}"`;
    if (kind < 72)
      return `${front}'${this.#repeat(4, () => this.#pick('my', ' ', "''", '\\n', '"', '#', '# x', ': ', '- ', '{', '\t', this.#fold(indent)))}'`;
    if (kind < 76) return this.#pick('*a', '*a', '*b', '*zz', '*a ', '* a');
    return front + (kind < 82 ? this.#pick(...WORDS) : this.#pick('s1', 'my-secret', 'secret', '5'));
  }

  /** Returns a line break and the blanks that may follow it inside a scalar. */
  #fold(indent: string): string {
    if (this.#in100(60)) return ' ';
    return (
      this.#br() +
      this.#pick('', indent, `${indent}  `, ' ', '\t', '    ') +
      this.#pick('', '', 'file', '#f', '- x', '---', 'k: v')
    );
  }

  #plain(indent: string): string {
    const word = this.#pick(
      's1',
      'my-secret',
      'a b',
      '0755',
      'true',
      '~',
      'x:y',
      'x#y',
      'é',
      'a\tb',
      '?x',
      ':x',
      "a'b",
      '',
    );
    if (this.#in100(92)) return word;
    return (
      word +
      this.#br() +
      this.#pick(`${indent}  `, `${indent} `, '    ', '\t', ' ') +
      this.#pick('more', '#no', '- x', 'k: v', '"q"')
    );
  }

  #block(indent: string): string {
    const pad = indent + this.#pick('  ', '  ', '  ', '    ', ' ', '', '\t');
    const line = () =>
      this.#in100(12)
        ? this.#pick('', ' ', pad, `${pad} `, '\t')
        : pad +
          this.#pick('', '', '', ' ', '  ', '\t') +
          this.#pick('text', 'k: v', '# no', '"q', '- x', 'a b', '---', '');
    return this.#pick(...blockHeaders) + this.#repeat(4, () => this.#br() + line());
  }

  #flow(depth: number, indent: string): string {
    const [open, close] = this.#pick(['[', ']'] as const, ['{', '}'] as const);
    const value = () => (depth < 2 && this.#in100(20) ? this.#flow(depth + 1, indent) : this.#scalar(true, indent));
    const entry = () =>
      open === '['
        ? this.#in100(15)
          ? this.#pick('a: b', 'a: ', '? a: b', '"a":b', ':a', ': a', 'a:b')
          : value()
        : this.#pick(...NAMES, '"a"', "'b'", '[x]', '? k', '*x', '') +
          this.#pick(': ', ':', ' : ', '', ' :', `: ${this.#br()}`) +
          value();
    const gap = () => this.#pick(', ', ',', ' ,', `,${this.#br()}`, ',,', `, #c${this.#br()}`);
    const entries =
      this.#repeat(3, (index) => (index > 0 ? gap() : '') + entry()) + this.#pick('', ',', ' ', this.#br());
    return (
      open + this.#pick('', '', ' ', this.#br(), '\t') + entries + (this.#in100(97) ? close : this.#pick(']', '}', ''))
    );
  }
}
