import { inspect } from 'node:util';

/** What is shown in place of a secret. */
export const REDACTED = '[redacted]';

/**
 * A value that must not be seen: vault values, client secrets, tokens, passwords.
 * It prints as `[redacted]` in strings, JSON, `inspect` and logs; {@link Secret.reveal} is the one way to open it.
 */
export class Secret<T = string> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  /** The value itself. Every call of this is a place to review. */
  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
