import { setMaxListeners } from 'node:events';
import { nextTurn } from '../../base/turns.ts';
import type { FetchContext } from '../../mount/ports.ts';
import type { VaultSession } from './vault-host.ts';

/** One Mount's stay at a vault: what its reads do once together. */
export class Visit {
  readonly session: VaultSession;
  readonly context: FetchContext;
  readonly #prepare: (vaultUrl: string) => void;
  #login: Promise<void> | undefined;
  #patience: { readonly signal: AbortSignal; readonly dispose: () => void } | undefined;
  #waiting = 0;

  constructor(session: VaultSession, context: FetchContext, prepare: (vaultUrl: string) => void) {
    this.session = session;
    this.context = context;
    this.#prepare = prepare;
  }

  /**
   * Proves the identity by a token of its own; see `Login`. Many Mounts may wait for one token, so that each goes on in a
   * turn of the event loop of its own.
   */
  login(): Promise<void> {
    this.#login ??= this.#logIn();
    return this.#login;
  }

  /** Waits for `work` until the Mount ends, or until a pause of the vault is too long for it. */
  async patiently<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#patience ??= this.#begin();
    const { signal } = this.#patience;
    this.#waiting++;
    try {
      return await work(signal);
    } finally {
      if (--this.#waiting === 0) {
        this.#patience?.dispose();
        this.#patience = undefined;
      }
    }
  }

  async #logIn(): Promise<void> {
    const { session, context } = this;
    const { signal, progress, hasty } = context;
    const resource = session.host.resource ?? session.resource;
    // Who has to log in first will read from the vault after it; until then the way there can be opened.
    if (!session.login.has(resource)) this.#prepare(session.host.url);
    await progress.during(session.loginAt, session.login.token({ resource, signal, hasty }));
    await nextTurn(signal);
  }

  #begin() {
    const { signal: tired, dispose } = this.session.host.gate.patience(this.context);
    const signal = AbortSignal.any([this.context.signal, tired]);
    // All reads of a Mount listen to its one signal, which is no leak.
    setMaxListeners(0, signal);
    return { signal, dispose };
  }
}
