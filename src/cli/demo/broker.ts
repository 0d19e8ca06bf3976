/**
 * An MQTT broker on aedes that starts from the files of mounted volumes. The broker step of the demo starts it.
 * It speaks TLS only, and refuses clients without a valid password or client certificate.
 */

import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer, type SecureContextOptions, TLSSocket } from 'node:tls';
import { Aedes, type AuthenticateError } from 'aedes';
import { parsePasswords, passwordFits } from './passwords.ts';

/** The volumes that a broker starts from. */
export interface BrokerVolumes {
  /** Holds `tls.crt`, `tls.key` and `ca.crt`. */
  readonly tls: string;
  /** Holds `passwords.toml`. */
  readonly passwords: string;
}

/** An MQTT broker that speaks TLS only. It accepts clients with a password or a client certificate. */
export interface Broker {
  readonly port: number;
  /** Reads the TLS files again. Open connections stay open. */
  reload(): Promise<void>;
  close(): Promise<void>;
}

const BAD_USERNAME_OR_PASSWORD = 4;

/**
 * Starts a broker on a free port. The password file is read at each login, the TLS files at the start and on reload.
 */
export async function startBroker(volumes: BrokerVolumes): Promise<Broker> {
  const aedes = await Aedes.createBroker({
    authenticate: (client, username, password, done) => {
      if (client.conn instanceof TLSSocket && client.conn.authorized) {
        done(null, true);
        return;
      }
      isUser(volumes, username, password).then(
        (known) => (known ? done(null, true) : done(denied(), false)),
        () => done(denied(), false),
      );
    },
  });
  const server = createServer({
    ...(await readTlsFiles(volumes.tls)),
    requestCert: true,
    // A client without a certificate needs a password.
    rejectUnauthorized: false,
  });
  server.on('secureConnection', (socket) => void aedes.handle(socket));
  // A client that refuses the certificate of the broker reports that itself.
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    reload: async () => server.setSecureContext(await readTlsFiles(volumes.tls)),
    close: async () => {
      await new Promise<void>((resolve) => aedes.close(() => resolve()));
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function readTlsFiles(directory: string): Promise<SecureContextOptions> {
  const [cert, key, ca] = await Promise.all(
    ['tls.crt', 'tls.key', 'ca.crt'].map((name) => readFile(join(directory, name))),
  );
  return { cert, key, ca };
}

async function isUser(
  { passwords }: BrokerVolumes,
  username: string | undefined,
  password: Buffer | undefined,
): Promise<boolean> {
  const users = parsePasswords(await readFile(join(passwords, 'passwords.toml'), 'utf8'));
  const user = users.get(username ?? '');
  return user !== undefined && password !== undefined && (await passwordFits(password, user.password));
}

function denied(): AuthenticateError {
  return Object.assign(new Error('bad user name or password'), { returnCode: BAD_USERNAME_OR_PASSWORD });
}
