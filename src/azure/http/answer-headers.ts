/**
 * Holds the headers of an answer in the form that the SDK expects. `exchange.ts` makes one of those that Node has read,
 * `direct-exchange.ts` of those of `AnswerReader`. Leaves out cookies.
 */

import type { IncomingHttpHeaders } from 'node:http';
import type { HttpHeaders } from '@azure/core-rest-pipeline';

/** The headers of an answer. The SDK's own class would copy and clean each of them. */
export class AnswerHeaders implements HttpHeaders {
  /** By names in lower case. */
  readonly #values: Record<string, string>;

  /** `headers` becomes part of this object. */
  constructor(headers: IncomingHttpHeaders) {
    if (headers['set-cookie'] !== undefined) delete headers['set-cookie'];
    this.#values = headers as Record<string, string>;
  }

  get(name: string): string | undefined {
    return this.has(name) ? this.#values[name.toLowerCase()] : undefined;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#values, name.toLowerCase());
  }

  set(name: string, value: string | number | boolean): void {
    this.#values[name.toLowerCase()] = String(value);
  }

  delete(name: string): void {
    delete this.#values[name.toLowerCase()];
  }

  toJSON(): Record<string, string> {
    return this.#values;
  }

  [Symbol.iterator](): Iterator<[string, string]> {
    return Object.entries(this.#values).values();
  }
}
