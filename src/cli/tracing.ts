/**
 * Starts the export of traces that the environment asks for. `serve` loads it only then. Refuses wrong settings, and a file
 * of certificate authorities or a proxy that cannot be read.
 */

import type { Agent } from 'node:http';
import { hostname } from 'node:os';
import { Agents } from '../azure/http/agents.ts';
import { certificatesIn, isCertificate, readTrust } from '../azure/http/trust.ts';
import { ProviderError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { readMountedFile, UnreadableFile } from '../base/regular-file.ts';
import { readTraceSettings, type TraceSettings } from '../tracing/settings.ts';
import { startTracing, type Tracing } from '../tracing/start.ts';
import type { Io } from './io.ts';
import { VERSION } from './version.ts';

const MAX_CA_BYTES = 1024 * 1024;

/** The parts of `serve` that traces need. */
export interface TracingParts {
  readonly env: Io['env'];
  readonly log: Logger;
  /** `--metrics-object-names`. */
  readonly objectNames: boolean;
}

/** Starts the export; undefined if the environment switches it off. Throws: ERR_USAGE, ERR_SETUP. */
export async function openTracing({ env, log, objectNames }: TracingParts): Promise<Tracing | undefined> {
  const settings = readTraceSettings(env, {
    'service.name': 'csi-secrets-store-provider-azure',
    'service.version': VERSION,
    'host.name': hostname(),
    ...(env.NODE_NAME && { 'k8s.node.name': env.NODE_NAME }),
  });
  if (settings === undefined) return undefined;
  const trust = await readTrust({
    // Node itself trusts NODE_EXTRA_CA_CERTS, until it is given other authorities.
    certFile: env.SSL_CERT_FILE || (settings.caFile === '' ? undefined : env.NODE_EXTRA_CA_CERTS),
    certDir: env.SSL_CERT_DIR,
    extraCaFile: env.NODE_EXTRA_CA_CERTS,
  });
  // Connections of their own: an endpoint that hangs takes none from vaults.
  const agents = new Agents([...trust, ...(await authoritiesIn(settings))]);
  return startTracing(settings, { agent: agentFor(settings.endpoint, agents), log, version: VERSION, objectNames });
}

/** Returns the connections to the endpoint. Throws: ERR_SETUP, without the proxy's URL, which may have a password. */
function agentFor(endpoint: URL, agents: Agents): Agent {
  try {
    return agents.for(endpoint).agent;
  } catch {
    throw new ProviderError(
      'ERR_SETUP',
      `traces go to ${endpoint.host} through the proxy of the environment, which is no URL; correct HTTPS_PROXY, or except the host in NO_PROXY`,
    );
  }
}

async function authoritiesIn({ caFile, caVariable }: TraceSettings): Promise<readonly string[]> {
  if (caFile === '') return [];
  const refuse = (reason: string) =>
    new ProviderError('ERR_SETUP', `${caVariable} ${caFile}: ${reason}; mount the file, or correct the variable`);
  try {
    const found = certificatesIn(await readMountedFile(caFile, MAX_CA_BYTES));
    if (found.length === 0) throw refuse('it has no certificate in PEM');
    const wrong = found.findIndex((pem) => !isCertificate(pem));
    if (wrong !== -1) throw refuse(`its certificate ${wrong + 1} cannot be read`);
    return found;
  } catch (error) {
    throw error instanceof UnreadableFile ? refuse(error.message) : error;
  }
}
