/**
 * Answers the reviews of pods: adds the volumes and mounts that the annotation `akv-csi/mount` asks for, and the
 * container that `akv-csi/watch` asks for. Called by `server.ts` for `/mutate`. A pod without these annotations is never
 * changed. A pod whose items cannot be mounted is denied: it asked for its files by name, cannot run without them, and
 * its controller creates it again.
 */

import type { JsonObject } from '../base/json.ts';
import { MOUNT, WATCH } from '../render/into/annotations.ts';
import { jsonPatchOf } from '../render/into/changes.ts';
import type { KnownClass } from '../render/into/classes.ts';
import { valueAt } from '../render/into/data.ts';
import { mountInto } from '../render/into/mount-into.ts';
import { DEFAULT_MOUNT_PATH } from '../render/mount-path.ts';
import { CannotList, type ClusterClasses } from './classes.ts';
import { messageOfAll, warningsOf } from './messages.ts';
import { ALLOWED, BadReview, type Refusal, type Review, subjectOf, type Verdict } from './review.ts';

const RETRY = 'the pod is not created; its controller tries again';

/** The kubelet's annotation of the object that stands for a static pod. */
const MIRROR = 'kubernetes.io/config.mirror';
const IS_STATIC =
  'a static pod runs as its manifest on the node says, so the annotations have no effect; write the volumes into that manifest';
/** Lists and maps of a pod, and the most entries of each in a pod that is changed. No node runs a pod that comes near it. */
const BOUNDED = ['metadata.annotations', 'spec.containers', 'spec.initContainers', 'spec.volumes'];
const MAX_ENTRIES = 1_000;

/** What is needed to change pods. */
export interface Mutation {
  readonly classes: ClusterClasses;
  /** The image of the container that watches, for pods that name none; empty: such pods are denied. */
  readonly watchImage: string;
}

/** Answers a review. Throws: {@link BadReview} for a creation without an object. */
export async function mutate(review: Review, mutation: Mutation, signal: AbortSignal): Promise<Verdict> {
  const { operation, subResource, group, kind, object, namespace } = review;
  if (operation !== 'CREATE' || subResource !== '' || group !== '' || kind !== 'Pod') return ALLOWED;
  if (object === undefined) throw new BadReview('request.object is required for CREATE');
  const mounts = hasAnnotation(object, MOUNT);
  if (!mounts && !hasAnnotation(object, WATCH)) return ALLOWED;
  const subject = subjectOf(review);
  const unchanged = unchangeable(subject, object);
  if (unchanged !== undefined) return unchanged;
  let classes: readonly KnownClass[] = [];
  try {
    if (mounts) classes = await mutation.classes.list(namespace, signal);
  } catch (error) {
    if (error instanceof CannotList) return { refusal: unavailable(subject, error.message) };
    if (signal.aborted) return { refusal: unavailable(subject, 'the API server did not answer in time') };
    throw error;
  }
  const { changes, mistakes, notes } = mountInto(
    { apiVersion: 'v1', kind, ...object },
    { classes, mountPath: DEFAULT_MOUNT_PATH, namespace, watchImage: mutation.watchImage },
  );
  const warnings = warningsOf(subject, notes.map(withoutName));
  if (mistakes.length > 0) return { refusal: invalid(subject, mistakes.map(withoutName)), warnings };
  return { patch: jsonPatchOf(changes), warnings };
}

/** Returns the answer for a pod that is not changed, whatever its items are. */
function unchangeable(subject: string, object: JsonObject): Verdict | undefined {
  if (hasAnnotation(object, MIRROR)) return { warnings: warningsOf(subject, [IS_STATIC]) };
  const tooMany = excessOf(object);
  return tooMany.length === 0 ? undefined : { refusal: invalid(subject, tooMany) };
}

/** Returns a mistake for each list and map that would take too long. */
function excessOf(object: JsonObject): readonly string[] {
  return BOUNDED.flatMap((place) => {
    const held = valueAt(object, place.split('.'));
    const size = typeof held === 'object' && held !== null ? Object.keys(held).length : 0;
    if (size <= MAX_ENTRIES) return [];
    return [`${place} has ${size} entries; the webhook changes pods with at most ${MAX_ENTRIES}`];
  });
}

function hasAnnotation(object: JsonObject, name: string): boolean {
  return valueAt(object, ['metadata', 'annotations', name]) !== undefined;
}

function invalid(subject: string, mistakes: readonly string[]): Refusal {
  return { code: 422, reason: 'Invalid', message: `${messageOfAll(subject, mistakes)}; ${RETRY}` };
}

/** Takes the name of the pod from a message: the subject has it, with its namespace. */
function withoutName(message: string): string {
  return message.replace(/^Pod [^:]*: /, '');
}

/** The classes are not known now: a client may try again at once. */
function unavailable(subject: string, reason: string): Refusal {
  const why = `annotation ${MOUNT}: the SecretProviderClasses of the namespace cannot be listed: ${reason}`;
  return { code: 503, reason: 'ServiceUnavailable', message: `${messageOfAll(subject, [why])}; ${RETRY}` };
}
