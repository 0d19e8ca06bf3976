/**
 * Divides a listing of a vault into pages. The listings call it. Refuses page sizes that Key Vault refuses.
 */

import type { VaultRequest } from './vault-call.ts';
import { badParameter } from './vault-errors.ts';

const MAX_RESULTS = 25;

/** Returns one page of items in the order of their keys, with the link to the next page. */
export function page<T>(
  call: VaultRequest,
  items: readonly T[],
  shape: { readonly key: (item: T) => string; readonly show: (item: T) => unknown },
): { value: unknown[]; nextLink: string | null } {
  const size = pageSize(call.request.query.get('maxresults'));
  const after = marker(call.request.query.get('$skiptoken'));
  const rest = items
    .map((item) => ({ item, key: shape.key(item) }))
    .filter(({ key }) => after === undefined || key > after)
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  const shown = rest.slice(0, size);
  const last = shown.at(-1);
  const more = rest.length > size && last !== undefined;
  return { value: shown.map(({ item }) => shape.show(item)), nextLink: more ? nextLink(call, last.key, size) : null };
}

function pageSize(text: string | null): number {
  if (text === null || text === '') return MAX_RESULTS;
  const size = Number(text);
  if (Number.isInteger(size) && size >= 1 && size <= MAX_RESULTS) return size;
  throw badParameter(`Invalid maxresults value: ${text}. It must be between 1 and ${MAX_RESULTS}.`);
}

function nextLink(call: VaultRequest, key: string, size: number): string {
  const token = Buffer.from(JSON.stringify({ NextMarker: key })).toString('base64url');
  const query = `api-version=${encodeURIComponent(call.apiVersion)}&$skiptoken=${token}&maxresults=${size}`;
  return `${call.origin}${call.request.path}?${query}`;
}

function marker(token: string | null): string | undefined {
  if (token === null) return undefined;
  try {
    const { NextMarker } = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
    if (typeof NextMarker === 'string') return NextMarker;
  } catch {
    // The error is thrown below.
  }
  throw badParameter('Invalid $skiptoken.');
}
