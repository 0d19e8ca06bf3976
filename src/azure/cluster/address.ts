/**
 * Tells where the API server of the cluster is. Called by the client of the API server and by identity binding. A port
 * that is no port number has no address.
 */

/** The address of the API server from the environment of the pod; empty texts where a variable is not set. */
export interface ApiServerAddress {
  /** `KUBERNETES_SERVICE_HOST`: a name or an address; default the cluster's own name of it. */
  readonly host: string;
  /** `KUBERNETES_SERVICE_PORT`; default 443. */
  readonly port: string;
}

/** Where to connect, and the words for it. */
export interface ApiServerTarget {
  readonly host: string;
  /** 0 where the variable holds no port number. */
  readonly port: number;
  /** Host and port for messages. */
  readonly shown: string;
}

/** The name of the API server inside every cluster. */
export const CLUSTER_HOST = 'kubernetes.default.svc.cluster.local';

/** The API server at an address, with the defaults for what is not set. */
export function targetOf({ host: givenHost, port: givenPort }: ApiServerAddress): ApiServerTarget {
  const host = givenHost === '' ? CLUSTER_HOST : givenHost;
  const port = givenPort === '' ? 443 : /^\d{1,5}$/.test(givenPort) ? Number(givenPort) : 0;
  return { host, port: port > 65_535 ? 0 : port, shown: `${host}:${givenPort === '' ? 443 : givenPort}` };
}
