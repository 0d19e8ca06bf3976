/**
 * Reads what a vault says about an object besides its content: dates, state, content type and tags. `vault-json.ts` calls
 * it for each answer, `known-codec.ts` for each entry of the store. Ignores members of another type.
 */

import { isJsonObject, type JsonObject } from '../../base/json.ts';
import type { ObjectFacts } from '../../mount/ports.ts';

/** Bounds of the tags. Key Vault allows 15 of 256 characters each; answers may come from something else. */
const MAX_TAGS = 100;
const MAX_TAG_LENGTH = 1024;

/** Returns the facts in the JSON of an answer. */
export function factsFromWire(json: JsonObject): ObjectFacts {
  const attributes = isJsonObject(json.attributes) ? json.attributes : {};
  const policy = isJsonObject(json.policy) ? json.policy : {};
  const contents = isJsonObject(policy.secret_props) ? policy.secret_props : json;
  return factsOf({
    enabled: attributes.enabled,
    createdAt: timeOf(attributes.created),
    updatedAt: timeOf(attributes.updated),
    notBefore: timeOf(attributes.nbf),
    contentType: contents.contentType,
    tags: json.tags,
  });
}

/** Returns the facts in their own JSON, as the store keeps them; undefined if there are none. */
export function factsFromStore(json: unknown): ObjectFacts | undefined {
  return isJsonObject(json) ? factsOf(json) : undefined;
}

/** Returns the estimated bytes of facts in memory. */
export function bytesOfFacts(facts: ObjectFacts | undefined): number {
  return Object.entries(facts?.tags ?? {}).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
}

/** Converts a time of Key Vault, which is in seconds. */
export function timeOf(seconds: unknown): number | undefined {
  return typeof seconds === 'number' && Number.isFinite(seconds) ? seconds * 1000 : undefined;
}

function factsOf({ enabled, createdAt, updatedAt, notBefore, contentType, tags }: JsonObject): ObjectFacts {
  const known = isJsonObject(tags) ? tagsOf(tags) : {};
  return {
    ...(typeof enabled === 'boolean' && { enabled }),
    ...(typeof createdAt === 'number' && { createdAt }),
    ...(typeof updatedAt === 'number' && { updatedAt }),
    ...(typeof notBefore === 'number' && { notBefore }),
    ...(typeof contentType === 'string' && contentType !== '' && { contentType }),
    ...(Object.keys(known).length > 0 && { tags: known }),
  };
}

function tagsOf(tags: JsonObject): Readonly<Record<string, string>> {
  const texts = Object.entries(tags).flatMap(([name, value]) =>
    typeof value === 'string' && name.length + value.length <= MAX_TAG_LENGTH ? [[name, value] as const] : [],
  );
  return Object.fromEntries(texts.slice(0, MAX_TAGS));
}
