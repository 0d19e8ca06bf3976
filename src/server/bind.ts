/**
 * Binds a server to its socket or port. The gRPC listener and the HTTP endpoints call it. An endpoint that cannot be
 * opened is refused with the reason and the remedy.
 */

import { existsSync } from 'node:fs';
import type { ListenOptions, Server } from 'node:net';
import { dirname } from 'node:path';
import { messageOf, ProviderError, systemCodeOf } from '../base/errors.ts';
import { type Endpoint, formatEndpoint } from './endpoint.ts';

/** Listens. Throws: the result of `explain` for the error of the system. */
export function bind(server: Server, where: ListenOptions, explain: (error: Error) => ProviderError): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error) => reject(explain(error));
    server.once('error', onError);
    server.listen(where, () => {
      server.off('error', onError);
      resolve();
    });
  });
}

/** The port that a server of TCP listens on, which the system chooses where it was bound to port 0. */
export function portOf(server: Server): number {
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new TypeError('the server listens on no port');
  return address.port;
}

const REMEDIES: Readonly<Record<string, string>> = {
  ENOENT: 'the directory does not exist; mount the host directory the driver looks into, or create it',
  ENOTDIR: 'a part of the path is not a directory; correct --endpoint',
  EACCES: 'this user may not write there; run as the owner of the directory or give it write permission',
  EPERM: 'this user may not write there; run as the owner of the directory or give it write permission',
  EROFS: 'the file system is read-only; mount the directory writable',
  EADDRINUSE: 'another process listens there; stop it or choose another --endpoint',
  EADDRNOTAVAIL: 'this machine does not have the address; correct --endpoint',
  ENOTFOUND: 'the host name is not known; correct --endpoint',
};

/** Permission bits do not apply to root. */
const ROOT_REFUSED =
  'root may not write there: SELinux or AppArmor refuses it, or a capability is dropped; run the container privileged ' +
  "(the chart's value linux.privileged), or with the SELinux type spc_t";

/** The error of an endpoint that cannot be opened, with the reason and the remedy. */
export function cannotListen(endpoint: Endpoint, error: unknown, userId = process.getuid?.()): ProviderError {
  const unix = endpoint.kind === 'unix';
  // libuv reports EACCES for a missing directory too.
  const missing = unix && !existsSync(dirname(endpoint.path));
  const code = missing ? 'ENOENT' : systemCodeOf(error);
  const refused = unix && (code === 'EACCES' || code === 'EPERM') && userId === 0;
  const remedy = refused ? ROOT_REFUSED : REMEDIES[code];
  const reason = remedy === undefined ? messageOf(error) : `${code}, ${remedy}`;
  const where = unix ? endpoint.path : formatEndpoint(endpoint);
  return new ProviderError('ERR_USAGE', `Cannot listen on ${where}: ${reason}`, { cause: error });
}

const PORT_REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process of this node listens there; choose another port or stop the other process',
  EADDRNOTAVAIL: 'this machine does not have the address; choose one of its addresses, or none for every interface',
  EACCES: 'this user may not listen there; choose a port from 1024 on',
};

/** The error of a port that cannot be opened, at an address if `host` is not empty; `purpose` names its use and its flags. */
export function cannotListenOnPort(
  { host = '', port }: { readonly host?: string; readonly port: number },
  purpose: string,
  error: Error,
): ProviderError {
  const reason = PORT_REASONS[systemCodeOf(error)] ?? messageOf(error);
  const where = host === '' ? `port ${port}` : `port ${port} of ${host}`;
  return new ProviderError('ERR_USAGE', `Cannot listen on ${where} for ${purpose}: ${reason}`, { cause: error });
}
