/**
 * Reads the pages of docs/recipes, and puts the files of a recipe where a server of this machine can read them: those of
 * the volume as the driver writes them, and those of the ConfigMap. Called by the tests of the recipes.
 */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { Secret } from '../../src/base/secret.ts';
import { readManifests } from '../../src/driver/manifests.ts';
import { publish } from '../../src/driver/publish.ts';
import { freePorts } from '../e2e/mosquitto.ts';
import type { World } from '../support/e2e.ts';
import { codeBlocks, markdownFiles, tableRows, textOf } from '../support/markdown.ts';

const EXCHANGE = 'api://AzureADTokenExchange';
/** The names of the recipes. */
export const RECIPES: readonly string[] = markdownFiles()
  .map((path) => /^docs\/recipes\/([a-z]+)\.md$/.exec(path)?.[1])
  .filter((name) => name !== undefined);

/** A container of the pod of a recipe. */
export interface Container {
  readonly name: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly ports?: readonly { readonly containerPort: number }[];
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

/** The pod of a recipe. */
export interface Pod {
  readonly serviceAccountName: string;
  readonly shareProcessNamespace?: boolean;
  readonly securityContext: { readonly runAsUser: number; readonly supplementalGroups?: readonly number[] };
  readonly containers: readonly Container[];
  readonly volumes: readonly {
    readonly name: string;
    readonly csi?: { readonly volumeAttributes: { readonly secretProviderClass: string } };
    readonly configMap?: { readonly name: string };
  }[];
}

/** What a page of docs/recipes shows. */
export interface Recipe {
  readonly name: string;
  readonly className: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly pod: Pod;
  readonly server: Container;
  /** Where the server sees the volume of the class. */
  readonly mountPath: string;
  /** Where the server sees the ConfigMap; undefined if there is none. */
  readonly configPath: string | undefined;
  readonly config: Readonly<Record<string, string>>;
  /** What the server prints, by cause: the rows of the page's table. */
  readonly printed: ReadonlyMap<string, string>;
}

/** Reads the page of a recipe. Throws: an `Error` if a part is missing. */
export function readRecipe(name: string): Recipe {
  const text = textOf(`docs/recipes/${name}.md`);
  const [manifest = ''] = codeBlocks(text, 'yaml');
  const objects = parseAllDocuments(manifest).map((document) => document.toJS());
  const [spc] = readManifests(manifest, name).classes;
  const pod = objects.find(({ kind }) => kind === 'Pod')?.spec as Pod | undefined;
  const server = pod?.containers[0];
  if (spc === undefined || pod === undefined || server === undefined) throw new Error(`${name}: no class or no pod`);
  const mountOf = (key: 'csi' | 'configMap') => {
    const volume = pod.volumes.find((one) => one[key] !== undefined);
    return server.volumeMounts.find((mount) => mount.name === volume?.name)?.mountPath;
  };
  const rows = tableRows(text).flatMap(([printed = '', causes = '']) =>
    causes.split(', or ').map((cause) => [cause, printed.replaceAll('`', '')] as const),
  );
  return {
    name,
    className: spc.name,
    parameters: spc.parameters,
    pod,
    server,
    mountPath: mountOf('csi') ?? '',
    configPath: mountOf('configMap'),
    config: objects.find(({ kind }) => kind === 'ConfigMap')?.data ?? {},
    printed: new Map(rows),
  };
}

/** The files of a recipe on this machine. */
export interface Stage {
  readonly recipe: Recipe;
  /** The files of the volume. */
  readonly files: string;
  /** The files of the ConfigMap. */
  readonly config: string;
  /** A directory that the server may write. */
  readonly data: string;
  /** The free port in place of a port of the pod. */
  port(containerPort: number): number;
  /** Puts the paths and ports of this machine into a text of the recipe. */
  here(text: string): string;
}

/** Mounts the class of a recipe again. Returns true if files have changed. */
export async function mountRecipe({ client, emulator }: World, recipe: Recipe, targetDir: string): Promise<boolean> {
  const { serviceAccountName: serviceAccount } = recipe.pod;
  const subject = `system:serviceaccount:default:${serviceAccount}`;
  const token = emulator.issueServiceAccountToken({ audience: EXCHANGE, subject });
  const expirationTimestamp = new Date(Date.now() + 3_600_000).toISOString();
  const { changed } = await publish(client, {
    parameters: recipe.parameters,
    volumeAttributes: { secretProviderClass: recipe.className },
    pod: { name: recipe.name, namespace: 'default', uid: '6ba7b810-9dad-41d1-80b4-00c04fd430c8', serviceAccount },
    targetDir,
    tokens: new Secret(JSON.stringify({ [EXCHANGE]: { token, expirationTimestamp } })),
  });
  return changed;
}

/**
 * Returns a new stage of a recipe, with the files of the volume copied from `files`, or with `files` itself. `data` belongs
 * to the user of the pod.
 */
export async function stageOf(world: World, recipe: Recipe, files: string, copy = false): Promise<Stage> {
  // Servers without root have to reach the files.
  for (const path of [world.directory, dirname(world.directory)]) chmodSync(path, 0o711);
  const directory = mkdtempSync(join(world.directory, `${recipe.name}-`));
  chmodSync(directory, 0o755);
  const inside = (name: string) => join(directory, name);
  for (const name of ['config', 'data']) mkdirSync(inside(name));
  chmodSync(inside('data'), 0o1777);
  if (copy) {
    mkdirSync(inside('files'));
    for (const name of readdirSync(files).filter((one) => !one.startsWith('..')))
      copyFileSync(join(files, name), join(inside('files'), name));
  }
  const wanted = recipe.server.ports?.map(({ containerPort }) => containerPort) ?? [];
  const free = await freePorts(wanted.length);
  const port = (one: number) => free[wanted.indexOf(one)] ?? one;
  const paths: readonly (readonly [string, string])[] = [
    [recipe.mountPath, copy ? inside('files') : files],
    ...(recipe.configPath === undefined ? [] : [[recipe.configPath, inside('config')] as const]),
    ...recipe.server.volumeMounts
      .filter(({ name }) => name === 'data')
      .map(({ mountPath }) => [mountPath, inside('data')] as const),
  ];
  const here = (text: string) => {
    const placed = paths.reduce(
      (sofar, [from, to]) => sofar.replaceAll(new RegExp(`${from}(?=[/"\\s},;]|$)`, 'g'), to),
      text,
    );
    return wanted.reduce((sofar, one) => sofar.replaceAll(new RegExp(`\\b${one}\\b`, 'g'), String(port(one))), placed);
  };
  for (const [name, text] of Object.entries(recipe.config)) writeFileSync(join(inside('config'), name), here(text));
  return { recipe, files: copy ? inside('files') : files, config: inside('config'), data: inside('data'), port, here };
}
