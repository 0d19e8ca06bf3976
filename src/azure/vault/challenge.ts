/**
 * Reads the challenge in a vault's 401. The vault client ends a call with it, and `ReadLogin` gets the token that it
 * asks for. The SDK's own policy never sees the 401: it logs in wherever the answer points to.
 */

import type { PipelineResponse } from '@azure/core-rest-pipeline';
import { jsonValue } from '../../base/json.ts';
import { AnsweredError } from '../http/answered.ts';

/** Characters of a challenge that are read; Key Vault's have a few hundred. A longer one counts as empty. */
const MAX_HEADER_LENGTH = 8 * 1024;
/** A name and its value. It begins where a word begins: a long word is looked at once, and not once for each letter. */
const FIELD = /(?<!\w)(\w+)\s*=\s*(?:"([^"]*)"|([^\s",]+))/g;

/** A vault's 401, parsed (`WWW-Authenticate: Bearer authorization="…", resource="…"`). */
export class Challenge extends AnsweredError {
  readonly authorization: string;
  readonly resource: string;
  /** JSON, where the vault wants other claims in the token (CAE); empty otherwise. */
  readonly claims: string;
  /** The answer's JSON; undefined if it is none. */
  readonly body: unknown;
  readonly requestId: string | undefined;

  constructor(header: string, body: string, requestId: string | undefined) {
    super('the vault answered 401');
    const text = header.length > MAX_HEADER_LENGTH ? '' : header;
    const fields = new Map(
      [...text.matchAll(FIELD)].map(([, name, quoted, bare]) => [name?.toLowerCase(), quoted ?? bare ?? '']),
    );
    this.authorization = fields.get('authorization') ?? fields.get('authorization_uri') ?? '';
    this.resource = fields.get('resource') ?? fields.get('scope')?.replace(/\/\.default$/, '') ?? '';
    const claims = fields.get('error') === 'insufficient_claims' ? (fields.get('claims') ?? '') : '';
    this.claims = Buffer.from(claims, 'base64').toString('utf8');
    this.body = jsonValue(body);
    this.requestId = requestId;
  }

  /** The tenant that the vault trusts; empty if it does not say. */
  get tenantId(): string {
    return URL.canParse(this.authorization) ? (new URL(this.authorization).pathname.split('/')[1] ?? '') : '';
  }

  /** The origin of the login service; empty if the vault does not say. */
  get loginOrigin(): string {
    return URL.canParse(this.authorization) ? new URL(this.authorization).origin : '';
  }
}

/**
 * Turns each 401 of a vault into a {@link Challenge} before the SDK's own policy sees it: that one would log in
 * wherever the challenge points to.
 */
export function refuseChallenges({ status, headers, bodyAsText }: PipelineResponse): void {
  if (status !== 401) return;
  throw new Challenge(headers.get('www-authenticate') ?? '', bodyAsText ?? '', headers.get('x-ms-request-id'));
}
