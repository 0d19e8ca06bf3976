import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProviderError } from '../../src/base/errors.ts';
import { parseAttributes, parseNodePublishSecret, parsePermission } from '../../src/spc/attributes.ts';
import { checkManifests } from '../../src/spc/check.ts';
import { Findings } from '../../src/spc/finding.ts';
import { parseKeyVaultField } from '../../src/spc/key-vault-field.ts';
import { parseObjects } from '../../src/spc/objects.ts';
import { parseYaml } from '../../src/spc/yaml/parse.ts';
import { rounds } from '../support/rounds.ts';
import { block, CLASSIC, DEFAULTS, NO_CLOUD_FILE, read } from '../support/spc.ts';

const OBJECT_DEFAULTS = { mode: 0o644, split: false, orderChain: true };

const NAMES = [
  ...['array', 'objectName', 'objectType', 'objectAlias', 'objectVersion', 'objectVersionHistory', 'objectFormat'],
  ...['objectEncoding', 'filePermission', 'files', 'keyFormat', 'passwordFrom', 'vault', 'name', 'directoryId'],
  ...['credentials', 'vaultCert', 'vaultSecret', 'vaultCaChainCert', 'pfx', 'path', 'kind', 'spec', 'parameters', '<<'],
];
const VALUES = [
  ...['secret', 'cert', 'a/b', '..', '&x', '*x', '|', '>-', '!!int 5', '"', "'", '[', '{', ']', '}', ': ', '- ', '\t'],
  ...['# c', '---', '...', '%YAML 1.1', '? ', '<<: *x', '~', '5', '"5"', '0644', 'true', '<x>', '\r\n', '\uFEFF', '\0'],
];

/** Lines as in manifests, valid and invalid. */
const yamlish = fc
  .array(
    fc
      .tuple(
        fc.nat(6),
        fc.constantFrom('', '- '),
        fc.constantFrom('', ...NAMES),
        fc.constantFrom(': ', ':', ' '),
        fc.constantFrom('', ...VALUES),
      )
      .map(([indent, dash, ...words]) => `${' '.repeat(indent)}${dash}${words.join('')}`),
    { maxLength: 12 },
  )
  .map((lines) => lines.join('\n'));

const anything = fc.oneof(
  fc.string({ unit: 'binary' }),
  yamlish,
  yamlish.map((text) => block(text)),
  fc.json(),
);

/** Returns true if `parse` returns or throws a ProviderError with one of these codes. */
function tame(parse: () => unknown, ...codes: readonly string[]): boolean {
  try {
    parse();
    return true;
  } catch (error) {
    return error instanceof ProviderError && codes.includes(error.code);
  }
}

describe('whatever comes in', () => {
  it('the three texts of a request are read, or refused as such', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) =>
        [parseAttributes, parseNodePublishSecret, parsePermission].every((parse) =>
          tame(() => parse(text), 'ERR_BAD_REQUEST'),
        ),
      ),
      { numRuns: rounds(100, 300) },
    );
  });

  it('YAML is read, or refused with lines', () => {
    fc.assert(
      fc.property(anything, (text) => {
        const parsed = parseYaml(text);
        const lines = text.split(/\r\n|[\n\r\u0085\u2028\u2029]/).length;
        return parsed.ok || parsed.errors.every(({ line }) => line >= 1 && line <= lines + 1);
      }),
      { numRuns: rounds(100, 300) },
    );
  });

  it('objects are objects or findings', () => {
    fc.assert(
      fc.property(anything, (text) => {
        const findings = new Findings();
        const objects = parseObjects(text, findings, { defaults: OBJECT_DEFAULTS });
        return objects.every(({ spec }) => spec.history >= 1) && findings.all.every(({ message }) => message !== '');
      }),
      { numRuns: rounds(100, 300) },
    );
  });

  it('a keyVault field is a field or findings', () => {
    fc.assert(
      fc.property(anything, (text) => {
        const findings = new Findings();
        const field = parseKeyVaultField(text, findings, {
          layout: 'tls',
          fileName: '',
          defaults: OBJECT_DEFAULTS,
        });
        return field !== undefined || findings.errors.length > 0;
      }),
      { numRuns: rounds(100, 300) },
    );
  });

  it('parameters are a volume or an error, never both and never neither', () => {
    const names = fc.constantFrom(
      'keyVault',
      'fileLayout',
      'cloudName',
      'usePodIdentity',
      'clientID',
      'foo',
      ...Object.keys(CLASSIC),
    );
    const parameters = fc.dictionary(names, fc.oneof(anything, fc.constantFrom('true', 'AzureCloud', 'kv1')));
    fc.assert(
      fc.property(parameters, fc.boolean(), (changes, whole) => {
        const { volume, error } = read(whole ? { ...CLASSIC, ...changes } : changes);
        return (volume === undefined) !== (error === undefined);
      }),
      { numRuns: rounds(100, 300) },
    );
  });

  it('service-account tokens are a token or a finding, and are not quoted', () => {
    const secret = 'hunter2';
    const json = fc.json().map((text) => text.replaceAll('"', `"${secret}`));
    const tokens = fc.oneof(
      json,
      json.map((text) => `{"api://AzureADTokenExchange":${text}}`),
      json.map((text) => `{"api://AzureADTokenExchange":{"token":"a.${Buffer.from(text).toString('base64url')}.c"}}`),
    );
    fc.assert(
      fc.property(tokens, (text) => {
        const attributes = { 'csi.storage.k8s.io/serviceAccount.tokens': text };
        const { volume, error } = read({ ...CLASSIC, clientID: 'c' }, { attributes });
        return (volume === undefined) !== (error === undefined) && !error?.message.includes(secret);
      }),
      { numRuns: rounds(100, 300) },
    );
  });

  it('manifests are checked', async () => {
    const context = { defaults: DEFAULTS, readCloudFile: NO_CLOUD_FILE, providerNames: ['azure'] };
    await fc.assert(
      fc.asyncProperty(anything, async (text) => {
        await checkManifests(text, context);
      }),
      { numRuns: rounds(100, 300) },
    );
  });
});

it('thousands of mistakes are refused in one short error', () => {
  const { error, errors } = read({ ...CLASSIC, objects: `array:\n${'- a..b\n'.repeat(500)}` });
  expect(errors).toHaveLength(100);
  expect(error?.message.length).toBeLessThan(10_000);
});
