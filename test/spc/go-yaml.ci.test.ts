import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FILTERS } from '../../src/spc/template-filters.ts';
import { parseFirstDocument } from '../../src/spc/yaml/parse.ts';
import { int32Of, needsQuotes } from '../../src/spc/yaml/scalar.ts';
import type { Tree } from '../../src/spc/yaml/tree.ts';
import { goProgram } from '../support/go.ts';
import { parseManifests } from '../support/manifests.ts';
import { rounds } from '../support/rounds.ts';
import { TABLE, TextMaker } from './yaml-texts.ts';

/** The number of generated texts in addition to the table: some in every run, more in CI. */
const GENERATED = rounds(2000, 30_000);
const TEXTS = [
  'objectName',
  'objectAlias',
  'objectVersion',
  'objectType',
  'objectFormat',
  'objectEncoding',
  'filePermission',
];

interface GoObject extends Readonly<Record<string, string | number>> {
  readonly objectVersionHistory: number;
}
interface GoItem {
  readonly error?: string;
  readonly object?: GoObject;
}
interface GoAnswer {
  readonly objectsError?: string;
  readonly array: readonly string[];
  readonly item: GoItem;
  readonly manifestError?: string;
  readonly documents: readonly unknown[];
}

/** Returns Go's results for texts. */
function goAnswers(program: string, texts: readonly string[]): readonly GoAnswer[] {
  const input = JSON.stringify(texts.map((text) => Buffer.from(text).toString('base64')));
  return JSON.parse(execFileSync(program, { input, maxBuffer: 1 << 30 }).toString());
}

/** A value, or the reason why there is none. */
type Outcome = { readonly value: unknown } | { readonly refused: string; readonly line?: number };

/** Returns the text that the official provider reads, or undefined for null, which it ignores. */
function textOf(tree: Tree | undefined): string | undefined {
  if (tree === undefined || tree.kind === 'null') return undefined;
  if (tree.kind !== 'text') throw new Error(`cannot unmarshal ${tree.kind} into string`);
  return tree.text;
}

function outcomeOf(text: string, read: (document: Tree | undefined) => unknown): Outcome {
  const parsed = parseFirstDocument(text);
  if (!parsed.ok) return { refused: parsed.errors[0]?.message ?? '', line: parsed.errors[0]?.line ?? 1 };
  try {
    return { value: read(parsed.document) };
  } catch (error) {
    return { refused: String(error) };
  }
}

function fieldsOf(document: Tree | undefined): ReadonlyMap<string, { readonly value: Tree }> {
  if (document === undefined || document.kind === 'null') return new Map();
  if (document.kind !== 'map') throw new Error(`cannot unmarshal ${document.kind} into a struct`);
  return document.entries;
}

const ourItem = (text: string): Outcome =>
  outcomeOf(text, (document) => {
    const fields = fieldsOf(document);
    const history = fields.get('objectVersionHistory')?.value;
    const count = history === undefined || history.kind === 'null' ? 0 : int32Of(history);
    if (count === undefined) throw new Error('cannot unmarshal into int32');
    const texts = TEXTS.map((name) => [name, textOf(fields.get(name)?.value) ?? '']);
    return { ...Object.fromEntries(texts), objectVersionHistory: count };
  });

const ourArray = (text: string): Outcome =>
  outcomeOf(text, (document) => {
    const array = fieldsOf(document).get('array')?.value;
    if (array === undefined || array.kind === 'null') return [];
    if (array.kind !== 'list') throw new Error(`cannot unmarshal ${array.kind} into []string`);
    return array.items.flatMap((item) => textOf(item) ?? []);
  });

/** Deliberate differences: Go ignores a mistake that no field reads; the provider refuses the whole text. */
const STRICTER: readonly RegExp[] = [
  /^mapping key .* already defined at line/,
  /^a key must be text/,
  /^map merge requires map or sequence of maps/,
  /^cannot decode !!\w+ as a /,
  /^!!binary value contains invalid base64 data/,
  // An anchor that contains itself.
  /^it nests deeper than 100, or holds aliases that unfold to too many values/,
];

/** Deliberate differences: Go refuses the text and the provider accepts it. */
const LAXER: readonly RegExp[] = [
  // The number does not fit 64 bits, and no field can have such a value.
  /yaml: cannot decode !!int `\d{19,}` as a !!float/,
];

/** The fields that the official provider reads from an element and from the parameter. */
const READ = {
  item: new RegExp(`^(--- )?["']?(${TEXTS.join('|')}|objectVersionHistory)["']? ?:`),
  array: /^\s*(array: \[|- )(!\S*|!<\S+>) [^,\]]*\]?$/,
} as const;

/** Returns true for a refusal of a line from which Go reads nothing. */
function isStricter(
  { refused, line = 1 }: { readonly refused: string; readonly line?: number },
  text: string,
  kind: keyof typeof READ,
): boolean {
  const rule = STRICTER.find((one) => one.test(refused));
  if (rule === undefined) return false;
  const aboutValue = /^cannot decode|^!!binary/.test(refused);
  return !aboutValue || !READ[kind].test(text.split(/\r\n|[\n\r\u0085\u2028\u2029]/)[line - 1] ?? '');
}

/** Returns the description of a difference, or an empty text if there is none or a deliberate one. */
function difference(go: Outcome, ours: Outcome, text: string, kind: keyof typeof READ): string {
  if ('refused' in go)
    return 'refused' in ours || LAXER.some((rule) => rule.test(go.refused))
      ? ''
      : `Go refuses (${go.refused}), we read ${JSON.stringify(ours.value)}`;
  if ('refused' in ours)
    return isStricter(ours, text, kind) ? '' : `Go reads ${JSON.stringify(go.value)}, we refuse: ${ours.refused}`;
  const [wanted, got] = [JSON.stringify(go.value), JSON.stringify(ours.value)];
  return wanted === got ? '' : `Go reads ${wanted}, we read ${got}`;
}

function objectsDifference(text: string, go: GoAnswer): string {
  const { object, error } = go.item;
  const ordered = object && {
    ...Object.fromEntries(TEXTS.map((name) => [name, object[name]])),
    objectVersionHistory: object.objectVersionHistory,
  };
  const item = difference(error === undefined ? { value: ordered } : { refused: error }, ourItem(text), text, 'item');
  const list = difference(
    go.objectsError === undefined ? { value: go.array } : { refused: go.objectsError },
    ourArray(text),
    text,
    'array',
  );
  return item || list;
}

/** Deliberate differences: keys and values that no manifest has, and maps in braces that are nearly JSON. */
const LAXER_MANIFESTS: readonly RegExp[] = [
  ...LAXER,
  /unsupported map key of type/,
  /json: unsupported value: [-+]?(Inf|NaN)/,
  /^json: offset \d+: invalid character/,
];

/** Returns the first path at which a document differs from its JSON, or an empty text. */
function treeDifference(json: unknown, tree: Tree | undefined, path = ''): string {
  const found = `${path}: kubectl has ${JSON.stringify(json)}, we have ${JSON.stringify(tree)}`;
  if (tree === undefined) return found;
  if (json === null) return tree.kind === 'null' ? '' : found;
  if (typeof json === 'string') return tree.kind === 'text' && tree.text === json && !needsQuotes(tree) ? '' : found;
  if (typeof json !== 'object') return tree.kind === 'text' && needsQuotes(tree) ? '' : found;
  if (Array.isArray(json)) {
    if (tree.kind !== 'list' || tree.items.length !== json.length) return found;
    return json.map((item, index) => treeDifference(item, tree.items[index], `${path}[${index}]`)).find(Boolean) ?? '';
  }
  if (tree.kind !== 'map') return found;
  // JSON has other texts for keys that are numbers or booleans. No manifest has such keys.
  const plain = Object.entries(json).filter(([key]) => tree.entries.has(key));
  if (
    plain.length < tree.entries.size &&
    [...tree.entries.keys()].every((key) => /^[A-Za-z]{4,}$/.test(key) && !/^(true|false|null)$/i.test(key))
  )
    return found;
  return (
    plain.map(([key, value]) => treeDifference(value, tree.entries.get(key)?.value, `${path}.${key}`)).find(Boolean) ??
    ''
  );
}

function manifestDifference(text: string, go: GoAnswer): string {
  const ours = parseManifests(text);
  if (go.manifestError !== undefined) {
    const known = !ours.ok || LAXER_MANIFESTS.some((rule) => rule.test(go.manifestError ?? ''));
    return known ? '' : `kubectl refuses (${go.manifestError}), we take it`;
  }
  const documents = go.documents.filter((document) => document !== null);
  if (!ours.ok) {
    const message = ours.errors[0]?.message ?? '';
    // kubectl ignores what follows a document that is not a map.
    if (
      STRICTER.some((rule) => rule.test(message)) ||
      documents.some((one) => typeof one !== 'object' || Array.isArray(one))
    )
      return '';
    return `kubectl reads ${JSON.stringify(documents)}, we refuse: ${message}`;
  }
  const trees = ours.documents.filter(({ kind }) => kind !== 'null');
  if (trees.length !== documents.length) return `kubectl has ${documents.length} documents, we have ${trees.length}`;
  return documents.map((document, index) => treeDifference(document, trees[index], `${index}`)).find(Boolean) ?? '';
}

const program = goProgram('go-yaml');

describe.skipIf(program === '')("Go's YAML readers", () => {
  const generated = Array.from({ length: GENERATED }, (_, index) => new TextMaker(index + 1).text());
  const sources: readonly (readonly [string, readonly string[]])[] = [
    [`${TABLE.length} texts of the table`, TABLE],
    [`${GENERATED} generated texts`, generated],
  ];

  describe.each(sources)('on %s', (_, texts) => {
    const answers = goAnswers(program, texts);
    const differences = (compare: (text: string, go: GoAnswer) => string) =>
      texts.flatMap((text, index) => {
        const answer = answers[index];
        const found = answer === undefined ? 'no answer' : compare(text, answer);
        return found === '' ? [] : [`${JSON.stringify(text)}: ${found}`];
      });

    test('the official provider’s has the same objects', () => {
      expect(differences(objectsDifference).slice(0, 20)).toEqual([]);
      // The comparison is only useful if many texts are valid.
      expect(answers.filter(({ item }) => item.object !== undefined).length).toBeGreaterThan(texts.length / 8);
    });

    test('kubectl’s has the same manifests', () => {
      expect(differences(manifestDifference).slice(0, 20)).toEqual([]);
      expect(answers.filter(({ manifestError }) => manifestError === undefined).length).toBeGreaterThan(
        texts.length / 8,
      );
    });
  });

  test('read back what the filter yaml of templates writes', () => {
    const samples = fc.sample(fc.string({ unit: 'binary', maxLength: 20 }), { numRuns: rounds(200, 3000), seed: 5 });
    const texts = ['', '- a: b # c', 'a\r\n\tb', '\u0085\u2028\ufeff\u007f\u009b', 'no', '0123', ...samples].map(
      (text) => Buffer.from(text).toString(),
    );
    const answers = goAnswers(
      program,
      texts.map((text) => `objectName: ${FILTERS.yaml(text)}\n`),
    );
    expect(answers.map(({ item }) => item.object?.objectName)).toEqual(texts);
  });
});
