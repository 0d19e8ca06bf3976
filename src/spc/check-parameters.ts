/**
 * Checks the parameters of a SecretProviderClass with the parser that the provider uses. Called by `check`. Also
 * reports what the API server would refuse, and returns the volume's files for the checks that need them.
 */

import type { Attributes } from './attributes.ts';
import type { ReadCloudFile } from './cloud.ts';
import { type Finding, Findings } from './finding.ts';
import type { ParameterDefaults } from './parameter-reader.ts';
import { parseWithCloudFile } from './parameters.ts';
import { VolumeFiles } from './volume-files.ts';
import { needsQuotes } from './yaml/scalar.ts';
import { childOf, kindOf, type MapTree, type Tree } from './yaml/tree.ts';

/** Inputs for checking parameters. */
export interface ParametersContext {
  readonly defaults: ParameterDefaults;
  readonly readCloudFile: ReadCloudFile;
}

/** Fields of the class that are no parameters. */
const OWN_PLACE = ['provider', 'secretObjects'];

/** The findings about the parameters, and the volume's files, which are undefined if mistakes keep them unknown. */
export interface CheckedParameters {
  readonly found: readonly Finding[];
  readonly files: VolumeFiles | undefined;
}

/** Paths of errors that may hide a file or its name. */
const HIDES_FILES = /^(objects|keyVault)(\[\d+\]|\.\w+)?(\.(files|extract)(\..*)?)?$|^file(Name|Layout)$|^templates/;

/** Checks `spec.parameters` as a Mount reads them, and as the API server does. */
export async function checkParameters(
  spec: Tree | undefined,
  { defaults, readCloudFile }: ParametersContext,
): Promise<CheckedParameters> {
  const findings = new Findings();
  const path = 'spec.parameters';
  const tree = childOf(spec, 'parameters');
  if (tree?.kind !== 'map') {
    const found = tree === undefined ? 'missing' : kindOf(tree);
    findings.error(path, `${path} must be a map of texts; it is ${found}`, { line: tree?.line ?? spec?.line });
    return { found: findings.all, files: undefined };
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
  const isKnown =
    !checked.findings.errors.some((error) => HIDES_FILES.test(error.path)) &&
    !checked.objects.some(({ content }) => content.kind === 'value' && content.path === '');
  const files = isKnown ? new VolumeFiles(checked) : undefined;
  return { found: [...findings.all, ...located], files };
}

interface ReadParameters {
  readonly parameters: ReadonlyMap<string, string>;
  /** Lines on which their texts begin. */
  readonly lines: ReadonlyMap<string, number>;
  /** Names of those in quotes, whose own lines are not lines of the file. */
  readonly oneLine: ReadonlySet<string>;
  /** Names of the parameters that are no texts; nothing else is reported about them. */
  readonly wrong: ReadonlySet<string>;
}

/**
 * Reads the parameters. The API server accepts only strings; a number or boolean without quotes is the most common
 * mistake.
 */
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
      findings.error(path, `${path} must be text, not null; put "" there, or leave it out`, { line });
      parameters.set(name, '');
      lines.set(name, line);
    } else {
      const remedy = OWN_PLACE.includes(name)
        ? `put it next to "parameters", below spec`
        : `write "${name}: |" and the YAML indented below it`;
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
