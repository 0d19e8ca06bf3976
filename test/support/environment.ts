/**
 * Removes the settings of the developer's machine that programs read, before each file of the tests: proxies, other
 * certificates, identities, clusters, exporters, languages, and the mask of new files. vitest.config.ts names it for the
 * tests that need no network.
 */

const PREFIXES = /^(AKV_CSI|AZURE|IDENTITY|KUBERNETES|LC|MSI|OTEL)_/;
const NAMES =
  /^(((all|grpc|https?|no)_proxy)|FORCE_COLOR|KUBECONFIG|LANG|NO_COLOR|NODE_EXTRA_CA_CERTS|NODE_NAME|NODE_OPTIONS|SSL_CERT_(DIR|FILE))$/i;

for (const name of Object.keys(process.env)) {
  if (PREFIXES.test(name) || NAMES.test(name)) delete process.env[name];
}
process.umask(0o022);

// Files share a process: a timer that an earlier file left fake never ends, and a later file hangs.
if ('clock' in setTimeout) throw new Error('An earlier test file has left fake timers');
