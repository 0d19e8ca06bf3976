/**
 * Reads the documents that an issuer of tokens publishes: its OpenID configuration, and the keys that this names.
 * Called by `issuer-keys.ts` for issuers whose tokens a login service has accepted. Refuses issuers that are no plain
 * HTTPS URL, keys on another origin than the issuer's, redirects, and answers that are not JSON within limits.
 */

import { createHttpHeaders, createPipelineRequest, type HttpClient } from '@azure/core-rest-pipeline';
import { isJsonObject, type JsonLimits, parseJson } from '../../base/json.ts';
import { type IssuerKey, readKeySet, UnusableDocument } from './jwks.ts';

/** Bounds of the request for one document. The documents of a cluster have one to five thousand bytes. */
export const DOCUMENT_BOUNDS = { timeoutMs: 5_000, maxAnswerBytes: 64 * 1024 } as const;
const LIMITS: JsonLimits = { bytes: DOCUMENT_BOUNDS.maxAnswerBytes, entries: 1000, depth: 8, unique: true };
/** Characters of an issuer, and of the address of its keys. Entra ID takes 600. */
const MAX_URL_LENGTH = 1024;

/** True if documents are asked of an issuer: a plain HTTPS URL (OpenID Connect Discovery 1.0, section 3). */
export function isIssuerUrl(issuer: string): boolean {
  const url = httpsUrl(issuer);
  return url !== undefined && !/[?#\s\\]/.test(issuer);
}

/**
 * Fetches the keys of an issuer with two requests, which the client bounds by {@link DOCUMENT_BOUNDS}.
 * Throws: {@link UnusableDocument}, with the address of the document; errors of the transport.
 */
export async function fetchIssuerKeys(issuer: string, client: HttpClient): Promise<readonly IssuerKey[]> {
  const address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const keysAddress = await read(address, client, (document) => keysAddressIn(document, issuer));
  return read(keysAddress, client, readKeySet);
}

/**
 * Returns the address of the keys, of the same origin as the issuer. Clusters publish both in one place, and no other
 * host is asked because a document of an issuer says so.
 */
function keysAddressIn(document: unknown, issuer: string): string {
  if (!isJsonObject(document)) throw new UnusableDocument('it is not a JSON object');
  const { issuer: named, jwks_uri: address } = document;
  if (named !== issuer) throw new UnusableDocument('its "issuer" is not the issuer of the tokens');
  const url = typeof address === 'string' ? httpsUrl(address) : undefined;
  if (url === undefined) throw new UnusableDocument('its "jwks_uri" is not an https URL');
  if (url.origin !== new URL(issuer).origin) {
    throw new UnusableDocument('its "jwks_uri" is on another host or port than the issuer');
  }
  return url.href;
}

async function read<T>(url: string, client: HttpClient, use: (document: unknown) => T): Promise<T> {
  const headers = createHttpHeaders({ accept: 'application/json' });
  const { status, bodyAsText } = await client.sendRequest(createPipelineRequest({ url, method: 'GET', headers }));
  try {
    if (status !== 200) throw new UnusableDocument(`the answer has status ${status}; redirects are not followed`);
    const parsed = parseJson(bodyAsText ?? '', LIMITS);
    if (!parsed.ok) throw new UnusableDocument(parsed.reason);
    return use(parsed.value);
  } catch (error) {
    throw error instanceof UnusableDocument ? new UnusableDocument(`${url}: ${error.message}`) : error;
  }
}

/** Returns an HTTPS URL without user information, or undefined for everything else. */
function httpsUrl(text: string): URL | undefined {
  if (text.length > MAX_URL_LENGTH || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  return url.protocol === 'https:' && url.username === '' && url.password === '' ? url : undefined;
}
