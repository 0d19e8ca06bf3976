/**
 * Checks the SecretProviderClasses and the `keyVault` fields of broker resources that are in a cluster, by the parser of
 * the provider. `kubectl akv check` prints the result.
 */

import { ProviderError } from '../base/errors.ts';
import { nearest, quote } from '../base/words.ts';
import { render } from '../render/render.ts';
import type { CheckContext } from '../spc/check.ts';
import type { Finding } from '../spc/finding.ts';
import { withLanguages } from '../spc/languages.ts';
import type { KubeApi } from './api.ts';
import { CLASS_TYPE, checkClass, readClasses, withField } from './classes.ts';
import { listNoted } from './lists.ts';
import { isOurs, type KubeObject, nameOf } from './objects.ts';
import { isBrokerType, isNamed, pathOfType, type ResourceType, readTypes } from './resource-types.ts';

/** A finding about an object of the cluster. */
export interface LiveFinding {
  readonly severity: Finding['severity'];
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
  readonly type: ResourceType;
  readonly object: KubeObject;
}

/** Checks the objects. Throws: the errors of `KubeApi`; ERR_NOT_FOUND for a name that no object has. */
export async function checkLive(api: KubeApi, { namespace, names, check }: LiveScope): Promise<LiveReport> {
  const notes: string[] = [];
  const classes = (await readClasses(api, namespace, notes))
    .filter((one) => isOurs(one, check.providerNames))
    .map((object) => ({ type: CLASS_TYPE, object }));
  const brokers = await readBrokers(api, namespace, notes);
  const all = [...classes, ...brokers];
  const chosen = names.length === 0 ? all : names.flatMap((name) => chooseNamed(name, all));
  const findings: LiveFinding[] = [];
  let resources = 0;
  for (const one of chosen) {
    const found = one.type === CLASS_TYPE ? await classFindings(one, check) : await fieldFindings(one);
    if (found === undefined) continue;
    if (one.type !== CLASS_TYPE) resources++;
    findings.push(...found);
  }
  const count = chosen.filter(({ type }) => type === CLASS_TYPE).length;
  return { classes: count, resources, findings, notes };
}

async function readBrokers(api: KubeApi, namespace: string, notes: string[]): Promise<readonly Live[]> {
  const found: Live[] = [];
  try {
    for (const type of (await readTypes(api)).filter(isBrokerType)) {
      const items = await listNoted(api, pathOfType(type, namespace), { what: type.plural, notes });
      found.push(...items.map((object) => ({ type, object: { ...object, kind: type.kind } })));
    }
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    notes.push(`broker resources are left out: ${error.message}`);
  }
  return found;
}

function chooseNamed(wanted: string, all: readonly Live[]): readonly Live[] {
  const [name = '', kind = ''] = wanted.split('/').reverse();
  const found = all.filter(({ type, object }) => nameOf(object).name === name && (kind === '' || isNamed(type, kind)));
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

async function classFindings({ type: { kind }, object }: Live, check: CheckContext): Promise<readonly LiveFinding[]> {
  const found = await checkClass(object, check);
  return found.map((finding) => ({ severity: finding.severity, kind, ...nameOf(object), message: withField(finding) }));
}

/** Returns the findings about the `keyVault` fields of a resource; undefined if it has none. */
async function fieldFindings({ type: { kind }, object }: Live): Promise<readonly LiveFinding[] | undefined> {
  const source = { name: kind, text: JSON.stringify(object) };
  const { volumes, remarks } = await withLanguages(() => render([source]));
  if (volumes.length === 0 && remarks.length === 0) return undefined;
  return remarks.map(({ severity, message }) => ({ severity, kind, ...nameOf(object), message }));
}
