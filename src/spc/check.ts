import { quote } from '../base/words.ts';
import type { Attributes } from './attributes.ts';
import type { ReadCloudFile } from './cloud.ts';
import type { Finding } from './finding.ts';
import { Findings } from './finding.ts';
import type { ParameterDefaults } from './parameter-reader.ts';
import { parseWithCloudFile } from './parameters.ts';
import { needsQuotes } from './scalar.ts';
import { kindOf, type MapTree, parseManifests, type Tree } from './tree.ts';

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

/** What manifests are checked with. */
export interface CheckContext {
  readonly defaults: ParameterDefaults;
  readonly readCloudFile: ReadCloudFile;
}

/** Checks every SecretProviderClass of a YAML text by the parser that the provider uses; lines are those of the text. */
export async function checkManifests(text: string, context: CheckContext): Promise<CheckReport> {
  const parsed = parseManifests(text);
  if (!parsed.ok) {
    const findings = parsed.errors.map(
      ({ line, message }): Finding => ({ severity: 'error', path: '', message, line }),
    );
    return { findings, manifests: [], others: 0 };
  }
  const documents = parsed.documents.filter(({ kind }) => kind !== 'null').flatMap(unwrapList);
  const manifests: CheckedManifest[] = [];
  for (const document of documents) {
    const checked = await checkDocument(document, context);
    if (checked !== undefined) manifests.push(checked);
  }
  return { findings: [], manifests, others: documents.length - manifests.length };
}

function unwrapList(document: Tree): readonly Tree[] {
  const items = childOf(document, 'items');
  return items?.kind === 'list' && textAt(document, 'kind').endsWith('List') ? items.items : [document];
}

async function checkDocument(document: Tree, context: CheckContext): Promise<CheckedManifest | undefined> {
  if (document.kind !== 'map' || textAt(document, 'kind') !== 'SecretProviderClass') return undefined;
  const { line } = document;
  const metadata = childOf(document, 'metadata');
  const name = textAt(metadata, 'name');
  const namespace = textAt(metadata, 'namespace');
  const findings = new Findings();
  if (name === '') findings.error('metadata.name', 'metadata.name is required', { line });
  const spec = childOf(document, 'spec');
  const checked = checkProvider(spec, spec?.line ?? line, findings) ? await checkParameters(spec, context) : [];
  return { name, namespace, line, findings: [...findings.all, ...checked] };
}

/** True where the parameters are meant for this provider. */
function checkProvider(spec: Tree | undefined, line: number, findings: Findings): boolean {
  const provider = textAt(spec, 'provider');
  if (provider === 'azure') return true;
  const path = 'spec.provider';
  if (provider === '') findings.error(path, 'spec.provider is required; this provider is called "azure"', { line });
  else findings.note(path, `spec.provider is ${quote(provider)}, not "azure"; not checked further`, line);
  return false;
}

async function checkParameters(
  spec: Tree | undefined,
  { defaults, readCloudFile }: CheckContext,
): Promise<readonly Finding[]> {
  const findings = new Findings();
  const path = 'spec.parameters';
  const tree = childOf(spec, 'parameters');
  if (tree?.kind !== 'map') {
    const found = tree === undefined ? 'missing' : kindOf(tree);
    findings.error(path, `${path} must be a map of texts; it is ${found}`, { line: tree?.line ?? spec?.line });
    return findings.all;
  }
  const { parameters, lines, oneLine, wrong } = readParameters(tree, findings);
  const attributes: Attributes = {
    pod: { name: '', namespace: '', uid: '', serviceAccount: '' },
    secretProviderClass: '',
    tokens: undefined,
    parameters,
  };
  const checked = await parseWithCloudFile(attributes, { defaults, lines }, readCloudFile);
  const located = checked.findings.all.flatMap((finding): Finding[] => {
    const parameter = finding.path.split(/[.[]/)[0] ?? '';
    if (wrong.has(parameter)) return [];
    const line = oneLine.has(parameter) ? lines.get(parameter) : (finding.line ?? lines.get(parameter));
    return [{ ...finding, line: line ?? tree.line }];
  });
  return [...findings.all, ...located];
}

interface ReadParameters {
  readonly parameters: ReadonlyMap<string, string>;
  /** Lines on which their texts begin. */
  readonly lines: ReadonlyMap<string, number>;
  /** Names of those in quotes, whose own lines are not lines of the file. */
  readonly oneLine: ReadonlySet<string>;
  /** Names of those that are no texts, which is all there is to say about them. */
  readonly wrong: ReadonlySet<string>;
}

/** The API server takes only strings here; a number or boolean without quotes is the most common refusal. */
function readParameters(tree: MapTree, findings: Findings): ReadParameters {
  const parameters = new Map<string, string>();
  const lines = new Map<string, number>();
  const oneLine = new Set<string>();
  const wrong = new Set<string>();
  for (const [name, { line, value }] of tree.entries) {
    const path = `spec.parameters.${name}`;
    if (value.kind === 'text') {
      if (needsQuotes(value)) findings.error(path, `${path} must be text; put ${value.text} in quotes`, { line });
      parameters.set(name, value.text.trim());
      lines.set(name, value.textLine + leadingLines(value.text));
      if (value.quoted) oneLine.add(name);
    } else if (value.kind === 'null') {
      parameters.set(name, '');
      lines.set(name, line);
    } else {
      const remedy = `write "${name}: |" and the YAML indented below it`;
      findings.error(path, `${path} must be text, not ${kindOf(value)}; ${remedy}`, { line });
      parameters.set(name, '');
      wrong.add(name);
    }
  }
  return { parameters, lines, oneLine, wrong };
}

function leadingLines(text: string): number {
  return text.slice(0, text.length - text.trimStart().length).split('\n').length - 1;
}

function childOf(tree: Tree | undefined, name: string): Tree | undefined {
  return tree?.kind === 'map' ? tree.entries.get(name)?.value : undefined;
}

function textAt(tree: Tree | undefined, name: string): string {
  const value = childOf(tree, name);
  return value?.kind === 'text' ? value.text.trim() : '';
}
