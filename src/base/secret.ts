/**
 * The wrapper of everything secret: values of vaults, client secrets, tokens, passwords. All rooms pass secrets in it,
 * so that none is printed by accident.
 */

import { inspect } from 'node:util';

/** The text that is shown in place of a secret. */
export const REDACTED = '[redacted]';

/**
 * A secret value. It prints as `[redacted]` in strings, JSON, `inspect` and logs; only {@link Secret.reveal} returns
 * it.
 */
export class Secret<T = string> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  /** The value itself. Review every call of this method. */
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
