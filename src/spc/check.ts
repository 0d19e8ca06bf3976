import type { Attributes } from './attributes.ts';
import type { Finding } from './finding.ts';
import { Findings } from './finding.ts';
import type { ParameterDefaults } from './parameter-reader.ts';
import { parseParameters } from './parameters.ts';
import { kindOf, type MapTree, parseYaml, type Tree } from './tree.ts';

/** What was found out about one SecretProviderClass. */
export interface CheckedManifest {
  readonly name: string;
  readonly namespace: string;
  /** Line of the document in its file. */
  readonly line: number;
  readonly findings: readonly Finding[];
}

/** What was found in one text of manifests. */
export interface CheckReport {
  /** Where the text cannot be read at all. */
  readonly findings: readonly Finding[];
  readonly manifests: readonly CheckedManifest[];
  /** Documents that are something else and were not looked at. */
  readonly others: number;
}

/** Checks every SecretProviderClass of a YAML text by the parser that the provider uses; lines are those of the text. */
export function checkManifests(text: string, defaults: ParameterDefaults): CheckReport {
  const parsed = parseYaml(text);
  if (!parsed.ok) {
    const findings = parsed.errors.map(
      ({ line, message }): Finding => ({ severity: 'error', path: '', message, line }),
    );
    return { findings, manifests: [], others: 0 };
  }
  const documents = parsed.documents.flatMap(unwrapList);
  const manifests = documents.flatMap((document) => checkDocument(document, defaults) ?? []);
  return { findings: [], manifests, others: documents.length - manifests.length };
}

function unwrapList(document: Tree): readonly Tree[] {
  if (textAt(document, 'kind') !== 'List') return [document];
  const items = childOf(document, 'items');
  return items?.kind === 'list' ? items.items : [];
}

function checkDocument(document: Tree, defaults: ParameterDefaults): CheckedManifest | undefined {
  if (document.kind !== 'map' || textAt(document, 'kind') !== 'SecretProviderClass') return undefined;
  const metadata = childOf(document, 'metadata');
  const name = textAt(metadata, 'name');
  const findings = new Findings();
  if (name === '') findings.error('metadata.name', 'metadata.name is required', document.line);
  const spec = childOf(document, 'spec');
  const provider = textAt(spec, 'provider');
  if (provider !== 'azure') {
    const line = spec?.line ?? document.line;
    if (provider === '')
      findings.error('spec.provider', 'spec.provider is required; this provider is called "azure"', line);
    else findings.note('spec.provider', `spec.provider is "${provider}", not "azure"; not checked further`, line);
    return { name, namespace: textAt(metadata, 'namespace'), line: document.line, findings: findings.all };
  }
  const all = [...findings.all, ...checkParameters(spec, defaults)];
  return { name, namespace: textAt(metadata, 'namespace'), line: document.line, findings: all };
}

function checkParameters(spec: Tree | undefined, defaults: ParameterDefaults): readonly Finding[] {
  const findings = new Findings();
  const tree = childOf(spec, 'parameters');
  if (tree?.kind !== 'map') {
    const found = tree === undefined ? 'missing' : kindOf(tree);
    findings.error(
      'spec.parameters',
      `spec.parameters must be a map of texts; it is ${found}`,
      tree?.line ?? spec?.line,
    );
    return findings.all;
  }
  const { parameters, lines } = readParameters(tree, findings);
  const attributes: Attributes = {
    pod: { name: '', namespace: '', uid: '', serviceAccount: '' },
    secretProviderClass: '',
    tokens: undefined,
    parameters,
  };
  const checked = parseParameters(attributes, { defaults, lines });
  const fallback = tree.line;
  return [...findings.all, ...checked.findings.all.map((finding) => ({ line: fallback, ...finding }))];
}

/** The API server takes only strings here; a number or boolean without quotes is the most common refusal. */
function readParameters(tree: MapTree, findings: Findings) {
  const parameters = new Map<string, string>();
  const lines = new Map<string, number>();
  for (const [name, { line, value }] of tree.entries) {
    if (value.kind === 'text') {
      if (
        !value.quoted &&
        value.textLine === value.line &&
        /^(true|false|[-+]?\d+(\.\d+)?(e\d+)?)$/i.test(value.text)
      ) {
        findings.error(
          `spec.parameters.${name}`,
          `spec.parameters.${name} must be text; put ${value.text} in quotes`,
          line,
        );
      }
      parameters.set(name, value.text.trim());
      lines.set(name, value.textLine);
    } else if (value.kind === 'null') {
      parameters.set(name, '');
      lines.set(name, line);
    } else {
      findings.error(
        `spec.parameters.${name}`,
        `spec.parameters.${name} must be text, not ${kindOf(value)}; write "${name}: |" and the YAML indented below it`,
        line,
      );
    }
  }
  return { parameters, lines };
}

function childOf(tree: Tree | undefined, name: string): Tree | undefined {
  return tree?.kind === 'map' ? tree.entries.get(name)?.value : undefined;
}

function textAt(tree: Tree | undefined, name: string): string {
  const value = childOf(tree, name);
  return value?.kind === 'text' ? value.text.trim() : '';
}
