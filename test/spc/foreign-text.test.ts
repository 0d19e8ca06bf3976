import { describe, expect, it } from 'vitest';
import { checkManifests } from '../../src/spc/check.ts';
import { CLASSIC, DEFAULTS, NO_CLOUD_FILE } from '../support/spc.ts';

const CONTEXT = { defaults: DEFAULTS, readCloudFile: NO_CLOUD_FILE, providerNames: ['azure'] };

const GOOD = `kind: SecretProviderClass
metadata: {name: web}
spec:
  provider: azure
  parameters: ${JSON.stringify(CLASSIC)}
`;

async function found(text: string) {
  const { findings, manifests } = await checkManifests(text, CONTEXT);
  return {
    manifests: manifests.length,
    said: findings.map(({ line, severity, message }) => `${line} ${severity} ${message}`),
  };
}

const TEMPLATE =
  'error this is a template, not YAML; render it first, with Helm: helm template RELEASE CHART | akv-csi check -';

describe('a Helm template', () => {
  it.each([
    ['a condition around it', `{{- if .Values.on }}\n${GOOD}{{- end }}\n`],
    ['a name', GOOD.replace('{name: web}', '\n  name: {{ include "app.fullname" . }}\n')],
    ['a name that begins with one', GOOD.replace('{name: web}', '\n  name: {{ .Release.Name }}-spc\n')],
    ['labels', GOOD.replace('spec:', '  labels:\n    {{- include "labels" . | nindent 4 }}\nspec:')],
    ['a loop', GOOD.replace('spec:', '{{- range .Values.x }}\nspec:')],
    ['a helper’s comment', `{{/* ours */}}\n${GOOD}`],
    ['parameters', GOOD.replace(/parameters: .*/, 'parameters: {{ toYaml .Values.p | nindent 4 }}')],
  ])('is called that in one line: %s', async (_, text) => {
    const { manifests, said } = await found(text);
    expect(manifests).toBe(0);
    expect(said).toEqual([expect.stringMatching(/^\d+ error this is a template, not YAML; render it first/)]);
  });

  it('is told once a document, and the others are checked', async () => {
    const { manifests, said } = await found(
      `${GOOD}---\n{{ if x }}\na: b\n{{ end }}\n---\n${GOOD}---\n{{ x }}: {{ y }}\nz\n`,
    );
    expect(manifests).toBe(2);
    expect(said.map((one) => one.replace(/^\d+ /, ''))).toEqual([TEMPLATE, TEMPLATE]);
  });

  it('that YAML can read is checked for what it holds', async () => {
    const { manifests, said } = await found(GOOD.replace('"kv1"', '"{{ .Values.kv }}"'));
    expect({ manifests, said }).toEqual({ manifests: 1, said: [] });
  });

  it('is not made of a text that holds one elsewhere', async () => {
    const { said } = await found(`a: |\n  x {{ y }}\n${'b: c\n'.repeat(1)}e:\n  - f\n\tg: h\n`);
    expect(said).toEqual([expect.stringMatching(/indent with spaces/)]);
  });
});

describe('other texts, in one line', () => {
  it.each([
    [
      'Markdown',
      `# How to\n\nSome text: with colons: twice\n\n\`\`\`yaml\n${GOOD}\`\`\`\n\n---\n\n* a\n* [b](c): d\n`,
      'this is Markdown',
    ],
    ['Markdown that YAML can read', 'text\n```\na\n', 'this is Markdown'],
    ['a web page', '<!DOCTYPE html>\n<html lang="en">\n<a b: c>\n', 'this is a web page'],
    [
      'a merge conflict',
      `<<<<<<< HEAD\n${GOOD}=======\n${GOOD}>>>>>>> main\n`,
      'this holds the marks of a merge conflict',
    ],
  ])('%s', async (_, text, message) => {
    expect((await found(text)).said).toEqual([expect.stringMatching(new RegExp(`^\\d+ error ${message}`))]);
  });

  it.each([
    ['a tab', GOOD.replace('  provider', '\tprovider'), 'indent with spaces'],
    ['a tab in a block', 'a: |\n  b\n\tc: d\n', 'indent with spaces'],
    ['a colon', 'a: b: c\n', 'put a text that holds ": " in quotes'],
  ])('YAML with %s stays YAML', async (_, text, message) => {
    expect((await found(text)).said).toEqual([expect.stringContaining(message)]);
  });
});

describe('documents that are no SecretProviderClass', () => {
  const broker = `kind: BrokerListener
metadata: {name: front}
spec: {tls: {keyVault: {vault: {name: kv1}, vaultCert: {name: a}}}}
`;
  it.each([
    [
      'a JSON patch',
      '- {op: replace, path: /spec/provider, value: azure}\n',
      'this is a JSON patch; apply it first: kubectl kustomize',
    ],
    [
      'a kustomization',
      'kind: Kustomization\nresources: [a.yaml]\n',
      '"Kustomization" is not a manifest to apply; apply it first',
    ],
    [
      'a release',
      'kind: HelmRelease\nmetadata: {name: a}\n',
      '"HelmRelease a" is not a manifest to apply; render it first',
    ],
    [
      'a broker resource',
      broker,
      '"BrokerListener front" has a keyVault field; make SecretProviderClasses of it first: akv-csi render',
    ],
    [
      'a misspelt kind',
      GOOD.replace('SecretProviderClass', 'SecretProvderClass'),
      'kind is "SecretProvderClass"; did you mean "SecretProviderClass"?',
    ],
    [
      'the kind in small letters',
      GOOD.replace('SecretProviderClass', 'secretproviderclass'),
      'kind is "secretproviderclass"; did you mean "SecretProviderClass"?',
    ],
  ])('%s', async (_, text, message) => {
    const { manifests, said } = await found(`${GOOD}---\n${text}`);
    expect(manifests).toBe(1);
    expect(said).toEqual([expect.stringContaining(`note ${message}`)]);
  });

  it.each([
    'kind: Deployment\nspec: {keyVault: a}\n',
    'kind: SecretProviderClassPodStatus\n',
    'kind: SecretProviderClassList\nitems: []\n',
    'kind: SecretStore\nspec: {provider: {keyVault: {vaultUrl: x}}}\n',
    '- {op: a}\n',
    'text\n',
  ])('nothing to say of %j', async (text) => {
    expect((await found(`${GOOD}---\n${text}`)).said).toEqual([]);
  });
});

it('tells of a hundred documents', async () => {
  expect((await found('{{ x }}\n---\n'.repeat(5000))).said).toHaveLength(100);
});
