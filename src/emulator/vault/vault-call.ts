/**
 * An authenticated request to a vault, and readers for the fields of its JSON body. All operations of vaults use it.
 */

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
  /** `https://` and the host the client used: the start of every id. */
  readonly origin: string;
  readonly apiVersion: string;
}

/** A JSON object from outside. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The request's JSON body. Refuses what is not an object with 400. */
export function jsonBody(call: VaultRequest): JsonObject {
  try {
    const body: unknown = JSON.parse(call.request.body.toString('utf8') || '{}');
    const object = asObject(body);
    if (object !== undefined) return object;
  } catch {
    // Answered below; the parser's message would quote the body.
  }
  throw badParameter('The request body is not a JSON object.');
}

export function asObject(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
}

/** A member that may be absent or null, else must be text; `path` names it in the 400. */
export function optionalText(object: JsonObject | undefined, name: string): string | undefined {
  const value = object?.[name] ?? undefined;
  if (value === undefined || typeof value === 'string') return value;
  throw badParameter(`Property '${name}' has invalid value: text expected.`);
}

/** A member that may be absent or null, else must be a list of texts. */
export function optionalTexts(object: JsonObject | undefined, name: string): readonly string[] | undefined {
  const value = object?.[name] ?? undefined;
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  throw badParameter(`Property '${name}' has invalid value: list of texts expected.`);
}

/** A member that may be absent or null, else must be an integer. */
export function optionalInteger(object: JsonObject | undefined, name: string): number | undefined {
  const value = object?.[name] ?? undefined;
  if (value === undefined || (typeof value === 'number' && Number.isInteger(value))) return value;
  throw badParameter(`Property '${name}' has invalid value: integer expected.`);
}

/** A member that may be absent or null, else must be a boolean. */
export function optionalFlag(object: JsonObject | undefined, name: string): boolean | undefined {
  const value = object?.[name] ?? undefined;
  if (value === undefined || typeof value === 'boolean') return value;
  throw badParameter(`Property '${name}' has invalid value: boolean expected.`);
}

/** The attributes and tags of a version in a request body, by the REST names. */
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

/** 200 with JSON. */
export const ok = (body: unknown) => json(200, body);

function tagsOf(body: JsonObject): Readonly<Record<string, string>> | undefined {
  const tags = asObject(body.tags);
  if (tags === undefined) return undefined;
  const entries = Object.entries(tags).map(([name, value]) => [name, String(value)] as const);
  if (entries.length > 15) throw badParameter('A maximum of 15 tags is allowed.');
  return Object.fromEntries(entries);
}
