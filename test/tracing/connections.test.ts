/** The connections of the export of traces: the authorities that they trust, and the proxy of the environment. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { openTracing } from '../../src/cli/tracing.ts';
import { keptLog } from '../support/mount.ts';
import { startReceiver } from '../support/otlp.ts';
import { issue, keyPem } from '../support/pki.ts';
import { scratch } from '../support/process.ts';
import { CALLER } from './traces.ts';

/** Writes a text into a file of the test. */
function file(name: string, text: string): string {
  const path = join(scratch(), name);
  writeFileSync(path, text);
  return path;
}

const open = (env: Readonly<Record<string, string>>) =>
  openTracing({
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://localhost:1', OTEL_BSP_SCHEDULE_DELAY: '1', ...env },
    log: keptLog().log,
    objectNames: true,
  });

it.each(['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE'])('those of %s count beside the file of the operator', async (name) => {
  const [{ certificate, key }, other] = [await issue({ name: 'localhost' }), await issue({ name: 'other' })];
  const receiver = await startReceiver({ tls: { cert: certificate.toString(), key: keyPem(key) } });
  const tracing = await open({
    OTEL_EXPORTER_OTLP_ENDPOINT: `https://localhost:${receiver.port}`,
    OTEL_EXPORTER_OTLP_CERTIFICATE: file('other.pem', other.certificate.toString()),
    [name]: file('ca.pem', certificate.toString()),
  });
  onTestFinished(() => tracing?.close());
  tracing?.tracer.mount(CALLER)?.end();
  expect(await receiver.until((spans) => spans.length > 0)).toHaveLength(1);
});

const PEM = (text: string) => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;

it.each([
  ['OTEL_EXPORTER_OTLP_CERTIFICATE', 'no PEM', 'it has no certificate in PEM'],
  ['OTEL_EXPORTER_OTLP_CERTIFICATE', PEM('AAAA'), 'its certificate 1 cannot be read'],
  ['OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE', PEM('AAAA'), 'its certificate 1 cannot be read'],
])('the file of %s with wrong contents is refused', async (variable, text, reason) => {
  const path = file('ca.pem', text);
  await expect(open({ [variable]: path })).rejects.toMatchObject({
    code: 'ERR_SETUP',
    message: `${variable} ${path}: ${reason}; mount the file, or correct the variable`,
  });
});

it('a proxy that is no URL is refused, without its password', async () => {
  vi.stubEnv('HTTPS_PROXY', 'http://user:s3cret@proxy:99999');
  onTestFinished(() => void vi.unstubAllEnvs());
  await expect(open({ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example' })).rejects.toMatchObject({
    code: 'ERR_SETUP',
    message: expect.stringMatching(/^traces go to collector\.example [^@]*; correct HTTPS_PROXY, /),
  });
});
