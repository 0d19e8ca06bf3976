/**
 * Finds the address of the API server in the pod's environment. Called by the client of the API server and by identity
 * binding. Reports a port that is not a port number as 0.
 */

/** The address of the API server from the environment of the pod; a variable that is not set is empty. */
export interface ApiServerAddress {
  /** `KUBERNETES_SERVICE_HOST`: a name or an address; default the cluster's own name of it. */
  readonly host: string;
  /** `KUBERNETES_SERVICE_PORT`; default 443. */
  readonly port: string;
}

/** The host and port to connect to. */
export interface ApiServerTarget {
  readonly host: string;
  /** 0 if the variable does not contain a port number. */
  readonly port: number;
  /** Host and port for messages. */
  readonly shown: string;
}

/** The name of the API server inside every cluster. */
export const CLUSTER_HOST = 'kubernetes.default.svc.cluster.local';

/** Returns host and port, with defaults for variables that are not set. */
export function targetOf({ host: givenHost, port: givenPort }: ApiServerAddress): ApiServerTarget {
  const host = givenHost === '' ? CLUSTER_HOST : givenHost;
  const port = givenPort === '' ? 443 : /^\d{1,5}$/.test(givenPort) ? Number(givenPort) : 0;
  return { host, port: port > 65_535 ? 0 : port, shown: `${host}:${givenPort === '' ? 443 : givenPort}` };
}
