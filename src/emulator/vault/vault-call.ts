/**
 * An authenticated request to a vault, and readers for the fields of its JSON body. All operations on vaults use it.
 */

import { isJsonObject, type JsonObject, jsonValue } from '../../base/json.ts';
import { type HttpRequest, json } from '../http/http.ts';
import type { Vault, World } from '../world/model.ts';
import { badParameter } from './vault-errors.ts';
import type { Caller } from './vault-token.ts';

/** One accepted call of a vault's data plane. */
export interface VaultRequest {
  readonly world: World;
  readonly vault: Vault;
  readonly caller: Caller;
  readonly request: HttpRequest;
  /** `https://` and the host that the client used. Every id begins with it. */
  readonly origin: string;
  readonly apiVersion: string;
}

/** Returns the JSON body of a request. Refuses a body that is not an object with 400. */
export function jsonBody(call: VaultRequest): JsonObject {
  const body = asObject(jsonValue(call.request.body.toString('utf8') || '{}'));
  if (body === undefined) throw badParameter('The request body is not a JSON object.');
  return body;
}

export function asObject(value: unknown): JsonObject | undefined {
  return isJsonObject(value) ? value : undefined;
}

/** Returns a text member, or undefined if it is absent or null. Refuses other types with 400, which names `name`. */
export function optionalText(object: JsonObject | undefined, name: string): string | undefined {
  const value = object?.[name] ?? undefined;
  if (value === undefined || typeof value === 'string') return value;
  throw badParameter(`Property '${name}' has invalid value: text expected.`);
}

/** Returns a member that is a list of texts, or undefined if it is absent or null. Refuses other types with 400. */
export function optionalTexts(object: JsonObject | undefined, name: string): readonly string[] | undefined {
  const value = object?.[name] ?? undefined;
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  throw badParameter(`Property '${name}' has invalid value: list of texts expected.`);
}

/** Returns an integer member, or undefined if it is absent or null. Refuses other types with 400. */
export function optionalInteger(object: JsonObject | undefined, name: string): number | undefined {
  const value = object?.[name] ?? undefined;
  if (value === undefined || (typeof value === 'number' && Number.isInteger(value))) return value;
  throw badParameter(`Property '${name}' has invalid value: integer expected.`);
}

/** Returns a boolean member, or undefined if it is absent or null. Refuses other types with 400. */
export function optionalFlag(object: JsonObject | undefined, name: string): boolean | undefined {
  const value = object?.[name] ?? undefined;
  if (value === undefined || typeof value === 'boolean') return value;
  throw badParameter(`Property '${name}' has invalid value: boolean expected.`);
}

/** Returns the attributes and tags of a version in a request body. */
export function attributesOf(body: JsonObject): {
  enabled: boolean | undefined;
  notBefore: number | undefined;
  expires: number | undefined;
  tags: Readonly<Record<string, string>> | undefined;
} {
  const attributes = asObject(body.attributes);
  return {
    enabled: optionalFlag(attributes, 'enabled'),
    notBefore: optionalInteger(attributes, 'nbf'),
    expires: optionalInteger(attributes, 'exp'),
    tags: tagsOf(body),
  };
}

/** Returns a response with status 200 and a JSON body. */
export const ok = (body: unknown) => json(200, body);

function tagsOf(body: JsonObject): Readonly<Record<string, string>> | undefined {
  const tags = asObject(body.tags);
  if (tags === undefined) return undefined;
  const entries = Object.entries(tags).map(([name, value]) => [name, String(value)] as const);
  if (entries.length > 15) throw badParameter('A maximum of 15 tags is allowed.');
  return Object.fromEntries(entries);
}
