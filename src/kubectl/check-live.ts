/**
 * Checks the SecretProviderClasses and the `keyVault` fields of broker resources that are in a cluster, by the parser of
 * the provider. `kubectl akv check` prints the result.
 */

import { ProviderError } from '../base/errors.ts';
import { nearest, quote } from '../base/words.ts';
import { render } from '../render/render.ts';
import { type CheckContext, checkManifests } from '../spc/check.ts';
import type { Finding } from '../spc/finding.ts';
import { withLanguages } from '../spc/languages.ts';
import type { KubeApi } from './api.ts';
import { isOurs, type KubeObject, nameOf, STORE_API } from './objects.ts';
import { isBrokerType, pathOfType, readTypes } from './resource-types.ts';

/** A finding about an object of the cluster. */
export interface LiveFinding {
  readonly severity: 'error' | 'warning' | 'note';
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly message: string;
}

/** The result of a check. */
export interface LiveReport {
  /** Number of SecretProviderClasses. */
  readonly classes: number;
  /** Number of other resources with a `keyVault` field. */
  readonly resources: number;
  readonly findings: readonly LiveFinding[];
  /** What could not be read. */
  readonly notes: readonly string[];
}

/** What is checked. */
export interface LiveScope {
  /** Empty: all namespaces. */
  readonly namespace: string;
  /** `NAME` or `KIND/NAME`; none: all. */
  readonly names: readonly string[];
  readonly check: CheckContext;
}

interface Live {
  readonly kind: string;
  readonly object: KubeObject;
}

const MAX_OBJECTS = 10_000;

/** Checks the objects. Throws: the errors of `KubeApi`; ERR_NOT_FOUND for a name that no object has. */
export async function checkLive(api: KubeApi, { namespace, names, check }: LiveScope): Promise<LiveReport> {
  const notes: string[] = [];
  const below = namespace === '' ? '' : `/namespaces/${namespace}`;
  const { items, cut } = await api.list(`${STORE_API}${below}/secretproviderclasses`, { max: MAX_OBJECTS });
  if (cut) notes.push(`only the first ${MAX_OBJECTS} SecretProviderClasses were read; choose a namespace with -n`);
  const classes = items.filter((one) => isOurs(one, check.providerNames)).map(liveClass);
  const brokers = await readBrokers(api, namespace, notes);
  const all = [...classes, ...brokers];
  const chosen = names.length === 0 ? all : names.flatMap((name) => chooseNamed(name, all));
  const findings: LiveFinding[] = [];
  let resources = 0;
  for (const one of chosen) {
    const found = one.kind === 'SecretProviderClass' ? await classFindings(one, check) : await fieldFindings(one);
    if (found === undefined) continue;
    if (one.kind !== 'SecretProviderClass') resources++;
    findings.push(...found);
  }
  const count = chosen.filter(({ kind }) => kind === 'SecretProviderClass').length;
  return { classes: count, resources, findings, notes };
}

function liveClass(object: KubeObject): Live {
  // Items of a list do not name their kind.
  const kind = 'SecretProviderClass';
  return { kind, object: { ...object, apiVersion: 'secrets-store.csi.x-k8s.io/v1', kind } };
}

async function readBrokers(api: KubeApi, namespace: string, notes: string[]): Promise<readonly Live[]> {
  const found: Live[] = [];
  try {
    for (const type of (await readTypes(api)).filter(isBrokerType)) {
      const { items, cut } = await api.list(pathOfType(type, namespace), { max: MAX_OBJECTS });
      if (cut) notes.push(`only the first ${MAX_OBJECTS} ${type.plural} were read; choose a namespace with -n`);
      found.push(...items.map((object) => ({ kind: type.kind, object: { ...object, kind: type.kind } })));
    }
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    notes.push(`broker resources are left out: ${error.message}`);
  }
  return found;
}

function chooseNamed(wanted: string, all: readonly Live[]): readonly Live[] {
  const [name = '', kind = ''] = wanted.split('/').reverse();
  const isKind = (one: Live) =>
    kind === '' || [one.kind, `${one.kind}s`].some((known) => same(known, kind)) || isShort(one, kind);
  const found = all.filter((one) => nameOf(one.object).name === name && isKind(one));
  if (found.length > 0) return found;
  const near = nearest(
    name,
    all.map(({ object }) => nameOf(object).name),
  );
  const hint = near === undefined ? 'choose its namespace with -n, or all with -A' : `did you mean ${quote(near)}?`;
  throw new ProviderError(
    'ERR_NOT_FOUND',
    `no SecretProviderClass and no broker resource is named ${quote(wanted)}; ${hint}`,
  );
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function isShort({ kind }: Live, word: string): boolean {
  return kind === 'SecretProviderClass' && ['spc', 'secretproviderclasses'].some((known) => same(known, word));
}

async function classFindings({ kind, object }: Live, check: CheckContext): Promise<readonly LiveFinding[]> {
  const { findings, manifests } = await checkManifests(JSON.stringify(object), check);
  const found = [...findings, ...manifests.flatMap((one) => one.findings)];
  return found.map((finding) => ({ severity: finding.severity, kind, ...nameOf(object), message: withField(finding) }));
}

/** Returns the message of a finding, with its field if it does not name it: there is no line to point at. */
export function withField({ path, message }: Finding): string {
  return path === '' || message.includes(path) ? message : `${message} (${path})`;
}

/** Returns the findings about the `keyVault` fields of a resource; undefined if it has none. */
async function fieldFindings({ kind, object }: Live): Promise<readonly LiveFinding[] | undefined> {
  const source = { name: kind, text: JSON.stringify(object) };
  const { volumes, remarks } = await withLanguages(() => render([source]));
  if (volumes.length === 0 && remarks.length === 0) return undefined;
  return remarks.map(({ severity, message }) => ({ severity, kind, ...nameOf(object), message }));
}
