// Writes the chart of a release: `node scripts/release-chart.mjs IMAGE DIRECTORY` copies the chart to
// DIRECTORY/akv-csi-provider, names the image of the release, and makes links of what leads out of the chart. The release
// workflow packs that. Refuses to run if package.json names no repository. An optional third argument is the directory of
// the project.
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [image = '', directory = '', root = fileURLToPath(new URL('..', import.meta.url))] = process.argv.slice(2);
const { version, repository } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const [, url] = /^git\+(https:\/\/[^/]+\/[^/]+\/[^/]+)\.git$/.exec(repository?.url ?? '') ?? [];
if (!/^[a-z0-9][-._/:a-z0-9]*$/.test(image) || directory === '') {
  process.stderr.write('usage: release-chart.mjs IMAGE DIRECTORY, such as ghcr.io/owner/akv-csi-provider release\n');
  process.exit(2);
}
if (url === undefined) {
  process.stderr.write('error: package.json has no repository.url such as git+https://github.com/OWNER/NAME.git\n');
  process.exit(1);
}

const page = `${url}/blob/v${version}`;
const runbook = `${page}/docs/runbook.md`;
/** What changes: file, text, replacement. Each text must be found. */
const CHANGES = [
  ['Chart.yaml', /$/, `home: ${url}\nsources:\n  - ${url}\n`],
  [
    'values.yaml',
    /^ {4}# Required: .*\n {4}repository: ""$/m,
    `    # The image of this release.\n    repository: ${image}`,
  ],
  ['values.yaml', /^( {4}runbookURL: )""$/m, `$1${runbook}`],
  ['settings.yaml', /^( {2}linux\.image\.repository:\n {4}type: text\n {4}default: )""$/m, `$1${image}`],
  [
    'settings.yaml',
    /^( {2}monitoring\.prometheusRule\.runbookURL:\n {4}type: text\n {4}default: )""$/m,
    `$1${runbook}`,
  ],
  [
    'README.md',
    /^In a clone, the chart has no image: .*\n(.+\n)*/m,
    `This chart has the image of the release, \`${image}\`.\n`,
  ],
  ['README.md', /^(\| `linux\.image\.repository` \| )`""` \| .* \|$/m, `$1\`${image}\` | the image of this release |`],
  ['README.md', /^(\| `monitoring\.prometheusRule\.runbookURL` \| )`""`/m, `$1\`${runbook}\``],
  ['README.md', /\]\(\.\.\/\.\.\//g, `](${page}/`],
];

const chart = join(directory, 'akv-csi-provider');
rmSync(chart, { recursive: true, force: true });
cpSync(join(root, 'charts/akv-csi-provider'), chart, { recursive: true });
for (const [name, found, replacement] of CHANGES) {
  const before = readFileSync(join(chart, name), 'utf8');
  const after = before.replace(found, replacement);
  if (after === before) throw new Error(`${name} of the chart has nothing like ${found}`);
  writeFileSync(join(chart, name), after);
}
process.stdout.write(`${chart}: ${image}, ${page}\n`);
