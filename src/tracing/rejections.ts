/**
 * Reads what an endpoint says about spans in an answer that accepts an export: how many it has rejected, or a warning (the
 * partial success of OTLP). `startTracing` puts it around the serializer of the SDK, which would only print it. Bounds
 * number and text, and hides the credentials of the export.
 */

import type { ISerializer } from '@opentelemetry/otlp-transformer';
import { membersOf } from '../base/json.ts';
import { Redactor } from '../base/redact.ts';
import { clip } from '../base/words.ts';
import type { TraceSettings } from './settings.ts';

/** What an endpoint said about the spans of one export. */
export interface Rejection {
  /** The number of spans that it has rejected; 0: its text is a warning. */
  readonly spans: number;
  /** Its text, cut and on one line; empty if there is none. */
  readonly words: string;
}

/** Characters of a text that are read; more than are shown. */
const MAX_READ = 4_000;

/** The answers of one endpoint. */
export class Rejections {
  readonly #redactor = new Redactor();
  #last: Rejection | undefined;

  /** The credentials may be in the headers and in the query. An answer may repeat them. */
  constructor({ headers, endpoint }: Pick<TraceSettings, 'headers' | 'endpoint'>) {
    const values = [...Object.values(headers), ...endpoint.searchParams.values()];
    // The token of `Bearer TOKEN` may be repeated alone.
    this.#redactor.learn(() => values.flatMap((value) => [value, ...value.split(' ').slice(1)]));
  }

  /** Returns a serializer that reads answers for {@link take}. */
  around<Request>(serializer: ISerializer<Request, object>): ISerializer<Request, object> {
    return {
      serializeRequest: (request) => serializer.serializeRequest(request),
      deserializeResponse: (bytes) => {
        this.#last = undefined;
        this.#last = this.#read(serializer.deserializeResponse(bytes));
        return {};
      },
    };
  }

  /**
   * Returns what the answer of an export says; undefined: it accepts all spans. The exporter reads an answer right before it
   * reports the success, so that the call belongs there.
   */
  take(): Rejection | undefined {
    const last = this.#last;
    this.#last = undefined;
    return last;
  }

  /** Protobuf and JSON are decoded, but a field may be anything. */
  #read(answer: unknown): Rejection | undefined {
    const { rejectedSpans, errorMessage } = membersOf(membersOf(answer).partialSuccess);
    // In JSON, 64-bit numbers are texts.
    const number = Number(rejectedSpans);
    const spans = Number.isSafeInteger(number) ? Math.max(0, number) : 0;
    const text = typeof errorMessage === 'string' ? errorMessage.slice(0, MAX_READ) : '';
    if (spans === 0 && text === '') return undefined;
    return { spans, words: clip(this.#redactor.text(text).replace(/\s+/g, ' ').trim()) };
  }
}
