/**
 * Loads the provider at the first Mount, so that `serve` starts quickly. `serve` calls it.
 */

import type { Provider } from './provider.ts';

/** A provider that may not be loaded yet. */
export interface LazyProvider extends Pick<Provider, 'mount' | 'close'> {
  /** Loads the provider, and does the work that its first Mount would wait for. */
  warmUp(): Promise<void>;
}

/**
 * Returns a provider that is loaded when it is first needed. It is most of the program, so the start does not wait for
 * it.
 */
export function lazyProvider(load: () => Promise<Provider>): LazyProvider {
  let loading: Promise<Provider> | undefined;
  const provider = () => {
    loading ??= load();
    return loading;
  };
  return {
    mount: async (input, call) => (await provider()).mount(input, call),
    warmUp: async () => (await provider()).warmUp(),
    close: async () => (await loading)?.close(),
  };
}
