// The built program as the webhook of a cluster: its authority, the API server, probes, metrics and its end.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { classObject, startClusterApi } from '../support/cluster-api.ts';
import { issue, keyPem } from '../support/pki.ts';
import { freePort, scratch, start } from '../support/process.ts';
import { admissionReview, patched, review, send, type Tree } from '../support/reviews.ts';
import { TENANT } from '../support/spc.ts';

const KEY_VAULT = `vault: {name: my-key-vault, directoryId: ${TENANT}, credentials: {servicePrincipalLocalSecretName: sp}}
vaultCert: {name: server}
`;
const BROKEN = {
  apiVersion: 'secrets-store.csi.x-k8s.io/v1',
  kind: 'SecretProviderClass',
  metadata: { name: 'app', namespace: 'apps' },
  spec: { provider: 'azure', parameters: { keyVault: KEY_VAULT.replace('my-key-vault', 'my_vault') } },
};

/** Starts the webhook with an authority of its own. */
async function startWebhook(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
  const directory = join(scratch(), 'ca');
  mkdirSync(directory);
  const ca = await issue({ name: 'ca', ca: true });
  writeFileSync(join(directory, 'ca.crt'), ca.certificate.toString());
  writeFileSync(join(directory, 'ca.key'), keyPem(ca.key));
  const [port, health, metrics] = [await freePort(), await freePort(), await freePort()];
  const ports = [`--port=${port}`, `--healthz-port=${health}`, `--prometheus-port=${metrics}`];
  const program = start(
    ['webhook', '--host=127.0.0.1', ...ports, `--ca-dir=${directory}`, '--dns-names=hook.akv.svc', ...args],
    { env },
  );
  await program.until(/msg=Serving|"msg":"Serving"/);
  const at = (path: string) => ({
    url: `https://127.0.0.1:${port}${path}`,
    ca: ca.certificate.toString(),
    servername: 'hook.akv.svc',
  });
  const get = async (from: number, path: string) => (await fetch(`http://127.0.0.1:${from}${path}`)).text();
  return { program, at, health: () => get(health, '/healthz'), metrics: () => get(metrics, '/metrics') };
}

test('validates, mounts what a pod asks for, is probed and counted, and ends without cutting requests', async () => {
  const api = await startClusterApi();
  onTestFinished(() => api.close());
  const annotations = { 'akv-csi/from': 'BrokerListener/front/tls' };
  const items = [classObject({ name: 'front-tls', namespace: 'apps', annotations }, { keyVault: KEY_VAULT })];
  let arrived: (() => void) | undefined;
  let hold: Promise<void> | undefined;
  api.answer = async (_, response) => {
    arrived?.();
    await hold;
    response.writeHead(200).end(JSON.stringify({ kind: 'SecretProviderClassList', metadata: {}, items }));
  };
  const { program, at, health, metrics } = await startWebhook(
    [`--service-account-dir=${api.serviceAccountDir}`],
    api.env,
  );
  expect(await health()).toBe('ok');
  expect(await send(at('/readyz'))).toEqual({ status: 200, body: 'ok' });

  expect(await review(at('/validate'), admissionReview(BROKEN))).toMatchObject({
    allowed: false,
    status: { code: 422 },
  });
  const pod: Tree = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'broker-0', namespace: 'apps', annotations: { 'akv-csi/mount': 'BrokerListener/front' } },
    spec: { containers: [{ name: 'broker' }] },
  };
  const { patch } = await review(at('/mutate'), admissionReview(pod));
  expect(patched(pod, patch)).toHaveProperty('spec.volumes.0.csi.nodePublishSecretRef', { name: 'sp' });
  expect(await metrics()).toMatch(/^akv_csi_webhook_reviews_total\{path="\/mutate",result="patched"\} 1$/m);
  expect(await metrics()).toMatch(
    /^akv_csi_webhook_certificate_expiration_timestamp_seconds\{certificate="authority"\} /m,
  );

  let go = () => {};
  hold = new Promise((resolve) => {
    go = resolve;
  });
  const asked = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const last = review(at('/mutate'), admissionReview(pod));
  await asked;
  program.child.kill('SIGTERM');
  await program.until(/msg=Stopping signal=SIGTERM requestsInFlight=1/);
  // The Service may send requests for some time.
  expect(await send(at('/readyz'))).toEqual({ status: 503, body: 'stopping' });
  go();
  expect(await last).toHaveProperty('patch');
  expect(await program.ended).toEqual({ code: 0, signal: null });
  expect(program.output('stdout')).toMatch(/msg=Stopped/);
});

test('warns if that is set, and takes two signals', async () => {
  const { program, at } = await startWebhook(['--validation=warn', '--log-format-json']);
  const { allowed, warnings } = await review(at('/validate'), admissionReview(BROKEN));
  expect([allowed, warnings?.length]).toEqual([true, 1]);
  program.child.kill('SIGINT');
  await program.until(/"msg":"Stopping"/);
  program.child.kill('SIGTERM');
  expect(await program.ended).toEqual({ code: 143, signal: null });
});

test.each<[string, readonly string[], number, RegExp]>([
  ['no certificate', [], 2, /the certificate is needed: set --cert-dir, or --ca-dir with --dns-names/],
  ['two certificates', ['--cert-dir=/a', '--ca-dir=/b'], 2, /the certificate is needed/],
  ['an authority without names', ['--ca-dir=/b'], 2, /flags --ca-dir and --dns-names need each other/],
  ['a name that is none', ['--ca-dir=/b', '--dns-names=a_b'], 2, /a_b\\" for flag --dns-names: it must be DNS names/],
  ['an unknown action', ['--cert-dir=/a', '--validation=refuse'], 2, /it must be \\"deny\\" or \\"warn\\"/],
  ['an unknown flag', ['--certdir=/a'], 2, /unknown flag --certdir; did you mean --cert-dir\?/],
  ['files that are not there', ['--cert-dir=/nowhere'], 1, /msg="Cannot serve".*tls\.crt: no such file or directory/],
])('does not start with %s', async (_name, args, code, message) => {
  const { ended, output } = start(['webhook', ...args]);
  expect(await ended).toEqual({ code, signal: null });
  expect(output('stderr')).toMatch(message);
});

test('does not start with a certificate and a key that do not belong together', async () => {
  const directory = scratch();
  const { certificate } = await issue({ name: 'localhost' });
  writeFileSync(join(directory, 'tls.crt'), certificate.toString());
  writeFileSync(join(directory, 'tls.key'), keyPem((await issue({ name: 'other' })).key));
  const { ended, output } = start(['webhook', `--cert-dir=${directory}`]);
  expect(await ended).toEqual({ code: 1, signal: null });
  expect(output('stderr')).toMatch(/they do not belong together/);
});
