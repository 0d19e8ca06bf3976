/**
 * Reads the options `--pod` and `--watch [NAMESPACE/]KIND/NAME=ITEMS`, which ask for what the annotations of a pod ask for
 * otherwise, and finds its workload. Called by the filter `render --into`. Refuses a workload that is not there, or there twice.
 */

import { nearest, quote } from '../../base/words.ts';
import { isKind } from './kinds.ts';
import type { InputManifest } from './manifests.ts';
import { type Workload, workloadOf } from './workload.ts';

/** A value of the option. */
export interface PodOption {
  /** The workload as it was written. */
  readonly target: string;
  /** Empty: any. */
  readonly namespace: string;
  readonly kind: string;
  readonly name: string;
  /** The items; see items.ts, and watch-items.ts. */
  readonly items: string;
}

const FORM = '[NAMESPACE/]KIND/NAME=ITEMS, such as deploy/mosquitto=';
const MAX_LISTED = 10;

/** Reads a value of an option, whose items are such as the example; a text is the problem of the value. */
export function parsePodOption(value: string, example: string): PodOption | string {
  const at = value.indexOf('=');
  const target = value.slice(0, Math.max(0, at)).trim();
  const parts = target.split('/');
  const [name = '', kind = '', namespace = ''] = parts.toReversed();
  if (at < 1 || parts.length > 3 || parts.includes('') || kind === '')
    return `${quote(value)}: the form is ${FORM}${example}`;
  return { target, namespace, kind, name, items: value.slice(at + 1) };
}

/** True if an option names a workload. */
export function isTarget(workload: Workload, { kind, name, namespace }: PodOption): boolean {
  const isNamed = isKind(kind, workload.kind) && workload.name === name;
  return isNamed && (namespace === '' || namespace === workload.namespace);
}

/** Finds the manifest of each option of a name. A mistake says which workloads there are. */
export function targetsOf(name: string, options: readonly PodOption[], manifests: readonly InputManifest[]) {
  const workloads = options.length === 0 ? [] : manifests.flatMap((manifest) => withWorkload(manifest));
  const targets = new Map<InputManifest, PodOption[]>();
  const mistakes: string[] = [];
  for (const option of options) {
    const named = workloads.filter(({ workload }) => isTarget(workload, option));
    const [first, second] = named;
    const about = `${name} ${option.target}`;
    if (first === undefined)
      mistakes.push(
        `${about}: ${missing(
          option,
          workloads.map(({ workload }) => workload),
        )}`,
      );
    else if (second !== undefined)
      mistakes.push(`${about}: there are ${named.length} of it; write NAMESPACE/${option.kind}/${option.name}`);
    else targets.set(first.manifest, [...(targets.get(first.manifest) ?? []), option]);
  }
  return { targets, mistakes };
}

function withWorkload(manifest: InputManifest) {
  const workload = workloadOf(manifest.data);
  return workload === undefined ? [] : [{ manifest, workload }];
}

function missing({ name }: PodOption, workloads: readonly { readonly kind: string; readonly name: string }[]): string {
  if (workloads.length === 0) return 'there is no workload in the stream';
  const known = [...new Set(workloads.map((one) => `${one.kind}/${one.name}`))];
  const near = nearest(
    name,
    workloads.map((one) => one.name),
  );
  const guess = near === undefined ? undefined : known.find((one) => one.endsWith(`/${near}`));
  if (guess !== undefined) return `there is no such workload in the stream; did you mean ${guess}?`;
  const more = known.length > MAX_LISTED ? `, and ${known.length - MAX_LISTED} more` : '';
  return `there is no such workload in the stream; there are: ${known.slice(0, MAX_LISTED).join(', ')}${more}`;
}
