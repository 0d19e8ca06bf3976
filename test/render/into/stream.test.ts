import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { applyChanges } from '../../../src/render/into/changes.ts';
import { mountInto } from '../../../src/render/into/mount-into.ts';
import { rounds } from '../../support/rounds.ts';
import { CLASS_NAME, filter, RESOURCE } from './streams.ts';

/** Data whose types a rewriting in YAML could change, with texts that YAML 1.1 takes for other types. */
const scalar = fc.constantFrom<unknown>(
  'yes',
  'on',
  '0010',
  '1e3',
  '',
  'a: b',
  '# c',
  'é\n  x\n\n',
  'x\ny',
  10,
  1.5,
  true,
  null,
  '~',
  '<<',
  'no',
);
const extra = fc.dictionary(
  fc.constantFrom('a', 'b', 'on', 'c-d'),
  fc.oneof(scalar, fc.array(scalar, { maxLength: 3 })),
  { maxKeys: 3 },
);
const volumes = fc.constantFrom(
  undefined,
  null,
  [],
  [{ name: 'd', emptyDir: {} }],
  [{ emptyDir: {}, name: 'd' }, { name: 'e' }],
);
const mounts = fc.constantFrom(undefined, null, [], [{ name: 'd', mountPath: '/d' }]);
const item = fc.constantFrom(
  undefined,
  'main=BrokerListener/front',
  'side=BrokerListener/front:/tls',
  'main=BrokerListener/front,side=BrokerListener/front',
);

const pod = fc.record({ item, volumes, mounts, extra, last: extra }).map((given) => ({
  metadata: {
    labels: { a: 'b' },
    ...(given.item === undefined ? {} : { annotations: { 'akv-csi/mount': given.item } }),
  },
  spec: withoutUndefined({
    ...given.extra,
    containers: [
      withoutUndefined({ name: 'main', volumeMounts: given.mounts, ...given.extra }),
      { ...given.last, name: 'side' },
    ],
    volumes: given.volumes,
    ...given.last,
  }),
}));
const workload = fc
  .record({ pod, extra, kind: fc.constantFrom('Deployment', 'CronJob', 'Pod') })
  .map(({ pod: template, extra: data, kind }) => {
    const head = { apiVersion: 'v1', kind };
    if (kind === 'Pod') return { ...head, ...template };
    const spec = { ...data, template };
    return { ...head, metadata: { name: 'w' }, spec: kind === 'Deployment' ? spec : { jobTemplate: { spec } } };
  });

interface Style {
  readonly form: 'block' | 'flow' | 'json' | 'pretty';
  readonly indent: number;
  readonly indentSeq: boolean;
  readonly comment: boolean;
}
const style: fc.Arbitrary<Style> = fc.record({
  form: fc.constantFrom('block', 'block', 'block', 'flow', 'json', 'pretty'),
  indent: fc.constantFrom(2, 4),
  indentSeq: fc.boolean(),
  comment: fc.boolean(),
});

function written(data: unknown, { form, indent, indentSeq, comment }: Style): string {
  const json = JSON.stringify(data, null, form === 'pretty' ? indent : 0);
  if (form === 'json' || form === 'pretty') return `${json}\n`;
  const text = stringify(data, {
    version: '1.1',
    indent,
    indentSeq,
    collectionStyle: form === 'flow' ? 'flow' : 'any',
    aliasDuplicateObjects: false,
  });
  return comment ? `# first\n${text.replace(/^( *[a-z-]+: (?:v1|main|\/d))$/gim, '$1   # of a line')}# last\n` : text;
}

function withoutUndefined(data: Record<string, unknown>): object {
  return Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined));
}

/** Returns the data with the types that Kubernetes' readers give it. */
function typed(text: string): unknown {
  return parse(text, { version: '1.1', merge: false });
}

const CLASSES = [
  { name: CLASS_NAME, namespace: '', from: 'BrokerListener/front/tls', secretName: 'aio-akv-sp', lacksSecret: false },
];
const GIVEN = { classes: CLASSES, mountPath: '/mnt/secrets-store', place: '' };
const streams = fc.array(fc.record({ data: workload, look: style }), { minLength: 1, maxLength: 4 });
const newLines = fc.constantFrom('\n', '\r\n');

it('property: a stream in which nothing asks passes byte for byte', () => {
  fc.assert(
    fc.property(streams, newLines, (documents, newLine) => {
      const texts = documents.map(({ data, look }) => written(data, look).replace('akv-csi/mount', 'other/mount'));
      const text = texts.join('---\n').replaceAll('\n', newLine);
      expect(filter([text])).toEqual({ text, remarks: [], mistakes: [] });
    }),
    { numRuns: rounds(15, 200) },
  );
});

it('property: each document has what it asks for and else what it had, with all types; a second time nothing changes', () => {
  fc.assert(
    fc.property(streams, newLines, (documents, newLine) => {
      const texts = documents.map(({ data, look }) => written(data, look).replaceAll('\n', newLine));
      const { text, remarks, mistakes } = filter([texts.join(`---${newLine}`), RESOURCE]);
      expect([remarks.filter((remark) => remark.includes('error')), mistakes]).toEqual([[], []]);
      expect(filter([text]).text).toBe(text);
      const printed = parseAllDocuments(text, { version: '1.1', merge: false }).map((document) => document.toJS());
      expect(printed.slice(-2).map(({ kind }) => kind)).toEqual(['BrokerListener', 'SecretProviderClass']);
      const expected = texts.map((one) => applyChanges(typed(one), mountInto(typed(one), GIVEN).changes));
      expect(printed.slice(0, -2)).toEqual(expected);
    }),
    { numRuns: rounds(15, 200) },
  );
});

it('property: insertions keep each line of a document in block style', () => {
  fc.assert(
    fc.property(workload, style, (data, look) => {
      const lines = written(data, { ...look, form: 'block' }).split('\n');
      const kept = lines.filter((line) => !/(volumes|volumeMounts):/.test(line));
      const printed = filter([lines.join('\n'), RESOURCE]).text.split('\n');
      let at = 0;
      for (const line of kept) at = printed.indexOf(line, at) + 1 || Number.POSITIVE_INFINITY;
      expect(at).toBeLessThanOrEqual(printed.length);
    }),
    { numRuns: rounds(15, 200) },
  );
});
