/**
 * Makes MQTT clients for the demo. The steps of the demo connect them to the broker and send a message through it.
 */

import { randomUUID, X509Certificate } from 'node:crypto';
import { TLSSocket } from 'node:tls';
import { connectAsync, type MqttClient } from 'mqtt';
import { abortable } from '../../base/abort.ts';
import { ProviderError } from '../../base/errors.ts';

const TIMEOUT_MS = 10_000;

/** The credentials of a client, and the root that it trusts. */
export interface ClientOptions {
  readonly port: number;
  /** PEM of the one root certificate it trusts. */
  readonly root: string;
  readonly username?: string;
  readonly password?: string;
  /** Client certificate with its intermediates, and its key. */
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** Connects to a broker on this machine and logs in. Rejects with the error of TLS or of the broker. */
export function connectClient({ port, root, ...credentials }: ClientOptions): Promise<MqttClient> {
  const settings = { servername: 'localhost', ca: root, connectTimeout: TIMEOUT_MS, reconnectPeriod: 0 };
  // Without a URL, which mqtt would parse in a way that Node 26 warns of.
  const broker = { protocol: 'mqtts', host: '127.0.0.1', port } as const;
  return connectAsync('', { ...broker, ...settings, ...credentials }, false);
}

/** Returns the certificate that the broker has presented to this client. */
export function serverCertificateOf({ stream }: MqttClient): X509Certificate {
  // getPeerX509Certificate returns the certificate only on its first call.
  const raw = stream instanceof TLSSocket ? stream.getPeerCertificate().raw : undefined;
  if (raw === undefined) throw new ProviderError('ERR_INTERNAL', 'the connection is not a TLS connection');
  return new X509Certificate(raw);
}

/**
 * Sends a message from one client to another and waits until it arrives.
 * Throws: ERR_TIMEOUT.
 */
export async function deliver(from: MqttClient, to: MqttClient): Promise<void> {
  const topic = `demo/${randomUUID()}`;
  const arrived = new Promise<void>((resolve) => {
    to.on('message', (name) => {
      if (name === topic) resolve();
    });
  });
  const work = async () => {
    await to.subscribeAsync(topic, { qos: 1 });
    await from.publishAsync(topic, 'hello', { qos: 1 });
    await arrived;
  };
  const late = new ProviderError('ERR_TIMEOUT', `the broker delivered no message within ${TIMEOUT_MS / 1000} s`);
  await abortable(work(), timeoutWith(late));
}

function timeoutWith(reason: ProviderError): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), TIMEOUT_MS).unref();
  return controller.signal;
}
