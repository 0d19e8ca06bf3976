import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { codeBlocks, markdownFiles, textOf } from '../support/markdown.ts';

/** The chart's directory. */
export const chartDir = fileURLToPath(new URL('../../charts/akv-csi-provider', import.meta.url));

/**
 * Returns the version of helm on the PATH, or undefined with one line on stderr. With REQUIRE_TOOLS set, a missing helm
 * is an error.
 */
export function findHelm(): string | undefined {
  const found = spawnSync('helm', ['version', '--short'], { encoding: 'utf8' });
  if (found.status === 0) return found.stdout.trim();
  if (process.env.REQUIRE_TOOLS) throw new Error('helm is not on the PATH, and REQUIRE_TOOLS is set');
  console.warn('skipped: the chart is not rendered, since there is no helm on the PATH');
  return undefined;
}

/** Plain data of a manifest or a values file. */
export type Tree = { readonly [key: string]: unknown };

/** The parts of a container that the tests read. */
export interface Container {
  readonly name: string;
  readonly image: string;
  readonly imagePullPolicy: string;
  readonly command?: readonly string[];
  readonly args: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly envFrom?: readonly Tree[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe: Tree;
  readonly readinessProbe: Tree;
  readonly livenessProbe: Tree;
  readonly resources: Tree;
  readonly securityContext: Tree;
  readonly volumeMounts: readonly (Tree & { readonly name: string; readonly mountPath: string })[];
}

/** The pod template's spec. */
export interface PodSpec extends Tree {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes: readonly (Tree & { readonly name: string })[];
}

/** The rendered DaemonSet. */
export interface DaemonSet {
  readonly kind: 'DaemonSet';
  readonly metadata: { readonly name: string; readonly namespace: string; readonly labels: Tree };
  readonly spec: {
    readonly updateStrategy: Tree;
    readonly selector: { readonly matchLabels: Tree };
    readonly template: {
      readonly metadata: { readonly labels: Tree; readonly annotations?: Tree };
      readonly spec: PodSpec;
    };
  };
}

/** The name of an image of this project. */
export const REPOSITORY = 'registry.example/akv-csi-provider';

/** Returns the values with an image of this project, which the chart requires. */
export function withImage(values: Tree = {}): Tree {
  const linux = (values.linux ?? {}) as Tree;
  const image = (linux.image ?? {}) as Tree;
  return { ...values, linux: { ...linux, image: { repository: REPOSITORY, ...image } } };
}

/** Runs `helm template` with an image and these values. Returns the manifests by kind. */
export function render(values: Tree = {}, args: readonly string[] = []): ReadonlyMap<string, Tree> {
  return withChart(chartDir, withImage(values), args);
}

/** Returns the DaemonSet that is rendered with these values. */
export function daemonSet(values: Tree = {}): DaemonSet {
  const found = render(values).get('DaemonSet');
  if (found === undefined) throw new Error('no DaemonSet was rendered');
  return found as unknown as DaemonSet;
}

/** Returns the spec of the DaemonSet's pods. */
export function podSpec(values: Tree = {}): PodSpec {
  return daemonSet(values).spec.template.spec;
}

/** Returns the provider's container. */
export function container(values: Tree = {}): Container {
  const [first, ...others] = podSpec(values).containers;
  if (first === undefined || others.length > 0) throw new Error('expected exactly one container');
  return first;
}

/** Values of the chart in a document, and its page. */
export interface ShownValues {
  readonly page: string;
  readonly values: Tree;
}

/** Returns the values files of all documents: the YAML blocks that have a value of the chart at their top level. */
export function shownValues(): readonly ShownValues[] {
  const names = Object.keys(parse(readFileSync(join(chartDir, 'values.yaml'), 'utf8')) as Tree);
  return markdownFiles()
    .flatMap((page) => codeBlocks(textOf(page), 'yaml').map((text) => ({ page, text })))
    .flatMap(({ page, text }) =>
      parseAllDocuments(text).map((document) => ({ page, values: (document.toJS() ?? {}) as Tree })),
    )
    .filter(({ values }) => names.some((name) => name in values));
}

/** Returns stderr of helm for values that it refuses, without adding an image. Throws if helm accepts them. */
export function refusal(values: Tree, args: readonly string[] = []): string {
  const { status, stderr } = spawnSync('helm', ['template', 'akv', chartDir, '-f', '-', ...args], {
    input: stringify(values),
    encoding: 'utf8',
  });
  if (status === 0) throw new Error('helm took the values');
  return stderr;
}

/** Returns the notes. Helm prints them only with a cluster, so that a copy of the chart renders them. */
export function notes(values: Tree = {}): string {
  const copy = mkdtempSync(join(tmpdir(), 'akv-chart-'));
  try {
    cpSync(chartDir, copy, { recursive: true });
    cpSync(join(copy, 'templates/NOTES.txt'), join(copy, 'notes.tpl'));
    writeFileSync(
      join(copy, 'templates/notes.yaml'),
      'kind: Notes\ntext: |\n{{ tpl (.Files.Get "notes.tpl") . | indent 2 }}\n',
    );
    return String(withChart(copy, withImage(values)).get('Notes')?.text);
  } finally {
    rmSync(copy, { recursive: true });
  }
}

/** What helm has rendered, by chart, values and arguments: many tests look at several parts of the same. */
const rendered = new Map<string, ReadonlyMap<string, Tree>>();

function withChart(chart: string, values: Tree, args: readonly string[] = []): ReadonlyMap<string, Tree> {
  // Without a cluster, a helm that go install has built takes the version of Kubernetes for 1.20.
  const input = stringify(values);
  const key = JSON.stringify([chart, input, args]);
  const known = rendered.get(key);
  if (known !== undefined) return known;
  const all = ['template', 'akv', chart, '--namespace', 'kube-system', '--kube-version=1.34.0', '-f', '-', ...args];
  const text = execFileSync('helm', all, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });
  const manifests = new Map(manifestsOf(text).map((manifest) => [String(manifest.kind), manifest]));
  rendered.set(key, manifests);
  return manifests;
}

/** Returns the manifests of a stream. Throws on an error of YAML, such as a name that is there twice. */
export function manifestsOf(stream: string): readonly Tree[] {
  return parseAllDocuments(stream)
    .map((document) => {
      const [error] = document.errors;
      if (error) throw error;
      return document.toJS() as Tree | null;
    })
    .filter((manifest) => manifest !== null);
}
