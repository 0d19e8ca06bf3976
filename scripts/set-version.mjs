// Sets the version of everything: `npm run release:version -- 0.2.0`. The first heading of CHANGELOG.md, which must be
// unreleased, gets the version and today's date. An optional second argument is the directory of the project.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [version = '', root = fileURLToPath(new URL('..', import.meta.url))] = process.argv.slice(2);
const NUMBER = '\\d+\\.\\d+\\.\\d+(?:-[0-9A-Za-z.]+)?';

/** The places of the version, as `before<version>after`. Each must be found. */
const PLACES = [
  ['package.json', /^( {2}"version": ")NUMBER(",)/m],
  ['package-lock.json', /^( {2}"version": ")NUMBER(",)/m],
  ['package-lock.json', /^( {6}"version": ")NUMBER(",)/m],
  ['charts/akv-csi-provider/Chart.yaml', /^(version: )NUMBER()$/m],
  ['charts/akv-csi-provider/Chart.yaml', /^(appVersion: )NUMBER()$/m],
  ['charts/akv-csi-provider/README.md', /(\/akv-csi-provider:|newTag: )NUMBER()\b/g],
  ['deploy/provider.yaml', /(app\.kubernetes\.io\/version: ")NUMBER(")/g],
  ['deploy/provider.yaml', /(image: "akv-csi-provider:)NUMBER(")/g],
  ['docs/check.md', /(akv-csi@)NUMBER()\b/g],
  ['docs/kubectl.md', /(akv-csi-)NUMBER(\.tgz)/g],
  ['docs/quick-start.md', /(\/akv-csi-provider:)NUMBER()\b/g],
  ['docs/quick-start.md', /(akv-csi-)NUMBER(\.tgz)/g],
  ['docs/operations.md', /(akv-csi-)NUMBER(\.tgz)/g],
  ['Dockerfile', /(org\.opencontainers\.image\.version=")NUMBER(")/],
];

if (!new RegExp(`^${NUMBER}$`).test(version)) {
  process.stderr.write(`error: "${version}" is not a version such as 0.2.0 or 0.2.0-rc.1\n`);
  process.exit(2);
}
const texts = new Map();
const textOf = (path) => texts.get(path) ?? readFileSync(join(root, path), 'utf8');
const problems = [];
for (const [path, { source, flags }] of PLACES) {
  const pattern = new RegExp(source.replace('NUMBER', NUMBER), flags);
  if (!pattern.test(textOf(path))) problems.push(`${path} has no version at ${source}`);
  pattern.lastIndex = 0;
  texts.set(path, textOf(path).replace(pattern, `$1${version}$2`));
}
const heading = /^## \S+ — unreleased$/m;
const first = /^## .*$/m.exec(textOf('CHANGELOG.md'))?.[0] ?? '';
if (!heading.test(first)) problems.push(`CHANGELOG.md begins with "${first}", not with "## ${version} — unreleased"`);
texts.set(
  'CHANGELOG.md',
  textOf('CHANGELOG.md').replace(heading, `## ${version} — ${new Date().toISOString().slice(0, 10)}`),
);
if (problems.length > 0) {
  for (const problem of problems) process.stderr.write(`error: ${problem}\n`);
  process.exit(1);
}
for (const [path, text] of texts) writeFileSync(join(root, path), text);
process.stdout.write(`${version}: ${[...texts.keys()].join(', ')}\n`);
