/**
 * Names the addresses that a connection was tried with, for messages about a connection that failed. A wrong address
 * usually comes from a private endpoint or a hosts file. Nothing is resolved here.
 */

/** An address that a connection was tried with. */
export interface Tried {
  readonly address: string;
  readonly port: number;
}

/** Returns addresses with their ports, each once and sorted: a host has several, and any of them may come first. */
export function inWords(tried: readonly Tried[]): readonly string[] {
  const words = tried.map(({ address, port }) => `${address.includes(':') ? `[${address}]` : address}:${port}`);
  return [...new Set(words)].sort();
}

/**
 * Returns the addresses that a failed connection was tried with, by what Node or `bounded-agents.ts` put into its
 * error.
 */
export function addressesOf(error: Error & { readonly addresses?: readonly string[] }): readonly string[] {
  if (error.addresses !== undefined) return error.addresses;
  return inWords((error instanceof AggregateError ? error.errors : [error]).filter(isTried));
}

function isTried(error: Partial<Tried>): error is Tried {
  return typeof error.address === 'string' && typeof error.port === 'number';
}
