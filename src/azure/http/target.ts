/**
 * Names a host and its port in one way for all that keep connections: the agents, connections opened ahead, direct ones,
 * and those that are held back.
 */

/** A host and its port. An IPv6 address has no brackets, as in Node's agents. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

/** Returns the target of a URL. */
export function targetOf({ protocol, hostname, port }: URL): Target {
  const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  return { host, port: port === '' ? (protocol === 'http:' ? 80 : 443) : Number(port) };
}

/** Returns the name of a target: `host:port`. */
export function keyOf({ host, port }: Target): string {
  return `${host}:${port}`;
}
